"""The dashboard and the alert rules speak of metrics and labels that the engine exports, and can be loaded."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml

from crowdstream.stream.health.exposition import MetricKind
from crowdstream.stream.health.histogram import Histogram
from crowdstream.stream.health.prometheus import WIRE_COUNTS, families
from crowdstream.stream.health.records import PHASES, CameraHealth, HealthReport, StageHealth

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((FOLDER / "crowdstream.json").read_text("utf-8"))
RULES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "alerts.yml").read_text("utf-8"))["groups"][0]["rules"]

OF_PROMETHEUS = {"instance", "job", "le"}
"""Labels that the reader adds, and that of a bucket."""


def exported() -> dict[str, set[str]]:
    """Metric name -> its labels, of a report in which everything appears."""
    counts = Histogram().counts()
    camera = CameraHealth(
        "a",
        "running",
        "silent",
        dropped={"stale": 1},
        frame_age_s=1.0,
        skew_s=1.0,
        drift_ppm=1.0,
        offset_s=0.01,
    )
    report = HealthReport(
        0, "s", 1.0, True, (camera,), (StageHealth("solver"),), {("a", "b"): 1}, {"live": {"p50": 1.0}},
        {"live": counts}, {"solver": counts}, refine_lag_s=1.0, networks={"detector": "x on y"},
    )  # fmt: skip
    wire = {key: {"a": 1} if label else 1 for key, (_, _, _, label) in WIRE_COUNTS.items()}
    out: dict[str, set[str]] = {"up": set()}
    for family in families(report, wire, 0.0):
        assert family.samples, f"{family.name} does not appear"
        labels = {name for sample in family.samples for name, _ in sample}
        endings = ("_bucket", "_sum", "_count") if family.kind is MetricKind.HISTOGRAM else ("",)
        out |= {f"crowdstream_{family.name}{ending}": labels for ending in endings}
    return out


def expressions() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", [])]
    variables = [v["definition"] for v in DASHBOARD["templating"]["list"] if "definition" in v]
    notes = [note["expr"] for note in DASHBOARD["annotations"]["list"]]
    return panels + variables + notes + [rule["expr"] for rule in RULES]


@pytest.mark.parametrize("expression", expressions())
def test_every_metric_and_label_is_one_that_is_exported(expression: str) -> None:
    known = exported()
    names = set(re.findall(r"\b(crowdstream_[a-z0-9_]+|up)\b(?!=)", expression))
    assert names and names <= set(known), names - set(known)
    labels = {label for name in names for label in known[name]} | OF_PROMETHEUS
    for matchers in re.findall(r"\{([^}]*)\}", expression):
        assert set(re.findall(r"([a-z_]+)\s*(?:=~|!=|=)", matchers)) <= labels
    for listed in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        assert {name.strip() for name in listed.split(",")} <= labels
    for phase in re.findall(r'phase="([^"]*)"', expression):
        assert phase in PHASES


def test_the_state_of_a_camera_tells_all_phases_apart() -> None:
    panel = next(panel for panel in DASHBOARD["panels"] if panel["title"] == "State")
    said = dict(
        re.findall(
            r'(\d+) \* sum by \(camera\) \(crowdstream_camera_phase\{[^}]*phase="(\w+)"',
            panel["targets"][0]["expr"],
        )
    )
    shown = {
        number: row["text"]
        for number, row in panel["fieldConfig"]["defaults"]["mappings"][0]["options"].items()
    }
    assert said == shown and sorted(shown.values()) == sorted(PHASES)


def test_the_dashboard_can_be_provisioned() -> None:
    panels = DASHBOARD["panels"]
    assert DASHBOARD["uid"] and DASHBOARD["schemaVersion"] >= 36 and "id" not in DASHBOARD
    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    assert DASHBOARD["templating"]["list"][0]["type"] == "datasource"
    for panel in panels:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "${datasource}" and panel["targets"]
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])
    for one, other in combinations([panel["gridPos"] for panel in panels], 2):
        apart_x = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        apart_y = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert apart_x or apart_y
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in panels)


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES) >= 10
    for rule in RULES:
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"] and rule["annotations"]["action"]


def test_the_manual_names_every_metric_and_no_other() -> None:
    manual = (FOLDER.parent / "operations.md").read_text("utf-8")
    rows = [line for line in manual.splitlines() if line.startswith("| `crowdstream_")]
    named = {name for row in rows for name in re.findall(r"`(crowdstream_[a-z0-9_]+)`", row)}
    assert named == {re.sub("_(bucket|sum|count)$", "", name) for name in exported()} - {"up"}
