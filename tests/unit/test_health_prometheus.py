"""What /metrics says, read back by a parser of the format written here from its description."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.stream.health.exposition import Family, MetricKind, clean, render
from crowdstream.stream.health.histogram import BOUNDS_S, Counts, Histogram
from crowdstream.stream.health.prometheus import MOST_CAMERAS, MOST_CAUSES, OTHER, WIRE_COUNTS, metrics_text
from crowdstream.stream.health.records import CameraHealth, HealthReport, StageHealth
from crowdstream.stream.sources.live.records import CameraPhase

Sample = tuple[str, tuple[tuple[str, str], ...]]

_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(,|$)')
_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")


def parse(text: str) -> tuple[dict[Sample, float], dict[str, str]]:
    """Samples, and the kind of every family; fails on anything the format does not allow."""
    samples: dict[Sample, float] = {}
    kinds: dict[str, str] = {}
    helps: set[str] = set()
    current = ""
    assert text.endswith("\n")
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name = line.split(" ")[2]
            assert name not in helps
            helps.add(name)
        elif line.startswith("# TYPE "):
            _, _, current, kind = line.split(" ")
            assert current in helps and current not in kinds, "HELP comes first, TYPE once"
            kinds[current] = kind
        else:
            match = _LINE.fullmatch(line)
            assert match, line
            name, labels, value = match.groups()
            suffixes = ("", "_bucket", "_sum", "_count") if kinds[current] == "histogram" else ("", "_total")
            assert name in {current + suffix for suffix in suffixes}, "samples of a family stand together"
            key = (name, read_labels(labels or ""))
            assert key not in samples, f"{key} stands twice"
            samples[key] = float(value)
    return samples, kinds


def read_labels(text: str) -> tuple[tuple[str, str], ...]:
    out, at = [], 0
    while at < len(text):
        match = _LABEL.match(text, at)
        assert match, text[at:]
        out.append((match[1], re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match[2])))
        at = match.end()
    assert len({name for name, _ in out}) == len(out)
    return tuple(out)


def of(samples: dict[Sample, float], name: str) -> dict[tuple[str, ...], float]:
    """Label values -> value of one name."""
    return {
        tuple(v for _, v in labels): x for (n, labels), x in samples.items() if n == "crowdstream_" + name
    }


def report(**fields: object) -> HealthReport:
    return HealthReport(**{"t_ns": 0, "sid": "s", "uptime_s": 1.0, "ready": True, **fields})  # type: ignore[arg-type]


def filled() -> HealthReport:
    """A report that makes every family appear."""
    some = Histogram()
    for value in (0.004, 0.2, 0.2, 30.0):
        some.observe(value)
    gate = CameraHealth(
        "gate", "running", "silent", frames=100, dropped={"stale": 5}, fps_in=25.0, fps_out=12.5, frame_age_s=0.1,
        reconnects=2, clock="ntp_sr", skew_s=-0.5, drift_ppm=12.0, calibrated=True, people=3, tracks=9, offset_s=0.01,
    )  # fmt: skip
    return report(
        cameras=(gate,), stages=(StageHealth("solver", "", 1, 2, 8, 3.5), StageHealth("solver", "node", 2, 5, 8, 1.0)),
        drops={("tracking", "late"): 4}, latency_ms={"live": {"p50": 40.0, "p95": 200.0}},
        latency={"live": some.counts()}, window_work={"solver": some.counts()}, refine_lag_s=2.0,
        networks={"detector": "yolox on onnxruntime-cpu"}, version="1.2", windows=7, not_recorded=1,
    )  # fmt: skip


WIRE = {key: {"a": 3} if label else 3 for key, (_, _, _, label) in WIRE_COUNTS.items()} | {
    "topics": {"live.gate": 5}
}


@pytest.mark.parametrize("openmetrics", [False, True])
def test_the_page_is_well_formed_and_says_what_the_report_says(openmetrics: bool) -> None:
    text = metrics_text(filled(), WIRE, 1.5, openmetrics)
    if openmetrics:
        assert text.endswith("# EOF\n")
        text = text.removesuffix("# EOF\n")
    samples, kinds = parse(text)
    assert of(samples, "frames_total") == {("gate", "used"): 100, ("gate", "stale"): 5}
    assert of(samples, "clock_skew_seconds") == {("gate", "ntp_sr"): -0.5}
    assert of(samples, "worker_restarts_total") == {("solver",): 3}
    assert of(samples, "queue_depth") == {("solver",): 5}
    assert of(samples, "drops_total") == {("tracking", "late"): 4}
    assert of(samples, "backend_info") == {("detector", "yolox", "onnxruntime-cpu"): 1}
    assert of(samples, "latency_recent_seconds") == {("live", "0.50"): 0.04, ("live", "0.95"): 0.2}
    assert of(samples, "published_total") == {("live.gate",): 5}
    assert of(samples, "report_age_seconds") == {(): 1.5}
    counter = "crowdstream_frames" if openmetrics else "crowdstream_frames_total"
    assert kinds[counter] == "counter"


def test_a_camera_is_in_one_phase() -> None:
    for phase in CameraPhase:
        samples, _ = parse(metrics_text(report(cameras=(CameraHealth("a", phase.value),))))
        states = of(samples, "camera_phase")
        assert len(states) == len(CameraPhase)
        assert [labels for labels, value in states.items() if value] == [("a", phase.value)]


def test_histograms_are_cumulative_and_end_with_everything() -> None:
    samples, kinds = parse(metrics_text(filled()))
    assert kinds["crowdstream_latency_seconds"] == "histogram"
    buckets = {float(le): n for (_, le), n in of(samples, "latency_seconds_bucket").items()}
    assert sorted(buckets) == [*BOUNDS_S, math.inf]
    assert list(buckets.values()) == sorted(buckets.values())
    assert buckets[math.inf] == of(samples, "latency_seconds_count")[("live",)] == 4
    assert buckets[0.2] == 3 and buckets[0.15] == 1


@given(st.text(), st.text())
def test_any_label_value_can_be_read_back(first: str, second: str) -> None:
    family = Family("people", MetricKind.GAUGE, first)
    family.set(1.0, camera=first, cause=second)
    text = render([family])
    assert text.encode("utf-8")
    samples, _ = parse(text)
    assert list(samples) == [("crowdstream_people", (("camera", clean(first)), ("cause", clean(second))))]


@given(st.floats())
def test_any_number_can_be_read_back(value: float) -> None:
    family = Family("people", MetricKind.GAUGE, "")
    family.set(value)
    (read,) = parse(render([family]))[0].values()
    assert read == value or (math.isnan(read) and math.isnan(value))


@given(st.dictionaries(st.text(max_size=6), st.integers(0, 1 << 40), max_size=8))
def test_no_name_of_a_camera_or_cause_breaks_the_page(names: dict[str, int]) -> None:
    cameras = tuple(CameraHealth(name, "running", dropped=names) for name in names)
    drops = {(name, name): count for name, count in names.items()}
    parse(metrics_text(report(cameras=cameras, drops=drops, networks=dict.fromkeys(names, "x"))))


def test_the_page_is_bounded_and_what_is_left_out_is_added_up() -> None:
    many = 10 * MOST_CAMERAS
    cameras = tuple(
        CameraHealth(
            f"c{i}",
            "running",
            frames=10,
            dropped={f"cause{i}": 1},
            fps_in=2.0,
            frame_age_s=float(i),
            skew_s=-float(i),
        )
        for i in range(many)
    )
    drops = {("tracking", f"cause{i}"): 2 for i in range(many)}
    text = metrics_text(
        report(cameras=cameras, drops=drops, stages=tuple(StageHealth(f"s{i}") for i in range(many)))
    )
    samples, _ = parse(text)
    used = {labels[0]: n for labels, n in of(samples, "frames_total").items() if labels[1] == "used"}
    assert len(used) == MOST_CAMERAS + 1
    assert sum(used.values()) == 10 * many
    assert sum(n for labels, n in of(samples, "frames_total").items() if labels[1] != "used") == many
    assert of(samples, "frame_age_seconds")[(OTHER,)] == many - 1
    assert of(samples, "frames_in_per_second")[(OTHER,)] == 2.0 * (many - MOST_CAMERAS)
    assert sum(of(samples, "drops_total").values()) == 2 * many
    assert len(of(samples, "drops_total")) == MOST_CAUSES + 1
    assert len(of(samples, "queue_depth")) <= MOST_CAUSES + 1
    assert len(samples) < 4000


def test_before_the_first_report_only_that_it_starts_is_told() -> None:
    assert parse(metrics_text(None))[0] == {("crowdstream_up", ()): 0.0}


def test_a_counter_is_named_as_one() -> None:
    for name, kind in (
        ("frames", MetricKind.COUNTER),
        ("people_total", MetricKind.GAUGE),
        ("A b", MetricKind.GAUGE),
    ):
        with pytest.raises(ValueError, match="metric"):
            Family(name, kind, "")


def test_a_sample_stands_once() -> None:
    family = Family("people", MetricKind.GAUGE, "")
    family.set(1.0, camera="a")
    family.set(Counts((0,) * (len(BOUNDS_S) + 1)), camera="a")
    assert len(family.samples) == 1
