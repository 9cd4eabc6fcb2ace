"""When codes are made and for whom; how tracks keep them."""

from __future__ import annotations

import numpy as np

from crowdstream.kernels.tracking.plane_motion import Motion
from crowdstream.kernels.tracking.table import TrackTable
from crowdstream.stream.appearance import AppearanceTurns
from crowdstream.stream.records import ClockOrigin, Frame, PixelFormat
from crowdstream.stream.track_rows import APPEARANCE_MEMORY, blend_appearance

Array = np.ndarray


class Counter:
    """Codes that name the row; remembers who was asked for."""

    size = 4

    def __init__(self, budget: int | None = None) -> None:
        self.budget = budget
        self.asked: list[list[int]] = []

    def codes(
        self, image_bgr: Array, boxes_px: Array, keypoints_px: Array, confidence: Array, rows: Array
    ) -> Array:
        self.asked.append(rows.tolist())
        return np.eye(4, dtype=np.float32)[rows % 4]


def _ask(
    turns: AppearanceTurns, milliseconds: int, people: int = 3, camera: str = "a", posed: bool = True
) -> Array:
    image = np.zeros((8, 8, 3), np.uint8)
    frame = Frame(camera, 0, milliseconds * 10**6, ClockOrigin.FILE_PTS, image, PixelFormat.BGR, (8, 8))
    boxes = np.array([[10.0 * k, 0, 10 * k + 5, 9] for k in range(people)]).reshape(-1, 4)
    rows = np.arange(people if posed else 0)
    return turns.codes(frame, image, boxes, np.zeros((people, 17, 2)), np.zeros((people, 17)), rows)


def test_codes_come_at_their_rate_by_capture_time_per_camera() -> None:
    turns = AppearanceTurns(Counter(), rate_hz=5.0)
    given = [_ask(turns, t).any() for t in (0, 66, 133, 200, 266, 390)]
    assert given == [True, False, False, True, False, True]
    assert _ask(turns, 400, camera="b").any()


def test_a_frame_without_poses_does_not_use_up_the_turn() -> None:
    turns = AppearanceTurns(Counter(), rate_hz=5.0)
    assert _ask(turns, 0, posed=False).shape == (3, 4)
    assert _ask(turns, 33).any()


def test_under_a_budget_everybody_has_a_turn() -> None:
    counter = Counter(budget=2)
    turns = AppearanceTurns(counter, rate_hz=None)
    for t in range(5):
        _ask(turns, 100 * t, people=5)
    assert all(len(rows) == 2 for rows in counter.asked)
    assert {row for rows in counter.asked for row in rows} == set(range(5))
    assert np.bincount([row for rows in counter.asked for row in rows]).tolist() == [2] * 5


def test_tracks_keep_a_mean_and_how_many_codes_it_rests_on() -> None:
    tracks = _tracks(2)
    rows = np.array([0, 1])
    for k in range(3):
        codes = np.zeros((2, 4))
        codes[0, k % 2] = 1.0
        tracks = blend_appearance(tracks, rows, codes)
    assert tracks.appearance_count.tolist() == [3.0, 0.0]
    assert not tracks.appearance[1].any()
    assert np.linalg.norm(tracks.appearance[0]) == 1.0
    assert tracks.appearance[0, 0] > tracks.appearance[0, 1] > 0.0
    assert blend_appearance(tracks, rows, np.zeros((2, 0))) is tracks


def test_an_old_look_is_forgotten_in_the_end() -> None:
    tracks = _tracks(1)
    for code in (*[[1.0, 0, 0, 0]] * 40, *[[0, 1.0, 0, 0]] * int(4 * APPEARANCE_MEMORY)):
        tracks = blend_appearance(tracks, np.array([0]), np.array([code]))
    assert tracks.appearance[0, 1] > 0.99


def _tracks(count: int) -> TrackTable:
    none, motion, two = np.zeros(count, np.int64), Motion.unplaced(count), np.zeros((count, 2))
    return TrackTable(
        person_ids=np.arange(count), born_ns=none, seen_ns=none, hits=none, misses=none,
        confirmed=np.zeros(count, bool), foot=motion, size=motion, plane=motion, torso_m=np.zeros(count),
        torso_count=np.zeros(count), keypoints_px=np.zeros((count, 17, 2)), confidence=np.zeros((count, 17)),
        pose_box_px=np.zeros((count, 4)), appearance=np.zeros((count, 4)), appearance_count=np.zeros(count),
        seen_plane_m=two, seen_foot_px=two, seen_log_size=two, entry_m=two,
    )  # fmt: skip
