"""Simulated appearance codes: people look like themselves, and hidden ones like whoever stands in front."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.perception.appearance_code import CodeKind, compare_codes, known_blocks
from crowdstream.lab.virtualcrowd.sighting_appearance import coded_frames, simulated_codes
from crowdstream.lab.virtualcrowd.sighting_clothes import clothes_of
from crowdstream.lab.virtualcrowd.sightings import Sightings
from crowdstream.lab.virtualcrowd.truth import View, Visibility

FRAMES, PEOPLE = 90, 4


def _view(hidden: int | None = None) -> View:
    """Four people side by side for three seconds at 30 Hz; one of them behind their neighbour to the right."""
    boxes = np.zeros((PEOPLE, FRAMES, 4), np.float32)
    for n in range(PEOPLE):
        boxes[n] = (100 + 60 * n, 100, 140 + 60 * n, 220)
    visibility = np.full((PEOPLE, FRAMES, 17), int(Visibility.VISIBLE), np.uint8)
    keypoints = np.tile(boxes[:, :, None, :2] + np.array([20, 50], np.float32), (1, 1, 17, 1))
    if hidden is not None:
        visibility[hidden] = int(Visibility.OCCLUDED)
        boxes[hidden + 1, :] = boxes[hidden] + np.array([-20, -10, 20, 30], np.float32)
    camera = CameraModel(np.diag([600.0, 600.0, 1.0]), np.eye(3), np.zeros(3), (640, 480))
    return View(
        name="high", camera=camera, ground=Ground(),
        t_ns=(np.arange(FRAMES) * 1e9 / 30).astype(np.int64), person_ids=np.arange(1, PEOPLE + 1),
        present=np.ones((PEOPLE, FRAMES), bool), keypoints_px=keypoints.astype(np.float32), visibility=visibility,
        joint_visibility=np.zeros((PEOPLE, FRAMES, 24), np.uint8), box_px=boxes,
        seen_share=np.ones((PEOPLE, FRAMES), np.float32),
    )  # fmt: skip


def _sightings(view: View, score: float = 0.8) -> Sightings:
    rows = FRAMES * PEOPLE
    person = np.tile(view.person_ids, FRAMES)
    return Sightings(
        (640, 480), view.t_ns, np.repeat(np.arange(FRAMES), PEOPLE),
        np.swapaxes(view.box_px, 0, 1).reshape(rows, 4), np.full(rows, score, np.float32),
        np.zeros((rows, 17, 2), np.float32), np.ones((rows, 17), np.float32), person,
    )  # fmt: skip


def _mean(codes: np.ndarray, sightings: Sightings, person: int) -> np.ndarray:
    rows = (sightings.person == person) & codes.any(axis=1)
    return codes[rows].mean(axis=0, dtype=np.float64)[None]


def test_codes_come_at_the_rate_and_are_unit_rows() -> None:
    view = _view()
    sightings = _sightings(view)
    codes = simulated_codes(view, sightings, seed=3, rate_hz=5.0)
    frames = coded_frames(view.t_ns, 5.0)
    assert np.diff(view.t_ns[frames]).min() >= 0.9e9 / 5.0
    coded = np.isin(sightings.frame, frames)
    assert np.allclose(np.linalg.norm(codes[coded], axis=1), 1.0, atol=1e-5)
    assert not codes[~coded].any()


def test_same_seed_same_bytes_and_another_seed_other_clothes() -> None:
    view = _view()
    sightings = _sightings(view)
    one, again, other = (simulated_codes(view, sightings, seed) for seed in (3, 3, 4))
    assert one.tobytes() == again.tobytes()
    assert not np.allclose(one, other)


def test_people_look_like_themselves_more_than_like_others() -> None:
    view = _view()
    sightings = _sightings(view)
    codes = simulated_codes(view, sightings, seed=5)
    early, late = codes.copy(), codes.copy()
    early[sightings.frame >= FRAMES // 2] = 0
    late[sightings.frame < FRAMES // 2] = 0
    for person in range(1, PEOPLE + 1):
        own = _mean(late, sightings, person)
        near, _, _ = compare_codes(_mean(early, sightings, person), own)
        others = np.concatenate([_mean(early, sightings, q) for q in range(1, PEOPLE + 1) if q != person])
        far, _, _ = compare_codes(others, np.repeat(own, len(others), axis=0))
        assert near[0] < far.min()


def test_weak_boxes_get_no_pose_and_so_no_code() -> None:
    view = _view()
    assert not simulated_codes(view, _sightings(view, score=0.2), seed=3).any()


def test_a_person_behind_somebody_found_mostly_has_no_code() -> None:
    view = _view(hidden=0)
    sightings = _sightings(view)
    codes = simulated_codes(view, sightings, seed=3)
    hidden = codes[(sightings.person == 1) & np.isin(sightings.frame, coded_frames(view.t_ns, 5.0))]
    assert known_blocks(hidden.astype(np.float64)).mean() < 0.1


def test_a_person_behind_somebody_missed_looks_like_them() -> None:
    view = _view(hidden=0)
    everybody = _sightings(view)
    rows = everybody.person != 2
    missed = replace(
        everybody, frame=everybody.frame[rows], boxes_px=everybody.boxes_px[rows], scores=everybody.scores[rows],
        keypoints_px=everybody.keypoints_px[rows], confidence=everybody.confidence[rows], person=everybody.person[rows],
    )  # fmt: skip
    polluted = _mean(simulated_codes(view, missed, seed=3), missed, 1)
    clear_view = _view()
    clear = _sightings(clear_view)
    codes = simulated_codes(clear_view, clear, seed=3)
    to_own, _, _ = compare_codes(polluted, _mean(codes, clear, 1))
    to_front, kind, _ = compare_codes(polluted, _mean(codes, clear, 2))
    assert to_front[0] < to_own[0]
    assert kind[0] == CodeKind.COLOUR


def test_clothes_are_a_persons_own() -> None:
    assert np.array_equal(clothes_of(7, 1).mean, clothes_of(7, 1).mean)
    assert not np.allclose(clothes_of(7, 1).mean, clothes_of(8, 1).mean)


def test_observations_carry_the_codes_of_their_rows() -> None:
    view = _view()
    sightings = _sightings(view)
    codes = simulated_codes(view, sightings, seed=3)
    stacked = np.concatenate([o.appearance for o in sightings.observations("high", codes)])
    assert np.array_equal(stacked, codes)
    assert all(o.appearance.shape == (PEOPLE, 0) for o in sightings.observations("high"))
    with pytest.raises(ShapeError, match="codes for"):
        next(sightings.observations("high", codes[1:]))
