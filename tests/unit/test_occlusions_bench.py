"""Gaps of several cameras pooled, and the page they are written into."""

from __future__ import annotations

from typing import Any

import pytest

from crowdstream.lab.bench.metric import Direction
from crowdstream.lab.bench.occlusions import OCCLUSIONS, ROWS, occlusion_metrics, pooled, section
from crowdstream.lab.bench.suite import ROWS as SUITE_ROWS
from crowdstream.lab.bench.suite import SUITE, SuiteCase

ERRORS = ("root_mm", "mpjpe_mm", "world_mm")


def _part(
    tracked: int, rejoined: int, frames: int, with_body: float | None, error: float | None
) -> dict[str, Any]:
    part: dict[str, Any] = {
        "gaps": tracked + 1, "tracked": tracked, "rejoined": rejoined, "person_frames": frames,
        "rejoined_share": rejoined / tracked if tracked else None, "with_body": with_body,
        "compared": 10 if error is not None else 0,
    }  # fmt: skip
    part |= {name: error for name in ERRORS}
    part |= {f"straight_{name}": None if error is None else 2 * error for name in ERRORS}
    return part


def _report(
    tracked: int, rejoined: int, stitched: tuple[int, int, int], error: float | None
) -> dict[str, Any]:
    part = _part(tracked, rejoined, 100 * tracked, 0.5 if tracked else None, error)
    joins = dict(zip(("stitched", "stitched_nobody", "stitched_wrong"), stitched, strict=True))
    joins |= {"bridged": 0, "bridged_nobody": 0, "bridged_wrong": 0}
    scores = {"idf1": 0.8, "hota": 0.6}
    return {
        "long_occlusions": part | joins | {"by_length": {"2-3 s": part}},
        "identity": {**scores, "ground": scores},
    }


CASES = [
    SuiteCase("a", _report(9, 9, (10, 2, 1), 100.0)),
    SuiteCase("b", _report(1, 0, (2, 0, 0), None)),
    SuiteCase("c", _report(0, 0, (0, 0, 0), None)),
]


def test_a_gap_counts_the_same_whatever_camera_it_is_of() -> None:
    got = pooled([case.report["long_occlusions"] for case in CASES])
    assert (got["gaps"], got["tracked"], got["rejoined"], got["rejoined_share"]) == (13, 10, 9, 0.9)
    assert got["stitched_wrong_share"] == pytest.approx(1 / 10)  # of 12 two are of nobody
    assert got["bridged_wrong_share"] is None
    assert got["root_mm"] == 100.0 and got["straight_world_mm"] == 200.0
    assert got["with_body"] == pytest.approx(0.5)
    assert got["by_length"]["2-3 s"]["rejoined_share"] == 0.9


def test_only_the_whole_is_gated() -> None:
    metrics = {m.key: m for m in occlusion_metrics({"full": CASES, "without-stitching": CASES})}
    assert metrics["occlusions.full.rejoined_share"].direction is Direction.HIGHER
    assert metrics["occlusions.full.stitched_wrong_share"].direction is Direction.LOWER
    assert metrics["occlusions.full.identity.ground.hota"].value == pytest.approx(0.6)
    assert all(m.direction is Direction.NEITHER for k, m in metrics.items() if ".without-stitching." in k)
    assert "occlusions.full.bridged_wrong_share" not in metrics


def test_the_page_says_what_was_found() -> None:
    text = section({"full": CASES, "without-stitching": CASES}, "2 cores")
    assert "13 gaps, 10 of people who were followed" in " ".join(text.split())
    assert "| full | 90.0 | 12 | 10.0 | 0 | - | 0.800 | 0.600 |" in text
    assert "| **2-6 s** | 13 | 10 | 90.0 | 50.0 | 10 | 100, 200 |" in text


def test_the_crowds_are_fixed_and_are_not_the_suites() -> None:
    assert {c.scene for c in OCCLUSIONS} == {"colonnade"} and len({c.seed for c in OCCLUSIONS}) == 3
    assert not {c.seed for c in OCCLUSIONS} & {c.seed for c in SUITE}
    assert set(ROWS) <= set(SUITE_ROWS)
