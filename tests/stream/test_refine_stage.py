"""The refine stage: gaps get bodies, the badly seen are helped, joins undone are taken back, nothing is said twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.body.data import BodyData
from crowdstream.kernels.solve.problem import Provenance, WindowSolution
from crowdstream.stream.body_files import load_body
from crowdstream.stream.errors import RefineError
from crowdstream.stream.identity import IdentityChange, IdentityEvent
from crowdstream.stream.reconstruct_config import ReconstructConfig
from crowdstream.stream.refine.config import RefineConfig
from crowdstream.stream.refine.records import RefineInput, Revision, RevisionCause
from crowdstream.stream.refine.stage import RefineStage
from crowdstream.stream.windows import WindowConfig
from tests.gaits import Walker, windows
from tests.motion_priors import still_prior

BODY = load_body()
FULL = RefineConfig()
QUIET = RefineConfig(amc=False)


def stage(config: RefineConfig = FULL, body: BodyData = BODY) -> RefineStage:
    return RefineStage(config, ReconstructConfig(), body, WindowConfig(), still_prior(body))


def between(first: int, last: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda slots: (slots > first) & (slots < last)


def walker(track: int = 1, y: float = 0.0, **more: object) -> Walker:
    return Walker(track, (0.0, y), (1.2, 0.0), 0, 10_000, **more)  # type: ignore[arg-type]


def run(
    stage: RefineStage,
    inputs: Sequence[RefineInput],
    events: dict[int, tuple[IdentityEvent, ...]] | None = None,
) -> list[Revision]:
    """Everything given out; events ride with the window of that place in the sequence."""
    out: list[Revision] = []
    for place, given in enumerate(inputs):
        out += stage.step(replace(given, identity=(events or {}).get(place, ())))
    return out + stage.finish()


def newest(revisions: Sequence[Revision]) -> dict[tuple[int, int], tuple[WindowSolution, int]]:
    """(window, person) -> solution and row of the highest revision."""
    best: dict[tuple[int, int], tuple[WindowSolution, int]] = {}
    for revision in revisions:
        for row, person in enumerate(revision.solution.person_ids.tolist()):
            key = (revision.solution.window, person)
            if key not in best or best[key][0].rev < revision.solution.rev:
                best[key] = (revision.solution, row)
    return best


def slots_of(revisions: Sequence[Revision], person: int, name: str) -> dict[int, np.ndarray]:
    """What stands of a person, by slot; only what revisions say."""
    out: dict[int, np.ndarray] = {}
    for (_, who), (solution, row) in newest(revisions).items():
        if who == person:
            for slot in range(solution.provenance.shape[1]):
                out[solution.slot0 + slot] = getattr(solution, name)[row, slot]
    return out


def merge(track: int, previous: int, change: IdentityChange = IdentityChange.MERGE) -> IdentityEvent:
    return IdentityEvent(change, track, previous, previous, 0, 0, 0, 0.9)


def test_who_is_always_seen_is_left_alone() -> None:
    inputs = list(windows([walker(1), walker(2, 3.0, phase=0.4)], 256, BODY))
    assert run(stage(), inputs) == []


def test_a_gap_is_filled_where_the_walker_was() -> None:
    inputs = list(windows([walker(hidden=between(90, 170))], 320, BODY))
    revisions = run(stage(), inputs)
    provenance, ground = slots_of(revisions, 1, "provenance"), slots_of(revisions, 1, "ground_m")
    assert all(provenance[s] in (Provenance.INFILLED, Provenance.GUIDED) for s in range(91, 170))
    assert all(provenance[s] == Provenance.OBSERVED for s in (*range(64, 91), *range(170, 190)))
    truth = walker().truth(np.arange(320), BODY)[2][:, [1, 2, 16, 17], :2].mean(1)
    assert max(np.linalg.norm(ground[s][:2] - truth[s]) for s in range(91, 170)) < 0.1
    assert {int(c) for r in revisions for c in r.cause} == {RevisionCause.GAP_FILLED}
    confidence = slots_of(revisions, 1, "confidence")
    assert confidence[130] < confidence[95] < confidence[80]


def test_what_was_seen_keeps_its_place() -> None:
    inputs = list(windows([walker(hidden=between(90, 170))], 320, BODY))
    revisions = run(stage(QUIET), inputs)
    joints = slots_of(revisions, 1, "joints_m")
    truth = walker().truth(np.arange(320), BODY)[2]
    assert max(np.abs(joints[s] - truth[s]).max() for s in (*range(64, 91), *range(170, 192))) < 1e-3


def test_the_own_steps_before_help_through_the_gap() -> None:
    hidden = walker(hidden=between(200, 290))
    inputs = list(windows([hidden], 448, BODY))
    truth = hidden.truth(np.arange(448), BODY)[2]

    def error(config: RefineConfig) -> float:
        joints = slots_of(run(stage(config), inputs), 1, "joints_m")
        legs = [
            joints[s][[4, 5, 7, 8]] - joints[s][0] - (truth[s][[4, 5, 7, 8]] - truth[s][0])
            for s in range(205, 285)
        ]
        return float(np.linalg.norm(np.array(legs), axis=-1).mean())

    alone, helped = error(RefineConfig(amc=False)), error(RefineConfig())
    assert helped < 0.7 * alone


def test_somebody_who_walks_alike_helps_who_was_never_seen_whole() -> None:
    legs = (1, 2, 4, 5)

    def stiff(pose: np.ndarray, slots: np.ndarray) -> np.ndarray:
        out = pose.copy()
        out[:, legs] = 0.0
        return out

    everywhere = lambda slots: np.ones(len(slots), bool)  # noqa: E731
    poor = walker(2, 3.0, phase=0.3, legs_hidden=everywhere, answer=stiff)
    inputs = list(windows([walker(1), poor], 320, BODY))
    truth = poor.truth(np.arange(320), BODY)[2]

    def error(config: RefineConfig) -> float:
        joints = slots_of(run(stage(config), inputs), 2, "joints_m")
        if not joints:
            return np.inf
        return float(
            np.mean(
                [
                    np.abs(joints[s] - joints[s][0] - truth[s] + truth[s][0])[[7, 8]].mean()
                    for s in joints
                    if 64 < s < 250
                ]
            )
        )

    revisions = run(stage(), inputs)
    guided = [
        (int(g), int(p))
        for r in revisions
        for g, p in zip(r.guide_person, r.solution.person_ids, strict=True)
    ]
    assert guided and set(guided) == {(1, 2)}
    stiff_error = np.abs(
        stiff_truth := poor.joints(stiff(*_pose(poor)), poor.truth(np.arange(320), BODY)[1], BODY) - truth
    )[64:250, [7, 8]].mean()
    assert stiff_truth is not None and error(RefineConfig()) < 0.7 * stiff_error
    assert (
        run(stage(RefineConfig(group=False)), inputs) == []
    )  # nobody else may help, and they have nothing themselves


def _pose(walker: Walker) -> tuple[np.ndarray, np.ndarray]:
    return walker.truth(np.arange(320), BODY)[0], np.arange(320)


def test_a_joint_seen_in_every_other_slot_does_not_flicker() -> None:
    off = lambda slots: slots % 2 == 0  # noqa: E731
    bent = lambda pose, slots: pose * np.where(np.arange(24) == 4, 0.8, 1.0)[:, None]  # noqa: E731
    poor = walker(2, 3.0, legs_hidden=off, answer=bent)
    inputs = list(windows([walker(1), poor, walker(3, 6.0)], 320, BODY))
    joints = slots_of(run(stage(), inputs), 2, "joints_m")
    slots = sorted(joints)
    path = np.array([joints[s] - joints[s][0] for s in slots])
    truth = poor.truth(np.array(slots), BODY)[2]
    truth = truth - truth[:, :1]

    def jerk(motion: np.ndarray) -> float:
        return float(np.linalg.norm(np.diff(motion[:, [4, 5, 7, 8]], n=3, axis=0), axis=-1).mean())

    assert len(slots) > 100 and np.diff(slots).max() == 1
    assert jerk(path) < 1.5 * jerk(truth)


def test_two_tracks_of_one_person_are_filled_between_and_taken_apart_again() -> None:
    before = Walker(3, (0.0, 0.0), (1.2, 0.0), 0, 120)
    after = Walker(8, (0.0, 0.0), (1.2, 0.0), 180, 10_000)
    inputs = list(windows([before, after], 448, BODY))
    alone = run(stage(QUIET), inputs)
    assert alone == []
    joined = run(stage(QUIET), inputs, {14: (merge(8, 3),)})
    provenance = slots_of(joined, 3, "provenance")
    assert all(provenance[s] == Provenance.INFILLED for s in range(121, 180))
    assert not slots_of(joined, 8, "provenance")
    parted = run(stage(QUIET), inputs, {14: (merge(8, 3),), 20: (merge(8, 8, IdentityChange.SPLIT),)})
    provenance = slots_of(parted, 3, "provenance")
    assert all(provenance[s] == Provenance.ABSENT for s in range(121, 192))
    assert all(provenance[s] == Provenance.OBSERVED for s in range(64, 119))
    assert RevisionCause.RETRACTED in {int(c) for r in parted for c in r.cause}


def test_an_impossible_jump_is_left_open() -> None:
    before = Walker(3, (0.0, 0.0), (1.2, 0.0), 0, 120)
    after = Walker(8, (9.0, 4.0), (-1.2, 0.0), 180, 10_000)
    inputs = list(windows([before, after], 448, BODY))
    assert run(stage(QUIET), inputs, {14: (merge(8, 3),)}) == []


def test_revisions_of_a_window_only_rise_and_repeat_bit_for_bit() -> None:
    people = [walker(1, hidden=between(90, 170)), walker(2, 3.0, hidden=between(140, 260)), walker(4, 6.0)]
    inputs = list(windows(people, 448, BODY))
    one, other = run(stage(), inputs), run(stage(), inputs)
    seen: dict[int, int] = {}
    for a, b in zip(one, other, strict=True):
        assert a.solution.rev > seen.get(a.solution.window, 0)
        seen[a.solution.window] = a.solution.rev
        for name in ("person_ids", "pose_rotvec", "joints_m", "provenance", "confidence"):
            assert np.array_equal(getattr(a.solution, name), getattr(b.solution, name))


def test_a_successor_goes_on_above_what_was_given_out() -> None:
    inputs = list(windows([walker(hidden=between(90, 170))], 320, BODY))
    second = stage()
    second.resume((), 41)
    assert min(r.solution.rev for r in run(second, inputs)) == 42


def test_memory_follows_the_horizon_not_the_length() -> None:
    people = [walker(k, 2.0 * k, hidden=between(90, 170)) for k in range(1, 4)]
    config = RefineConfig(max_gap_s=3.0)
    short, long = stage(config), stage(config)
    run(short, list(windows(people, 700, BODY)))
    run(long, list(windows(people, 1300, BODY)))
    assert long.report().counts["held_segments"] <= short.report().counts["held_segments"] + 3
    assert long.report().counts["guides"] > short.report().counts["guides"]  # those are bounded by the bank


def test_what_is_over_the_budget_is_counted() -> None:
    legs = lambda slots: (slots // 20) % 2 == 0  # noqa: E731
    people = [walker(k, 2.0 * k, legs_hidden=legs, phase=0.1 * k) for k in range(1, 6)]
    inputs = list(windows(people, 320, BODY))
    free, tight = stage(), stage(RefineConfig(max_poor=2))
    rows, fewer = (sum(len(r.solution.person_ids) for r in run(s, inputs)) for s in (free, tight))
    assert fewer < rows and tight.report().counts["skipped"] == rows - fewer
    assert free.report().counts["skipped"] == 0


def test_windows_that_segments_cannot_be_cut_from() -> None:
    with pytest.raises(RefineError, match=r"window\.hop = 24 does not divide"):
        RefineStage(RefineConfig(), ReconstructConfig(), BODY, WindowConfig(hop=24))
