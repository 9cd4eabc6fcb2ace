"""What a run's summary says of joined tracks and of the refiner."""

from __future__ import annotations

import json
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

from crowdstream.actors.lane import Lane
from crowdstream.actors.summary import refine_line, summarise
from crowdstream.configs.array import CameraEntry

REPORTS: dict[str, dict[str, Any]] = {
    "publisher": {
        "published": {
            "identity": {"merge": 5, "split": 1},
            "refined": {"revisions": 12, "gap_filled": 3, "guided": 2, "refined": 0, "retracted": 1},
        }
    },
    "refiner": {
        "seconds": {"refine": 2.5},
        "counts": {"segments": 40},
        "refine_seconds": {"group": float("nan")},
    },
}
COUNTS = {"answered": 9, "busy": 2, "lost": 1, "restarts": 1}


def summary(**reports: dict[str, Any]) -> dict[str, Any]:
    lane = Lane(CameraEntry("a", "a.mp4"), live=True, name="a")
    if reports:
        refining: Any = SimpleNamespace(counts=Counter(COUNTS))
        lane.refining = refining
    return summarise({name: [report] for name, report in reports.items()}, 10.0, 10.0, "ray", "", [lane])


def test_without_a_refiner_every_key_is_there_and_nothing_is_said() -> None:
    found = summary()
    assert found["refine"].keys() == summary(**REPORTS)["refine"].keys()
    assert not any(found["refine"].values()) and not any(found["identity"].values())
    assert refine_line(found) == "" and found["drops"] == {}


def test_windows_that_went_unrefined_are_among_what_was_left_out() -> None:
    assert summary(**REPORTS)["drops"] == {"refine_busy": 2, "refine_lost": 1}


def test_what_it_did_stands_under_its_name_and_is_finite() -> None:
    found = summary(**REPORTS)
    json.dumps(found, allow_nan=False)
    assert found["refine"]["windows"] == 9 and found["refine"]["counts"] == {"segments": 40}
    assert found["stage_seconds"]["refine"] == 2.5


def test_a_line_names_what_happened_and_nothing_that_did_not() -> None:
    said = refine_line(summary(**REPORTS))
    for part in (
        "5 tracks joined (1 undone)",
        "12 revisions",
        "3 given a body",
        "2 guided",
        "1 taken back",
        "replaced",
    ):
        assert part in said
    assert "solved again" not in said


@pytest.mark.parametrize("missing", ["publisher", "refiner", "refining"])
def test_a_worker_that_did_not_answer_leaves_zeros(missing: str) -> None:
    found = summary(**{name: report for name, report in REPORTS.items() if name != missing})
    assert found["refine"].keys() == summary()["refine"].keys()
