"""The suite's bookkeeping: figures out of reports, means, and the page they are written into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.lab.bench.markdown import write_section
from crowdstream.lab.bench.metric import Direction
from crowdstream.lab.bench.suite import (
    FIGURES,
    ROWS,
    SMOKE,
    SUITE,
    SuiteCase,
    row_metrics,
    run_rows,
    suite_metrics,
)
from crowdstream.lab.bench.suite_page import BEGIN, END, section
from crowdstream.lab.evaluate.question import Question
from crowdstream.lab.evaluate.same_frames import FrameErrors

COUNTS = (
    "person_frames",
    "occluded_person_frames",
    "hidden_person_frames",
    "ignored_person_frames",
    "people_never_seen",
)


def _report(value: float) -> dict[str, Any]:
    report: dict[str, Any] = {
        "run": {"config": "live", "observations": "simulated", "calibration": "given", "seconds": 2.0},
        "counts": dict.fromkeys(COUNTS, 10),
        "streaming": {"at_delay": {"0.1 s": {"coverage": value, "ground_mm": 50.0}}},
    }
    for figure in FIGURES:
        node = report
        for key in figure.path[:-1]:
            node = node.setdefault(key, {})
        node[figure.path[-1]] = value
    return report


CASES = [SuiteCase("plaza_high", _report(0.5)), SuiteCase("plaza_low", _report(0.7))]


def test_means_are_gated_and_cases_where_it_was_asked() -> None:
    metrics = {m.key: m for m in suite_metrics(CASES)}
    assert metrics["suite.all.author.mpjpe_mm"].value == pytest.approx(0.6)
    assert metrics["suite.plaza_low.author.mpjpe_mm"].value == 0.7
    assert metrics["suite.all.author.pcod"].direction is Direction.HIGHER
    assert "suite.plaza_high.author.pcod" not in metrics
    assert metrics["suite.plaza_high.author.mpjpe_mm"].direction is Direction.LOWER
    assert len(metrics) == len(FIGURES) + len(CASES) * sum(f.each for f in FIGURES)


def test_nothing_measured_on_a_clock_is_gated() -> None:
    for metric in suite_metrics(CASES):
        if "latency" in metric.key or "speed" in metric.key:
            assert metric.direction is Direction.NEITHER


def test_what_a_case_lacks_is_left_out_of_its_mean() -> None:
    lacking = _report(0.7)
    lacking["author"]["mpjpe_mm"] = None
    metrics = {m.key: m.value for m in suite_metrics([CASES[0], SuiteCase("plaza_low", lacking)])}
    assert metrics["suite.all.author.mpjpe_mm"] == 0.5
    assert "suite.plaza_low.author.mpjpe_mm" not in metrics


def test_the_suite_is_fixed() -> None:
    assert {config.scene for config in SUITE} == {"plaza", "station", "hillside", "terrace"}
    assert len({config.seed for config in SUITE}) == len(SUITE)
    assert SMOKE[0].people * SMOKE[0].seconds <= 50


def test_section_goes_between_its_marks_and_nothing_else_moves(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text(f"# Head\n\nbefore\n\n{BEGIN}\nold\n{END}\n\nafter\n")
    write_section(page, section(CASES, "2 cores"), (BEGIN, END))
    text = page.read_text()
    assert text.startswith("# Head\n\nbefore\n\n" + BEGIN) and text.endswith(END + "\n\nafter\n")
    assert "old" not in text and "plaza_low" in text and "not public" in text and "| 0.1 s | 60.0 |" in text
    write_section(page, section(CASES, "2 cores"), (BEGIN, END))
    assert page.read_text() == text


def test_section_is_added_where_there_are_no_marks(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    page.write_text("# Head\n")
    write_section(page, "new", (BEGIN, END))
    assert page.read_text() == f"# Head\n\n{BEGIN}\nnew\n{END}\n"
    page.write_text(f"# Head\n{BEGIN}\n")
    with pytest.raises(CrowdstreamError, match="without the other"):
        write_section(page, "new", (BEGIN, END))


def test_both_presets_stand_in_one_table() -> None:
    text = section(CASES, "2 cores", paper_cases=CASES, live_cut=CASES)
    assert "preset `paper`" in text and "first 2 s" in text


def test_rows_are_asked_in_their_order_and_leave_out_what_they_say() -> None:
    asked: list[tuple[str, ...]] = []

    def run(question: Question) -> list[SuiteCase]:
        asked.append(question.without)
        return CASES

    assert list(run_rows(run, ["without-both", "full"])) == ["full", "without-both"]
    assert asked == [(), ("motion-prior", "lifter")]
    assert set(run_rows(run, list(ROWS), Question(without=("lifter", "amc")))) == set(ROWS)
    assert asked[2:] == [
        ("lifter", "amc", *(part for part in parts if part not in ("lifter", "amc")))
        for parts in ROWS.values()
    ]
    with pytest.raises(CrowdstreamError, match=r"gravity.*without-lifter"):
        run_rows(run, ["gravity"])


def _errors(*mpjpe_mm: float) -> FrameErrors:
    """One person: half of the frames in full view, then half occluded, the last one hidden."""
    error = np.array([mpjpe_mm], np.float32)
    late = np.arange(len(mpjpe_mm))[None] >= len(mpjpe_mm) // 2
    last = np.arange(len(mpjpe_mm))[None] == len(mpjpe_mm) - 1
    groups = {"all": np.ones_like(late), "occluded": late, "hidden": last, "rest": ~late}
    return FrameErrors(error, error, error, groups)


def _rows() -> dict[str, list[SuiteCase]]:
    """The whole fills the last frame; elsewhere it is better by a tenth where occluded, and no different else."""
    ours, theirs = _errors(50, 50, 90, 200), _errors(50, 50, 100, np.nan)
    return {
        "full": [SuiteCase("plaza_high", _report(0.6), (ours,))],
        "without-amc": [SuiteCase("plaza_high", _report(0.9), (theirs,))],
    }


def test_rows_stand_in_tables_beside_the_papers_and_are_never_gated() -> None:
    lines = section(CASES, "2 cores", rows=_rows()).splitlines()
    ours = [line for line in lines if line.startswith("| **full** |")]
    without = [line for line in lines if line.startswith("| without amc |")]
    assert len(ours) == len(without) == 2, "everybody, and the severely hidden"
    assert "| 60.0 | 60.0 | 0.6 |" in ours[0] and "| 90.0 | 90.0 | 0.9 |" in without[0]
    paper = [line for line in lines if line.startswith("| paper: DyCrowd without C.G.M.")]
    assert "61.3" in paper[0] and "73.0 | 60.2" in paper[-1]
    assert "**full**" not in section(CASES, "2 cores", rows={"full": CASES})

    metrics = {m.key: m for m in row_metrics(_rows())}
    assert metrics["suite.without-amc.author.mpjpe_mm"].value == pytest.approx(0.9)
    assert all(m.direction is Direction.NEITHER and "full" not in m.key for m in metrics.values())
    assert not set(metrics) & {m.key for m in suite_metrics(CASES)}


def test_the_whole_is_judged_on_the_person_frames_that_both_have() -> None:
    line = next(
        x for x in section(CASES, "2 cores", rows=_rows()).splitlines() if x.startswith("| full against")
    )
    assert "| full against without amc | -5.0 % (63.3 / 66.7, 3) |" in line
    assert "| -10.0 % (90.0 / 100.0, 1) |" in line and "| +0.0 % (50.0 / 50.0, 2) |" in line
    metrics = {m.key: m.value for m in row_metrics(_rows())}
    assert metrics["suite.without-amc.same.occluded.mpjpe_mm_change"] == pytest.approx(-0.1)
    assert metrics["suite.without-amc.same.rest.mpjpe_mm_change"] == 0.0
    assert "suite.without-amc.same.hidden.mpjpe_mm_change" not in metrics
