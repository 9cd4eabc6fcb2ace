"""Windows: every frame in its place, whatever the order, the rate and the gaps."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.errors import ShapeError
from crowdstream.kernels.ground import Ground
from crowdstream.kernels.solve.problem import WindowProblem
from crowdstream.stream.records import ClockOrigin, TrackedFrame
from crowdstream.stream.windows import WindowAssembler, WindowConfig

SLOT_NS = 1e9 / 30
CAMERA = CameraModel(
    K=np.array([[800.0, 0, 320], [0, 800.0, 240], [0, 0, 1]]),
    R_cam_world=np.array([[1.0, 0, 0], [0, -0.5, -np.sqrt(0.75)], [0, np.sqrt(0.75), -0.5]]),
    t_cam_world_m=np.array([0.0, 2.0, 12.0]),
    size_px=(640, 480),
)
FAST = WindowConfig(frames=16, hop=4, lateness=3, min_person_slots=1, jump_back_s=1.0)


def place_of(person: int, t_s: float) -> np.ndarray:
    return np.array([person - 1.0 + 0.5 * t_s % 2.0, 0.3 * person, 0.0])


def tracked(
    index: int,
    t_ns: int,
    people: tuple[int, ...] = (1, 2),
    *,
    camera: str = "a",
    confirmed: bool = True,
    seen: bool = True,
) -> TrackedFrame:
    """People that stand upright; keypoint k of a person is told apart by its confidence."""
    m = len(people)
    feet = np.array([place_of(p, t_ns / 1e9) for p in people]).reshape(m, 3)
    low, high = CAMERA.project(feet), CAMERA.project(feet + np.array([0.0, 0.0, 1.7]))
    share = np.linspace(0.97, 0.08, 17)[None, :, None]
    keypoints = low[:, None] * (1 - share) + high[:, None] * share
    margin = np.array([10, 0])
    boxes = np.concatenate([np.minimum(low, high) - margin, np.maximum(low, high) + margin], axis=1)
    return TrackedFrame(
        camera=camera,
        index=index,
        t_capture_ns=t_ns,
        clock=ClockOrigin.FILE_PTS,
        size_px=(640, 480),
        person_ids=np.array(people, np.int64),
        confirmed=np.full(m, confirmed),
        seen=np.full(m, seen),
        boxes_px=boxes.astype(np.float32).reshape(m, 4),
        scores=np.full(m, 0.9 if seen else 0.0, np.float32),
        keypoints_px=keypoints.astype(np.float32).reshape(m, 17, 2),
        confidence=np.full((m, 17), 0.9 if seen else 0.0, np.float32),
        position_m=feet,
        covariance_m2=np.tile(np.eye(2), (m, 1, 1)),
        velocity_mps=np.zeros((m, 2)),
    )


def assembler(config: WindowConfig = FAST, cameras: tuple[str, ...] = ("a",)) -> WindowAssembler:
    made = WindowAssembler(config, cameras)
    for camera in cameras:
        made.set_geometry(camera, CAMERA, Ground())
    return made


def run(
    frames: list[TrackedFrame], config: WindowConfig = FAST, cameras: tuple[str, ...] = ("a",)
) -> tuple[list[WindowProblem], WindowAssembler]:
    made, problems = assembler(config, cameras), []
    for frame in frames:
        made.push(frame)
        problems += made.pop_ready()
    return problems + made.flush(), made


def at_rate(fps: float, count: int, t0_ns: int = 0) -> list[TrackedFrame]:
    return [tracked(i, t0_ns + round(i * 1e9 / fps)) for i in range(count)]


def lively(fps: float, count: int) -> list[TrackedFrame]:
    """People who come, are confirmed, hide and go."""
    frames = []
    for i, frame in enumerate(at_rate(fps, count)):
        rows = np.array([True, 8 <= i < 40])
        seen = np.array([i % 11 < 8, i < 30])
        frames.append(
            replace(
                frame,
                confirmed=np.array([i >= 3, i >= 12])[rows],
                seen=seen[rows],
                confidence=np.where(seen[:, None], frame.confidence, 0)[rows],
                **{
                    name: getattr(frame, name)[rows]
                    for name in ("person_ids", "boxes_px", "scores", "keypoints_px", "position_m")
                },
                covariance_m2=frame.covariance_m2[rows],
                velocity_mps=frame.velocity_mps[rows],
            )
        )
    return frames


def overtaken(items: list[TrackedFrame], slots: float, seed: int) -> list[TrackedFrame]:
    """A random order in which no frame is overtaken by one more than `slots` later."""
    rng = random.Random(seed)
    return sorted(items, key=lambda f: f.t_capture_ns + rng.uniform(0, slots * SLOT_NS))


def as_bytes(problem: WindowProblem) -> bytes:
    names = ("person_ids", "present", "keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
    head = np.array([problem.window, problem.slot0, problem.t0_ns])
    return b"".join(a.tobytes() for a in (head, problem.track_m, *(getattr(problem, n) for n in names)))


def seen_slots(problems: list[WindowProblem]) -> set[int]:
    return {
        p.slot0 + t for p in problems for t in np.flatnonzero((p.confidence > 0).any(axis=(0, 1, 3))).tolist()
    }


@given(st.floats(5.0, 30.0), st.integers(1, 90), st.integers(0, 2**40))
@settings(max_examples=13, deadline=None)
def test_every_frame_is_in_the_slot_nearest_to_its_time(fps: float, count: int, t0_ns: int) -> None:
    frames = at_rate(fps, count, t0_ns)
    problems, made = run(frames)
    wanted = {int(np.floor((f.t_capture_ns - t0_ns) / SLOT_NS + 0.5)) for f in frames}
    assert seen_slots(problems) == wanted
    assert made.stats.placed + made.stats.surplus == count and made.stats.late == 0
    for p in problems:
        assert p.slot0 == p.window * FAST.hop
        assert p.num_frames == FAST.frames
        assert p.t0_ns == pytest.approx(t0_ns + p.slot0 * SLOT_NS, abs=1)


@given(st.integers(0, 2**31), st.integers(20, 80), st.sampled_from([10.0, 25.0, 30.0]))
@settings(max_examples=8, deadline=None)
def test_any_allowed_order_gives_the_same_problems(seed: int, count: int, fps: float) -> None:
    frames = lively(fps, count)
    straight, _ = run(frames)
    shuffled, made = run(overtaken(frames, FAST.lateness, seed))
    assert [as_bytes(p) for p in straight] == [as_bytes(p) for p in shuffled]
    assert made.stats.late == 0


@given(st.integers(0, 2**31), st.floats(0.0, 0.9))
@settings(max_examples=8, deadline=None)
def test_missing_frames_are_masked_slots(seed: int, loss: float) -> None:
    rng = random.Random(seed)
    frames = at_rate(30.0, 60)
    kept = [f for f in frames if f.index == 0 or rng.random() >= loss]
    problems, _ = run(kept)
    assert seen_slots(problems) == {f.index for f in kept}
    for p in problems:
        slots = p.slot0 + np.arange(FAST.frames)
        last = max(f.index for f in kept if f.index < p.slot0 + FAST.frames)
        assert not p.present[:, slots > last].any()  # nobody is made up behind the last frame
        assert np.isfinite(p.track_m).all()
        first_seen = p.observed.argmax(axis=1)
        inside = (np.arange(FAST.frames) >= first_seen[:, None]) & (slots <= last)
        assert (p.present == inside).all()  # ... and everybody goes on through the gaps


@given(st.integers(0, 2**31), st.integers(1, 30))
@settings(max_examples=8, deadline=None)
def test_duplicates_change_nothing_and_are_counted(seed: int, copies: int) -> None:
    rng = random.Random(seed)
    frames = at_rate(30.0, 60)
    twice = sorted([*frames, *rng.choices(frames, k=copies)], key=lambda f: f.index)
    problems, made = run(twice)
    assert [as_bytes(p) for p in problems] == [as_bytes(p) for p in run(frames)[0]]
    assert made.stats.surplus == copies and made.stats.placed == 60


@given(st.integers(0, 2**31))
@settings(max_examples=5, deadline=None)
def test_late_frames_are_counted_and_never_change_a_closed_window(seed: int) -> None:
    rng = random.Random(seed)
    frames = at_rate(30.0, 90)
    late = rng.sample(frames[10:50], 5)
    rest = [f for f in frames if f not in late]
    expected, _ = run(rest)
    made, problems = assembler(), []
    for frame in rest:
        made.push(frame)
        problems += made.pop_ready()
    for frame in late:  # more than a second behind: alone, each is nobody's clock
        made.push(frame)
        made.push(frames[-1])
    problems += made.flush()
    assert [as_bytes(p) for p in problems] == [as_bytes(p) for p in expected]
    assert made.stats.late + made.stats.clock_jump == 5
    assert made.stats.epochs == 1


@given(st.floats(31.0, 240.0), st.integers(30, 200))
@settings(max_examples=8, deadline=None)
def test_above_30_hz_the_frame_nearest_to_the_centre_wins(fps: float, count: int) -> None:
    frames = at_rate(fps, count)
    problems, made = run(frames)
    best: dict[int, TrackedFrame] = {}
    for f in frames:
        slot = int(np.floor(f.t_capture_ns / SLOT_NS + 0.5))
        off = abs(f.t_capture_ns - round(slot * SLOT_NS))
        if slot not in best or off < abs(best[slot].t_capture_ns - round(slot * SLOT_NS)):
            best[slot] = f
    assert made.stats.placed == len(best) and made.stats.surplus == count - len(best)
    for p in problems:
        for t in np.flatnonzero(p.observed[0]):
            np.testing.assert_array_equal(p.box_px[0, 0, t], best[p.slot0 + int(t)].boxes_px[0])


@given(st.sampled_from([-3600.0, -2.0, 6.0, 86400.0]), st.integers(1, 60))
@settings(max_examples=8, deadline=None)
def test_a_clock_jump_begins_a_new_timeline(jump_s: float, before: int) -> None:
    first = at_rate(30.0, before, t0_ns=10**15)
    start_ns = first[-1].t_capture_ns + round(jump_s * 1e9)
    second = [
        tracked(before + i, start_ns + round((i + 1) * SLOT_NS), people=(3,)) for i in range(FAST.frames)
    ]
    problems, made = run(first + second)
    assert made.stats.epochs == 2 and made.stats.placed == before + len(second)
    ids = [set(p.person_ids.tolist()) for p in problems]
    assert all(i <= {1, 2} or i == {3} for i in ids)  # no window spans the jump
    old = [p for p, i in zip(problems, ids, strict=True) if 3 not in i]
    new = [p for p, i in zip(problems, ids, strict=True) if 3 in i]
    assert max(p.slot0 + FAST.frames for p in old) <= min(p.slot0 for p in new)
    assert new[0].t0_ns == second[0].t_capture_ns
    assert [p.window for p in problems] == sorted({p.window for p in problems})


def test_one_wrong_time_stamp_is_no_jump() -> None:
    frames = at_rate(30.0, 60)
    wild = [tracked(99, 10**15), tracked(98, -(10**12))]
    problems, made = run([*frames[:30], wild[0], *frames[30:40], wild[1], *frames[40:]])
    assert [as_bytes(p) for p in problems] == [as_bytes(p) for p in run(frames)[0]]
    assert made.stats.clock_jump == 2 and made.stats.epochs == 1


@given(st.integers(1, 200))
@settings(max_examples=10, deadline=None)
def test_windows_follow_one_another_and_reach_the_end(count: int) -> None:
    problems, _ = run(at_rate(30.0, count))
    assert [p.window for p in problems] == list(range(len(problems)))
    ends = [p.slot0 + FAST.frames for p in problems]
    assert ends[-1] >= count  # the last frame is covered
    assert len(ends) == 1 or ends[-2] < count  # and no window is needless
    owners = defaultdict(set)
    for p in problems:
        for t in np.flatnonzero(p.observed.any(axis=0)):
            owners[p.slot0 + int(t)].add(p.window)
    for slot, windows in owners.items():
        assert windows == {w for w in range(len(problems)) if 0 <= slot - w * FAST.hop < FAST.frames}


def test_only_confirmed_people_and_then_from_their_first_sighting() -> None:
    frames = [
        tracked(i, round(i * SLOT_NS), people=(1, 2) if i >= 2 else (1,), confirmed=i >= 20)
        for i in range(40)
    ]
    problems, _ = run(frames)
    assert problems[0].window == 2  # the first window that ends behind slot 20
    first = problems[0]
    assert first.observed[0, : 20 - first.slot0].all()  # rows from before the confirmation are in


def test_coasting_counts_only_while_the_track_is_held() -> None:
    held = [tracked(i, round(i * SLOT_NS), people=(1, 2), seen=i < 8) for i in range(15)]
    problems, _ = run([*held, tracked(15, round(15 * SLOT_NS), people=(1, 2), seen=False)])
    assert problems[0].present.tolist() == [[True] * 16] * 2  # still held in the last frame

    gone = [tracked(i, round(i * SLOT_NS), people=(1, 2), seen=i < 10) for i in range(13)]
    gone += [tracked(i, round(i * SLOT_NS), people=(1,)) for i in range(13, 16)]
    problems, _ = run(gone)
    row = problems[0].person_ids.tolist().index(2)
    assert (
        problems[0].present[row].tolist() == [True] * 10 + [False] * 6
    )  # given up: ends at the last sighting


def test_cameras_share_one_timeline() -> None:
    a = at_rate(30.0, 40)
    b = [tracked(i, round(i * 1e9 / 25 + 7e6), people=(2, 5), camera="b") for i in range(33)]
    mixed = sorted([*a, *b], key=lambda f: f.t_capture_ns)
    problems, _ = run(mixed, cameras=("a", "b"))
    p = problems[0]
    assert p.person_ids.tolist() == [1, 2, 5] and p.keypoints_px.shape[:2] == (2, 3)
    seen = (p.confidence > 0).any(axis=3)
    assert seen[0].any(axis=1).tolist() == [True, True, False]
    assert seen[1].any(axis=1).tolist() == [False, True, True]
    apart = sorted([*a, *b], key=lambda f: (f.t_capture_ns // 60_000_000, f.camera))
    assert [as_bytes(q) for q in run(apart, cameras=("a", "b"))[0]] == [as_bytes(q) for q in problems]


def test_a_silent_camera_is_not_waited_for_longer_than_agreed() -> None:
    config = FAST.model_copy(update={"camera_lag_s": 0.1})
    made = assembler(config, ("a", "b"))
    for frame in at_rate(30.0, FAST.frames + config.lateness + 3):
        made.push(frame)
    assert made.pop_ready() == []
    made.push(tracked(21, round((FAST.frames + config.lateness + 3) * SLOT_NS)))
    assert len(made.pop_ready()) == 1


def test_windows_wait_for_the_geometry_and_are_bounded() -> None:
    frames = at_rate(30.0, 80)
    expected, _ = run(frames)
    held = WindowAssembler(FAST, ["a"])
    for frame in frames:
        held.push(frame)
        assert held.pop_ready() == []
    assert held.flush() == []
    held.set_geometry("a", CAMERA, Ground())
    assert [as_bytes(p) for p in held.pop_ready()] == [as_bytes(p) for p in expected]

    bounded = WindowAssembler(FAST.model_copy(update={"max_hold": 3}), ["a"])
    for frame in frames:
        bounded.push(frame)
    bounded.flush()
    bounded.set_geometry("a", CAMERA, Ground())
    assert [as_bytes(p) for p in bounded.pop_ready()] == [as_bytes(p) for p in expected[-3:]]
    assert bounded.stats.overflow == len(expected) - 3


def test_memory_is_flat_over_ten_thousand_frames() -> None:
    made = WindowAssembler(FAST.model_copy(update={"max_hold": 4}), ["a"])  # no calibration ever comes
    sizes, frame = [], tracked(0, 0)
    for i in range(10_000):
        ids = np.array([i // 40, i // 40 + 1])  # people come and go
        made.push(replace(frame, index=i, t_capture_ns=round(i * SLOT_NS), person_ids=ids))
        held = sum(len(s) for s in made._slots) + len(made._confirmed) + len(made._last_row)
        sizes.append(held + len(made._closed) + len(made._opening) + len(made._strays))
    assert max(sizes[5000:]) <= max(sizes[:500])
    assert made.stats.windows + made.stats.empty == (10_000 - FAST.frames - FAST.lateness - 1) // FAST.hop + 1


def test_nobody_and_nothing() -> None:
    problems, made = run([tracked(i, round(i * SLOT_NS), people=()) for i in range(30)])
    assert problems == [] and made.stats.empty > 0
    assert run([])[0] == []
    with pytest.raises(ShapeError, match="unknown camera 'b'"):
        assembler().push(tracked(0, 0, camera="b"))
    with pytest.raises(ShapeError, match="hop 17"):
        WindowAssembler(FAST.model_copy(update={"hop": 17}), ["a"])


def test_after_a_flush_the_input_may_go_on() -> None:
    made = assembler()
    problems = []
    for start in (0, 10**12):
        for frame in at_rate(30.0, 20, start):
            made.push(frame)
        problems += made.flush()
    assert [p.window for p in problems] == sorted({p.window for p in problems})
    assert made.stats.epochs == 2


@given(st.integers(0, 2**31))
@settings(max_examples=6, deadline=None)
def test_track_stays_on_the_people(seed: int) -> None:
    rng = np.random.default_rng(seed)
    people = rng.choice(50, size=3, replace=False)
    frames = [tracked(i, round(i * SLOT_NS), people=tuple(int(p % 5) for p in people[:1])) for i in range(40)]
    problems, _ = run(frames)
    person = int(people[0] % 5)
    for p in problems:
        slots = p.slot0 + np.flatnonzero(p.present[0])
        truth = np.array([place_of(person, s / 30) for s in slots])
        # the torso stands over the middle of the feet; a box's lead and the pose model leave decimetres
        assert np.linalg.norm(p.track_m[0, p.present[0], :2] - truth[:, :2], axis=1).max() < 0.5
