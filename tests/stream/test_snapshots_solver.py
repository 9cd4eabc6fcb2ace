"""A solver that goes on from a snapshot, or from the log alone, solves every later window to the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.body.data import BodyData
from crowdstream.kernels.solve.gauss_newton_config import LiveConfig
from crowdstream.kernels.solve.problem import SolveStatus, WindowProblem, WindowSolution
from crowdstream.stream.checkpoint.frozen import freeze
from crowdstream.stream.errors import CheckpointError
from crowdstream.stream.reconstruct import Reconstructor
from crowdstream.stream.reconstruct_config import ReconstructConfig
from crowdstream.stream.refine.config import RefineConfig
from crowdstream.stream.refine.records import Revision
from crowdstream.stream.refine.stage import RefineStage
from crowdstream.stream.warm_state import people_of, state_of
from crowdstream.stream.windows import WindowConfig
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.resume import read_resume_point
from crowdstream.stream.wire.schema import CameraInfo, SiteSchema
from tests.gaits import Walker, windows
from tests.motion_priors import still_prior
from tests.walking import BODY, PRIOR, cut, walkers

QUIET = PublishConfig(listen="", session="s1", clock="capture", fsync="never", append=True)


def solver() -> Reconstructor:
    return Reconstructor(ReconstructConfig(live=LiveConfig(threads=1, outer=2)), BODY, PRIOR)


def only(problem: WindowProblem, rows: list[int]) -> WindowProblem:
    names = ("keypoints_px", "confidence", "box_px", "hvip_px", "hvip_sigma_px")
    return replace(
        problem, person_ids=problem.person_ids[rows], present=problem.present[rows], track_m=problem.track_m[rows],
        **{name: np.ascontiguousarray(getattr(problem, name)[:, rows]) for name in names},
    )  # fmt: skip


def problems() -> list[WindowProblem]:
    """Three people; one is away for a window and comes back, one comes late, one cannot be solved for a window."""
    whole, _ = walkers([0.3, 1.9, 3.6], slots=120)
    cuts = [cut(whole, 16 * k, 32) for k in range(6)]
    rows = [[0, 1], [0, 1, 2], [0, 2], [0, 1, 2], [0, 1, 2], [2]]
    out = [only(problem, which) for problem, which in zip(cuts, rows, strict=True)]
    nowhere = replace(out[3], present=out[3].present & (np.arange(3) != 1)[:, None])
    return [*out[:3], nowhere, *out[4:]]


@pytest.fixture(scope="module")
def undisturbed() -> list[WindowSolution]:
    stage = solver()
    solutions = [stage.solve(problem) for problem in problems()]
    stage.close()
    return solutions


def equal(one: WindowSolution, other: WindowSolution) -> bool:
    names = ("pose_rotvec", "betas", "transl_m", "joints_m", "ground_m", "confidence", "provenance", "status")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)


def test_the_run_has_what_can_be_lost(undisturbed: list[WindowSolution]) -> None:
    assert any((s.status == SolveStatus.FAILED).any() for s in undisturbed)
    cold = solver()
    assert not equal(cold.solve(problems()[3]), undisturbed[3])  # memory matters
    cold.close()


def test_a_successor_of_every_window_solves_to_the_same_bytes(undisturbed: list[WindowSolution]) -> None:
    snapshot = solver().snapshot()
    for problem, want in zip(problems(), undisturbed, strict=True):
        stage = solver()
        stage.restore(snapshot)
        assert equal(stage.solve(problem), want), problem
        snapshot = stage.snapshot()
        stage.close()


def test_a_snapshot_of_something_else_is_refused() -> None:
    stage = solver()
    with pytest.raises(CheckpointError, match="none of a solver"):
        stage.restore(freeze([1]))


def publisher(log: Path) -> PublisherStage:
    schema = SiteSchema(
        "hall", (CameraInfo("hall", (1920, 1080), 30.0, problems()[0].cameras[0]),), problems()[0].ground
    )
    stage = PublisherStage(QUIET, "hall", schema, log)
    stage.start()
    return stage


def test_the_log_alone_gives_the_solver_back_to_the_bit(
    tmp_path: Path, undisturbed: list[WindowSolution]
) -> None:
    log, asked = tmp_path / "a.cslog", problems()
    for place in range(1, len(asked)):
        first, publishing = solver(), publisher(log)
        if place > 1:
            first.import_state(read_resume_point(log).sites["hall"].solver)
        solution = first.solve(asked[place - 1])
        publishing.push_window(solution, state_of(first.export_state()))
        publishing.stop()
        second = solver()
        second.import_state(read_resume_point(log).sites["hall"].solver)
        assert second.export_state().keys() == first.export_state().keys()
        for person, state in first.export_state().items():
            known = second.export_state()[person]
            assert (known.slot0, known.window, known.betas_weight) == (
                state.slot0,
                state.window,
                state.betas_weight,
            )
            for name in ("known", "pose_rotvec", "transl_m", "betas"):
                assert getattr(known, name).tobytes() == getattr(state, name).tobytes()
        assert equal(second.solve(asked[place]), undisturbed[place]), place
        first.close()
        second.close()


def test_states_of_older_logs_still_warm_the_solver(undisturbed: list[WindowSolution]) -> None:
    stage = solver()
    solution = stage.solve(problems()[0])
    state = {name: value for name, value in state_of(stage.export_state()).items() if name != "windows"}
    assert people_of([(solution, state)]).keys() == stage.export_state().keys()
    assert people_of([]) == {} and people_of([(solution, {})]) == {}
    stage.close()


# --- the refiner ------------------------------------------------------------------------------------------


def refiner(body: BodyData = BODY) -> RefineStage:
    return RefineStage(RefineConfig(), ReconstructConfig(), body, WindowConfig(), still_prior(body))


def crowd() -> Iterator[object]:
    def hidden(first: int, last: int) -> object:
        return lambda slots: (slots > first) & (slots < last)

    who = [
        Walker(1, (0.0, 0.0), (1.2, 0.0), 0, 10_000, hidden=hidden(90, 170)),  # type: ignore[arg-type]
        Walker(2, (0.0, 3.0), (1.2, 0.0), 0, 10_000, legs_hidden=hidden(130, 260)),  # type: ignore[arg-type]
        Walker(3, (0.0, 6.0), (1.2, 0.1), 0, 10_000),
    ]
    return windows(who, 384, BODY)


def same_revision(one: Revision, other: Revision) -> bool:
    names = ("cause", "guide_person", "guide_slot0", "changed_m", "groups")
    rest = all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in names)
    return rest and one.solution.rev == other.solution.rev and equal(one.solution, other.solution)


def test_successors_of_the_refiner_revise_as_one_does() -> None:
    stage = refiner()
    given = list(crowd())
    want = [stage.step(each) for each in given] + [stage.finish()]  # type: ignore[arg-type]
    assert sum(map(len, want)) >= 2
    stage, found = refiner(), []
    for place, each in enumerate(given):
        if place % 5 == 4:
            snapshot, stage = stage.snapshot(), refiner()
            stage.restore(snapshot)
            assert stage.snapshot() == snapshot
        found.append(stage.step(each))  # type: ignore[arg-type]
    found.append(stage.finish())
    for one, other in zip(want, found, strict=True):
        assert len(one) == len(other) and all(map(same_revision, one, other))
