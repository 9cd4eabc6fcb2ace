"""Two runs on the person-frames that both have: means and changes that can be read off."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.errors import ShapeError
from crowdstream.lab.evaluate.same_frames import GROUPS, FrameErrors, coverage, on_same_frames

NONE = np.nan
OCCLUDED = np.array([[False, False, True, True]])
HIDDEN = np.array([[False, False, False, True]])


def _run(*mpjpe_mm: float) -> FrameErrors:
    """One person in four frames: two in full view, one half hidden, one hidden."""
    error = np.array([mpjpe_mm], np.float32)
    here = np.ones_like(OCCLUDED)
    groups = {"all": here, "occluded": OCCLUDED, "hidden": HIDDEN, "rest": ~OCCLUDED}
    return FrameErrors(error, 0.5 * error, 2.0 * error, groups)


def test_a_filled_gap_makes_nobody_worse() -> None:
    """Ours has a body for the hidden frame, 200 mm off; theirs has none there. Elsewhere ours is better by a tenth."""
    got = on_same_frames([_run(90, 90, 180, 200)], [_run(100, 100, 200, NONE)])
    assert got["all"]["person_frames"] == 3
    for group in ("all", "occluded", "rest"):
        assert got[group]["mpjpe_mm_change"] == pytest.approx(-0.1), group
    assert got["occluded"]["mpjpe_mm_ours"] == 180.0 and got["occluded"]["mpjpe_mm_theirs"] == 200.0
    assert got["hidden"] == {"person_frames": 0} | {
        f"{name}_{what}": None
        for name in ("mpjpe_mm", "pa_mpjpe_mm", "root_mm")
        for what in ("ours", "theirs", "change")
    }


def test_person_frames_of_all_cameras_are_pooled() -> None:
    got = on_same_frames([_run(100, 100, NONE, NONE), _run(50, 50, 100, 100)], [_run(100, NONE, 80, 80)] * 2)
    assert got["all"]["person_frames"] == 4
    assert got["all"]["mpjpe_mm_ours"] == pytest.approx((100 + 50 + 100 + 100) / 4)
    assert got["all"]["mpjpe_mm_theirs"] == pytest.approx((100 + 100 + 80 + 80) / 4)
    assert got["hidden"]["root_mm_change"] == pytest.approx(100 / 80 - 1)


def test_against_itself_nothing_changes_and_against_another_clip_nothing_is_said() -> None:
    run = [_run(10, 20, 30, 40)]
    got = on_same_frames(run, run)
    assert all(got[group]["pa_mpjpe_mm_change"] == 0.0 for group in GROUPS)
    assert got["occluded"]["person_frames"] + got["rest"]["person_frames"] == got["all"]["person_frames"]
    with pytest.raises(ShapeError, match="same ones"):
        on_same_frames(run, run * 2)


def test_coverage_is_the_share_with_a_body() -> None:
    got = coverage([_run(10, 20, NONE, NONE), _run(10, 20, 30, NONE)])
    assert got == {"all": 5 / 8, "occluded": 1 / 4, "hidden": 0.0, "rest": 1.0}
