"""Laws of the tracking stage, on walkers drawn in a picture: identity is kept, whatever the order or rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.hvip import BOX_LEAD_M, shift_from_camera
from crowdstream.stream.records import ClockOrigin, Observation, TrackedFrame
from crowdstream.stream.track import TrackingStage
from crowdstream.stream.track_backfill import merge_backfill
from crowdstream.stream.track_config import TrackConfig

SIZE = (960, 540)
Path = Callable[[float], tuple[float, float]]


def _camera() -> CameraModel:
    """7 m above the ground, 25 degrees down, looking along +y."""
    pitch = np.deg2rad(25.0)
    right, forward = np.array([1.0, 0, 0]), np.array([0, np.cos(pitch), -np.sin(pitch)])
    rotation = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[800.0, 0, 480], [0, 800, 270], [0, 0, 1]])
    return CameraModel(K, rotation, -rotation @ np.array([0, 0, 7.0]), SIZE)


CAMERA = _camera()
GEOMETRY = (CAMERA, Ground())


def _box(xy: tuple[float, float]) -> np.ndarray:
    foot = CAMERA.project(np.array([[*xy, 0.0]]))[0]
    head = CAMERA.project(np.array([[*xy, 1.7]]))[0]
    height = foot[1] - head[1]
    return np.array([foot[0] - 0.2 * height, head[1], foot[0] + 0.2 * height, foot[1]])


def _observe(
    paths: list[Path], t_s: float, index: int, rng: np.random.Generator | None = None,
    hidden: tuple[int, ...] = (), scores: float = 0.8,
) -> Observation:  # fmt: skip
    boxes = np.array([_box(p(t_s)) for k, p in enumerate(paths) if k not in hidden]).reshape(-1, 4)
    if rng is not None:
        boxes = boxes + rng.normal(scale=0.03, size=boxes.shape) * (boxes[:, 3:] - boxes[:, 1:2])
    n = len(boxes)
    return Observation(
        "cam", index, round(t_s * 1e9), ClockOrigin.FILE_PTS, SIZE, boxes.astype(np.float32),
        np.full(n, scores, np.float32), True, np.zeros((n, 17, 2), np.float32),
        np.zeros((n, 17), np.float32), np.zeros(n, bool),
    )  # fmt: skip


def _under_torso(box_feet_m: np.ndarray) -> np.ndarray:
    """Where the track of a box that meets the ground at these x, y is to lie."""
    feet = np.concatenate([box_feet_m, np.zeros((len(box_feet_m), 1))], axis=1)
    return shift_from_camera(CAMERA, Ground(), feet, BOX_LEAD_M)[:, :2]


def _ids_of(frame: TrackedFrame, paths: list[Path], t_s: float) -> list[int]:
    """The id at each walker's true box (the nearest box), confirmed or not."""
    middle = 0.5 * (frame.boxes_px[:, :2] + frame.boxes_px[:, 2:])
    out = []
    for path in paths:
        true = _box(path(t_s))
        off = np.linalg.norm(middle - 0.5 * (true[:2] + true[2:]), axis=1)
        out.append(int(frame.person_ids[np.argmin(off)]))
    return out


def _stage(ground: bool, config: TrackConfig | None = None) -> TrackingStage:
    stage = TrackingStage(config or TrackConfig(), "cam", SIZE)
    if ground:
        stage.set_geometry(*GEOMETRY)
    return stage


def _crowd(count: int, rng: np.random.Generator) -> list[Path]:
    starts = np.stack([rng.uniform(-6, 6, count), rng.uniform(10, 26, count)], axis=1)
    speeds = rng.normal(scale=0.6, size=(count, 2))
    return [
        lambda t, s=s, v=v: (s[0] + v[0] * t, s[1] + v[1] * t) for s, v in zip(starts, speeds, strict=True)
    ]


