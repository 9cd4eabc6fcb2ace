"""Laws of the stitcher, on walkers drawn in a picture: who comes back is known again, who does not is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.perception.appearance_code import COLOUR_SIZE, unit_rows
from crowdstream.stream.identity import IdentityChange, IdentityEvent, IdentityMap
from crowdstream.stream.records import ClockOrigin, Observation, TrackedFrame
from crowdstream.stream.stitch.config import StitchConfig
from crowdstream.stream.stitch.stage import StitchStage
from crowdstream.stream.track import TrackingStage
from crowdstream.stream.track_config import TrackConfig

SIZE = (960, 540)
RATE = 10.0
Path = Callable[[float], tuple[float, float]]
Hidden = Callable[[int, float], bool]


def _camera() -> CameraModel:
    """7 m above the ground, 25 degrees down, looking along +y."""
    pitch = np.deg2rad(25.0)
    right, forward = np.array([1.0, 0, 0]), np.array([0, np.cos(pitch), -np.sin(pitch)])
    rotation = np.stack([right, np.cross(forward, right), forward])
    K = np.array([[800.0, 0, 480], [0, 800, 270], [0, 0, 1]])
    return CameraModel(K, rotation, -rotation @ np.array([0, 0, 7.0]), SIZE)


GEOMETRY = (_camera(), Ground())
COLOURS = unit_rows(np.random.default_rng(5).uniform(size=(4, COLOUR_SIZE)) ** 8).astype(np.float32)
"""Clothes of four people: unlike each other."""


def _box(xy: tuple[float, float], stature_m: float = 1.7) -> np.ndarray:
    foot = GEOMETRY[0].project(np.array([[*xy, 0.0]]))[0]
    head = GEOMETRY[0].project(np.array([[*xy, stature_m]]))[0]
    height = foot[1] - head[1]
    return np.array([foot[0] - 0.2 * height, head[1], foot[0] + 0.2 * height, foot[1]])


def _in_picture(box: np.ndarray) -> bool:
    return bool(box[0] > 0 and box[1] > 0 and box[2] < SIZE[0] and box[3] < SIZE[1])


@dataclass
class Run:
    """What came out, and whose track each was: the nearest walker at its first sighting."""

    events: list[IdentityEvent] = field(default_factory=list)
    frames: list[TrackedFrame] = field(default_factory=list)
    late: list[TrackedFrame] = field(default_factory=list)
    walker: dict[int, int] = field(default_factory=dict)
    stage: StitchStage = field(default_factory=lambda: StitchStage(StitchConfig()))

    def persons(self) -> dict[int, set[int]]:
        """Walker -> the persons that they were taken for in the end."""
        who = IdentityMap(self.events)
        confirmed = {int(i) for f in self.frames for i in f.person_ids[f.confirmed]}
        out: dict[int, set[int]] = {}
        for track in sorted(confirmed):
            out.setdefault(self.walker[track], set()).add(who.person_of(track))
        return out


def _run(
    paths: list[Path], seconds: float, hidden: Hidden, *, clothes: list[int] | None = None,
    config: StitchConfig | None = None, ground: bool = True, shuffle: int | None = None, seed: int = 0,
) -> Run:  # fmt: skip
    """Tracks and stitches what is drawn; walkers out of the picture are not seen."""
    rng, mix = np.random.default_rng(seed), np.random.default_rng(shuffle)
    tracker, run = TrackingStage(TrackConfig(), "cam", SIZE), Run(stage=StitchStage(config or StitchConfig()))
    if ground:
        tracker.set_geometry(*GEOMETRY)
        run.stage.set_geometry(*GEOMETRY)
    for k in range(int(seconds * RATE)):
        t_s = k / RATE
        boxes = [_box(path(t_s)) for path in paths]
        noise = rng.normal(scale=0.015, size=(len(paths), 4))
        rows = [n for n, b in enumerate(boxes) if _in_picture(b) and not hidden(n, t_s)]
        if shuffle is not None:
            rows = mix.permutation(rows).tolist()
        seen = np.array([boxes[n] + noise[n] * (boxes[n][3] - boxes[n][1]) for n in rows]).reshape(-1, 4)
        codes = COLOURS[[clothes[n] for n in rows]] if clothes and rows else np.zeros((0, 0), np.float32)
        m = len(rows)
        frame = tracker.step(Observation(
            "cam", k, round(t_s * 1e9), ClockOrigin.FILE_PTS, SIZE, seen.astype(np.float32),
            np.full(m, 0.9, np.float32), True, np.zeros((m, 17, 2), np.float32), np.zeros((m, 17), np.float32),
            np.zeros(m, bool), codes,
        ))  # fmt: skip
        for row in np.flatnonzero(frame.seen):
            middle = frame.boxes_px[row].reshape(2, 2).mean(axis=0)
            off = [np.linalg.norm(boxes[n].reshape(2, 2).mean(axis=0) - middle) for n in rows]
            run.walker.setdefault(int(frame.person_ids[row]), rows[int(np.argmin(off))])
        run.frames.append(frame)
        run.events += run.stage.step(frame, tracker.table)
        run.late += run.stage.drain_late()
    run.events += run.stage.finish()
    run.late += run.stage.drain_late()
    return run


def _straight(x: float, y: float, vx: float, vy: float = 0.0) -> Path:
    return lambda t: (x + vx * t, y + vy * t)


def _behind_wall(low: float, high: float) -> Hidden:
    return lambda n, t: low < t < high


def test_somebody_behind_a_wall_for_four_seconds_is_one_person() -> None:
    run = _run([_straight(-5.0, 15.0, 1.0)], 10.0, _behind_wall(3.0, 7.0))
    assert len({int(i) for f in run.frames for i in f.person_ids}) == 2  # the tracker alone cannot know
    assert run.persons() == {0: {1}}
    (event,) = run.events
    assert event.change is IdentityChange.MERGE
    assert event.gap_s == pytest.approx(4.0, abs=0.3)
    assert event.probability >= StitchConfig().accept
    assert event.evidence["motion"] > 0
    assert "motion" in event.reason


def test_the_gap_is_filled_under_the_earlier_id_along_the_way() -> None:
    """Every frame of the gap once, unseen, near where the walker truly was, most unsure in the middle."""
    run = _run([_straight(-5.0, 15.0, 1.0)], 10.0, _behind_wall(3.0, 7.0))
    (event,) = run.events
    gap = [f.index for f in run.frames if event.lost_ns < f.t_capture_ns < event.found_ns]
    assert [row.index for row in run.late] == gap
    for row in run.late:
        assert row.person_ids.tolist() == [event.previous]
        assert (row.seen.tolist(), row.confirmed.tolist()) == ([False], [True])
        assert abs(row.position_m[0, 0] - (-5.0 + row.t_capture_ns / 1e9)) < 0.6
    spread = [np.sqrt(row.covariance_m2[0, 0, 0]) for row in run.late]
    assert max(spread) == max(spread[len(spread) // 4 : -len(spread) // 4])


def test_two_behind_one_wall_keep_apart() -> None:
    paths = [_straight(-5.0, 14.0, 1.0), _straight(5.0, 18.0, -1.0)]
    run = _run(paths, 10.0, _behind_wall(3.0, 6.0))
    persons = run.persons()
    assert len(persons[0]) == len(persons[1]) == 1
    assert persons[0] != persons[1]


def test_two_who_meet_behind_a_wall_and_turn_back_are_told_by_their_clothes() -> None:
    """By motion alone each looks like the other going on."""

    def turned(side: float) -> Path:
        return lambda t: (side * (1.0 + abs(t - 5.0)), 15.0)

    paths, wall = [turned(-1.0), turned(1.0)], _behind_wall(4.0, 6.0)
    run = _run(paths, 10.0, wall, clothes=[0, 1])
    for joined in (e for e in run.events if IdentityMap(run.events).person_of(e.track) == e.person):
        assert run.walker[joined.track] == run.walker[joined.person]


def test_who_leaves_and_who_enters_elsewhere_are_two() -> None:
    """One leaves on the right; seconds later another comes in on the left."""
    paths = [_straight(2.0, 15.0, 1.5), _straight(-21.5, 15.0, 1.5)]
    run = _run(paths, 14.0, lambda n, t: False)
    assert set(run.persons()) == {0, 1}
    assert run.events == []


def test_who_comes_back_after_too_long_is_not_waited_for() -> None:
    config = StitchConfig(max_gap_s=3.0)
    run = _run([_straight(-5.0, 15.0, 1.0)], 10.0, _behind_wall(2.0, 6.0), config=config)
    assert run.events == []
    assert len(run.persons()[0]) == 2


def test_a_false_join_is_taken_back_when_the_lost_one_reappears() -> None:
    """Somebody dressed alike steps out near where the lost one could be; then the lost one comes, as expected."""
    lost, stranger = _straight(-6.0, 15.0, 1.0), _straight(-3.6, 17.0, 0.6)
    run = _run(
        [lost, stranger], 12.0, lambda n, t: (3.0 < t < 6.8) if n == 0 else t < 5.5,
        clothes=[0, 0], config=StitchConfig(accept=0.6),
    )  # fmt: skip
    told = [(e.change, run.walker[e.track], run.walker[e.person]) for e in run.events]
    assert told == [
        (IdentityChange.MERGE, 1, 0),
        (IdentityChange.SPLIT, 1, 1),
        (IdentityChange.MERGE, 0, 0),
    ]
    assert run.persons() == {0: {1}, 1: {run.events[0].track}}


def test_a_track_that_the_tracker_takes_up_again_is_nobody_elses() -> None:
    """Joined to another, then seen again itself: the joining cannot hold."""
    run = _run([_straight(-5.0, 15.0, 1.0)], 10.0, _behind_wall(3.0, 6.0))
    (event,) = run.events
    assert event.change is IdentityChange.MERGE
    last = run.frames[-1]
    again = replace(
        last, index=last.index + 1, t_capture_ns=last.t_capture_ns + 300_000_000,
        person_ids=np.full(len(last.person_ids), event.previous),
    )  # fmt: skip
    changed = run.stage.step(again, TrackingStage(TrackConfig(), "cam", SIZE).table)
    assert [(e.change, e.track) for e in changed] == [(IdentityChange.SPLIT, event.track)]


def test_the_order_of_detections_changes_nothing() -> None:
    paths = [_straight(-5.0, 13.0, 1.0), _straight(5.0, 16.0, -0.9), _straight(-4.0, 19.0, 0.8)]
    one, other = (_run(paths, 9.0, _behind_wall(3.0, 6.0), shuffle=s) for s in (None, 7))
    assert [(e.change, e.track, e.previous, e.probability) for e in one.events] == [
        (e.change, e.track, e.previous, e.probability) for e in other.events
    ]
    assert one.events


def test_before_a_ground_stands_nobody_is_joined() -> None:
    run = _run([_straight(-5.0, 15.0, 1.0)], 10.0, _behind_wall(3.0, 6.0), ground=False)
    assert run.events == []
    assert run.late == []


def test_switched_off_it_does_nothing() -> None:
    run = _run([_straight(-5.0, 15.0, 1.0)], 10.0, _behind_wall(3.0, 7.0), config=StitchConfig(enabled=False))
    assert run.events == []
    assert len(run.persons()[0]) == 2


def test_what_is_remembered_does_not_grow_with_the_stream() -> None:
    """Somebody new every four seconds, each lost for good: tracks, headers and pairs stay few."""
    config = StitchConfig(max_gap_s=2.0, watch_s=1.0)
    paths = [_straight(-4.0 + 0.1 * n, 12.0 + n % 5, 0.8) for n in range(5)]
    run = _run(paths, 20.0, lambda n, t: not 4.0 * n <= t < 4.0 * n + 2.0, config=config)
    horizon_s = 2.0 + 1.0 + config.decide_s
    assert len(run.stage._tracklets) <= 2
    assert len(run.stage._headers) <= (horizon_s + 0.3) * RATE + 2
    assert len(run.stage._motion) <= 4


def test_probabilities_and_reasons_are_fit_to_be_told() -> None:
    paths = [_straight(-5.0, 13.0, 1.0), _straight(5.0, 16.0, -0.9)]
    run = _run(paths, 9.0, _behind_wall(3.0, 6.0))
    for event in run.events:
        assert 0.0 <= event.probability <= 1.0
        assert event.lost_ns < event.found_ns <= event.t_capture_ns
        assert set(event.evidence) <= {"motion", "group", "exit", "stature", "appearance"}
        assert "\n" not in event.reason
    counts = run.stage.counts
    assert counts["joins"] - counts["splits"] == len(IdentityMap(run.events))