def _same(a: TrackedFrame, b: TrackedFrame) -> None:
    for name in ("person_ids", "confirmed", "seen", "boxes_px", "position_m", "covariance_m2", "scores"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.mark.parametrize("ground", [True, False], ids=["ground", "image"])
class TestIdentity:
    @pytest.mark.parametrize("rate", [5.0, 10.0, 30.0])
    def test_one_person_alone_never_switches(self, ground: bool, rate: float) -> None:
        def path(t: float) -> tuple[float, float]:
            return 3.0 * np.sin(0.4 * t), 15.0 + 2.0 * np.cos(0.4 * t)

        rng, stage = np.random.default_rng(0), _stage(ground)
        ids: set[int] = set()
        for k in range(int(20 * rate)):
            frame = stage.step(_observe([path], k / rate, k, rng))
            ids |= set(frame.person_ids.tolist())
        assert ids == {1}

    def test_people_who_cross_keep_their_ids(self, ground: bool) -> None:
        paths: list[Path] = [lambda t: (-4 + 1.2 * t, 15.0), lambda t: (4 - 1.2 * t, 15.4)]
        rng, stage = np.random.default_rng(1), _stage(ground)
        for k in range(65):
            # while one hides the other only the nearer is seen
            hidden = (1,) if abs(k / 10 - 3.33) < 0.25 else ()
            frame = stage.step(_observe(paths, k / 10, k, rng, hidden))
            if k == 10:
                early = _ids_of(frame, paths, k / 10)
        assert _ids_of(frame, paths, 6.4) == early
        assert len(set(early)) == 2

    def test_gaps_in_time_do_not_change_who_is_who(self, ground: bool) -> None:
        paths: list[Path] = [lambda t: (-4 + 1.0 * t, 14.0), lambda t: (4 - 0.8 * t, 20.0)]
        times = np.cumsum([0.1] * 20 + [0.7] + [0.03] * 15 + [1.0] + [0.25] * 8)
        rng, stage = np.random.default_rng(2), _stage(ground)
        ids = []
        for k, t in enumerate(times):
            ids.append(_ids_of(stage.step(_observe(paths, t, k, rng)), paths, t))
        assert ids == [ids[0]] * len(times)

    def test_order_of_detections_changes_nothing(self, ground: bool) -> None:
        rng = np.random.default_rng(3)
        paths, one, other = _crowd(15, rng), _stage(ground), _stage(ground)
        for k in range(25):
            seen = _observe(paths, k / 10, k, rng)
            mix = rng.permutation(len(seen.scores))
            fields = ("boxes_px", "scores", "keypoints_px", "confidence", "posed")
            mixed = replace(seen, **{name: getattr(seen, name)[mix] for name in fields})
            _same(one.step(seen), other.step(mixed))

    def test_the_same_input_gives_the_same_output(self, ground: bool) -> None:
        runs = []
        for _ in range(2):
            rng, stage = np.random.default_rng(4), _stage(ground)
            paths = _crowd(10, rng)
            runs.append([stage.step(_observe(paths, k / 10, k, rng)) for k in range(20)])
        for a, b in zip(*runs, strict=True):
            _same(a, b)

    def test_low_scores_carry_a_person_on_but_do_not_begin_one(self, ground: bool) -> None:
        path: Path = lambda t: (1.0 * t, 15.0)  # noqa: E731
        stage = _stage(ground)
        assert len(stage.step(_observe([path], 0.0, 0, scores=0.35)).person_ids) == 0
        for k in range(1, 5):
            stage.step(_observe([path], k / 10, k))
        frame = stage.step(_observe([path], 0.5, 5, scores=0.35))
        assert frame.person_ids.tolist() == [1]
        assert frame.seen.all()

    def test_ids_are_never_used_again(self, ground: bool) -> None:
        stage = _stage(ground, TrackConfig(forget_s=0.5, wait_s=0.5))
        here: Path = lambda t: (0.0, 15.0)  # noqa: E731
        for k in range(5):
            stage.step(_observe([here], k / 10, k))
        for k in range(5, 20):
            stage.step(_observe([here], k / 10, k, hidden=(0,)))
        assert [e.person_id for e in stage.drain_ended()] == [1]
        assert stage.step(_observe([here], 2.0, 20)).person_ids.tolist() == [2]


def test_a_ground_found_later_keeps_the_ids_and_gives_places() -> None:
    rng = np.random.default_rng(5)
    paths, stage, always = _crowd(12, rng), _stage(False), _stage(True)
    for k in range(40):
        if k == 20:
            before = _ids_of(frame, paths, 1.9)
            stage.set_geometry(*GEOMETRY)
        seen = _observe(paths, k / 10, k, rng)
        frame, reference = stage.step(seen), always.step(seen)
        assert np.isfinite(frame.position_m).all() == (k >= 20)
        if k == 20:
            # lived through again, the last second tells as much as having had the ground all along
            moved = frame.position_m - reference.position_m[np.isin(reference.person_ids, frame.person_ids)]
            assert np.linalg.norm(moved, axis=1).max() < 0.15
    assert _ids_of(frame, paths, 3.9) == before


def test_positions_are_filtered_and_as_sure_as_they_say() -> None:
    """Nearer than the bare box on average; the squared error in units of the covariance is not above 2."""
    rng = np.random.default_rng(6)
    paths, stage = _crowd(20, rng), _stage(True)
    own, bare, score = [], [], []
    for k in range(60):
        seen = _observe(paths, k / 10, k, rng)
        frame = stage.step(seen)
        if k < 20:
            continue
        true = np.array([p(k / 10) for p in paths])
        rays = CAMERA.rays_world(
            np.stack([seen.boxes_px[:, ::2].mean(1), seen.boxes_px[:, 3]], -1).astype(float)
        )
        hit = CAMERA.centre_world_m - rays * (CAMERA.centre_world_m[2] / rays[:, 2])[:, None]
        under = _under_torso(true)
        for place, cov in zip(frame.position_m, frame.covariance_m2, strict=True):
            off = under - place[:2]
            near = off[np.argmin((off**2).sum(1))]
            own.append(np.linalg.norm(near))
            score.append(near @ np.linalg.inv(cov) @ near)
        bare += np.linalg.norm(hit[:, None, :2] - true, axis=-1).min(axis=1).tolist()
    assert np.mean(own) < 0.8 * np.mean(bare)
    assert np.mean(score) < 2.0


def test_a_hidden_person_coasts_then_waits_and_the_gap_is_filled_when_back() -> None:
    path: Path = lambda t: (-3 + 1.0 * t, 15.0)  # noqa: E731
    config = TrackConfig(forget_s=2.0)
    stage, frames = _stage(True, config), {}
    for k in range(40):
        hidden = (0,) if 15 <= k < 28 else ()
        frames[k] = stage.step(_observe([path], k / 10, k, hidden=hidden))
        age = (k - 14) / 10
        if hidden:
            assert not frames[k].seen.any()
            assert len(frames[k].person_ids) == (age <= config.coast_s)
        for late in stage.drain_backfill():
            frames[late.index] = merge_backfill(frames[late.index], late)
    for k, frame in frames.items():
        assert frame.person_ids.tolist() == [1], k
        assert frame.confirmed.all()
        assert np.linalg.norm(frame.position_m[0, :2] - path(k / 10)) < 0.35
        assert frame.seen[0] == (not 15 <= k < 28)


def test_someone_who_walks_out_of_the_picture_is_not_kept_in_it() -> None:
    path: Path = lambda t: (7.0 + 1.5 * t, 15.0)  # noqa: E731
    stage = _stage(True)
    for k in range(40):
        gone = _box(path(k / 10))[2] > SIZE[0]
        frame = stage.step(_observe([path], k / 10, k, hidden=(0,) if gone else ()))
        if gone:
            assert not frame.seen.any()
            assert (frame.boxes_px[:, 2] <= SIZE[0]).all()
    assert len(frame.person_ids) == 0
    assert [e.person_id for e in stage.drain_ended()] == [1]


def test_a_frame_from_the_past_changes_nothing() -> None:
    path: Path = lambda t: (1.0 * t, 15.0)  # noqa: E731
    one, other = _stage(True), _stage(True)
    for k in range(6):
        a, b = one.step(_observe([path], k / 10, k)), other.step(_observe([path], k / 10, k))
        late = other.step(_observe([path], k / 10 - 0.05, 99))
        assert late.drops["track_late"] == 1
        _same(a, b)


def test_predicted_boxes_follow_the_person_and_leave_no_trace() -> None:
    path: Path = lambda t: (-2 + 1.0 * t, 15.0)  # noqa: E731
    stage, twin = _stage(True), _stage(True)
    for k in range(20):
        stage.step(_observe([path], k / 10, k))
        twin.step(_observe([path], k / 10, k))
        ids, boxes = stage.predict_boxes(round((k / 10 + 0.1) * 1e9))
    assert ids.tolist() == [1]
    np.testing.assert_allclose(boxes[0], _box(path(2.0)), atol=4.0)
    _same(stage.step(_observe([path], 2.0, 20)), twin.step(_observe([path], 2.0, 20)))


def test_skipped_detection_is_not_a_miss() -> None:
    """With a detector that runs on every third frame people are confirmed and kept all the same."""
    path: Path = lambda t: (-2 + 1.0 * t, 15.0)  # noqa: E731
    stage = _stage(True)
    for k in range(30):
        seen = _observe([path], k / 30, k, hidden=() if k % 3 == 0 else (0,))
        frame = stage.step(replace(seen, detected=k % 3 == 0))
    assert frame.person_ids.tolist() == [1]
    assert frame.confirmed.all()


@pytest.mark.parametrize("speed", [0.0, 1.0])
def test_on_the_ground_only_who_stood_is_waited_for_beyond_the_usual_time(speed: float) -> None:
    """Who walks and is hidden for three seconds is somebody new to the tracker; who stood is the same."""
    config = TrackConfig()
    stage = _stage(True, config)
    path: Path = lambda t: (-3 + speed * t, 15.0)  # noqa: E731
    for k in range(80):
        frame = stage.step(_observe([path], k / 10, k, hidden=(0,) if 35 <= k < 65 else ()))
    assert config.forget_s < 3.0 < config.wait_s
    assert frame.person_ids.tolist() == ([1] if speed == 0.0 else [2])


def test_who_stood_is_not_found_again_elsewhere() -> None:
    """Somebody who turns up two metres off is somebody else."""
    stage = _stage(True)
    for k in range(80):
        path: Path = lambda t: (0.0, 15.0) if t < 4.5 else (2.0, 15.0)  # noqa: E731
        frame = stage.step(_observe([path], k / 10, k, hidden=(0,) if 35 <= k < 65 else ()))
    assert frame.person_ids.tolist() == [2]
