"""The last stretch: what becomes of a step's results, in what order, and what is left out when time is short."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crowdstream.actors.lane import Lane
from crowdstream.actors.place_here import Here
from crowdstream.actors.plan import EnginePlan, SourceInfo
from crowdstream.actors.publisher import Published
from crowdstream.actors.runtime import RunHooks
from crowdstream.actors.supervisor import Supervisor
from crowdstream.actors.workers import Workers
from crowdstream.configs.array import CameraEntry, CameraRole
from crowdstream.configs.load import load_config
from crowdstream.stream.site import SiteOutput


class Recorder:
    """Every worker at once: writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.stumbles_at: tuple[int, ...] = ()
        self.fails_at: tuple[int, ...] = ()

    def __call__(self, plan: EnginePlan) -> Recorder:
        return self

    def start(self, *args: Any) -> dict[str, object]:
        return {}

    def open(self, *args: Any) -> None: ...

    def resume(self, *args: Any) -> None: ...

    def solve(self, problem: Any) -> str:
        if problem.window in self.fails_at:
            raise ValueError("no")
        self.asked.append(("solve", problem.window))
        return f"solved {problem.window}"

    def step(self, site: str, problem: Any, solved: str, identity: tuple[Any, ...]) -> list[Any]:
        if problem.window in self.stumbles_at:
            raise ValueError("no")
        self.asked.append(("step", problem.window, solved, identity))
        return [SimpleNamespace(solution=SimpleNamespace(rev=1)) for _ in range(2)]

    def finish(self, site: str, identity: tuple[Any, ...]) -> list[Any]:
        self.asked.append(("finish", identity))
        return []

    def __getattr__(self, verb: str) -> Any:
        if not verb.startswith("push_"):
            raise AttributeError(verb)

        def push(*args: Any) -> Published:
            self.asked.append((verb, *args[-1:]))
            return Published()

        return push

    @property
    def verbs(self) -> list[str]:
        return [call[0] for call in self.asked]


class Engine:
    """A supervisor with one camera that is open."""

    def __init__(self, recorder: Recorder, preset: str = "replay", refines: bool = True) -> None:
        config = load_config(preset, [f"refine.enabled={str(refines).lower()}"])
        plan = EnginePlan("clip.mp4", config, Path("models"))
        workers = Workers(perception=recorder, tracking=recorder, solver=recorder, refiner=recorder,
                          publisher=recorder)  # fmt: skip
        self.supervisor = Supervisor(plan, RunHooks(), workers, Here())
        self.supervisor.opening.place_all()
        self.lane: Lane = self.supervisor.lanes[0]
        self.supervisor.outbox.post = self.supervisor.place.open("publisher", recorder, plan, 1)
        self.supervisor.opening.open_site(self.lane, SourceInfo("clip", (64, 48), 25.0, 0, None))
        recorder.asked.clear()

    def publish(self, output: SiteOutput) -> None:
        self.supervisor.results.deliver(self.lane, output)
        self.supervisor.results.publish_revised(self.lane, 100)
        self.supervisor.outbox.settle(0)

    def finish(self) -> None:
        assert self.lane.refining is not None
        self.lane.refining.finish(self.lane.identity)


def output(*windows: int, identity: tuple[Any, ...] = ()) -> SiteOutput:
    frame: Any = SimpleNamespace(t_capture_ns=7)
    problems: Any = tuple(SimpleNamespace(window=w, t0_ns=0, num_frames=64, num_people=1) for w in windows)
    return SiteOutput((frame,), problems, late=(frame,), identity=identity)


def test_everything_is_published_before_it_is_refined_and_live_before_it_is_solved() -> None:
    recorder = Recorder()
    Engine(recorder).publish(output(0, 1, identity=("a",)))
    verbs = recorder.verbs
    assert verbs[:3] == ["push_live", "push_identity", "push_late"]
    windows = [i for i, verb in enumerate(verbs) if verb == "push_window"]
    steps = [i for i, verb in enumerate(verbs) if verb == "step"]
    assert len(windows) == len(steps) == 2 and all(w < s for w, s in zip(windows, steps, strict=True))
    assert [call[1] for call in recorder.asked if call[0] == "push_revision"] == [0, 1, 0, 1]


def test_events_ride_with_the_next_window_and_the_last_ones_with_the_end() -> None:
    recorder = Recorder()
    engine = Engine(recorder)
    for step in (output(identity=("a",)), output(0, identity=("b",)), output(1), output(identity=("c",))):
        engine.publish(step)
    engine.finish()
    assert [call[-1] for call in recorder.asked if call[0] in ("step", "finish")] == [("a", "b"), (), ("c",)]


def test_a_camera_without_bodies_keeps_no_events() -> None:
    """None of its windows ever comes to take them along."""
    recorder = Recorder()
    engine = Engine(recorder)
    engine.lane.entry = replace(engine.lane.entry, role=CameraRole.TRACKS)
    for _ in range(5):
        engine.publish(output(identity=("a",)))
    assert recorder.verbs.count("push_identity") == 5 and engine.lane.identity == []


@pytest.mark.parametrize(("preset", "refined"), [("live", 0), ("replay", 1)])
def test_only_a_live_view_that_is_behind_leaves_a_window_unrefined(preset: str, refined: int) -> None:
    recorder = Recorder()
    engine = Engine(recorder, preset)
    engine.lane.late_s = 60.0
    engine.publish(output(0))
    assert recorder.verbs.count("step") == refined and recorder.verbs.count("push_window") == 1
    assert engine.lane.refining is not None and engine.lane.refining.counts["busy"] == 1 - refined


def test_a_refiner_that_stumbles_is_said_and_the_run_goes_on() -> None:
    recorder = Recorder()
    recorder.stumbles_at = (1,)
    engine = Engine(recorder)
    for window in range(3):
        engine.publish(output(window))
    assert recorder.verbs.count("push_note") == 2 and recorder.verbs.count("push_window") == 3
    assert recorder.verbs.count("push_revision") == 4
    assert engine.lane.refining is not None and engine.lane.refining.counts["lost"] == 1


def test_a_window_that_cannot_be_solved_is_left_out_counted_and_its_events_ride_on() -> None:
    recorder = Recorder()
    recorder.fails_at = (0,)
    engine = Engine(recorder)
    engine.publish(output(0, identity=("a",)))
    engine.publish(output(1))
    assert engine.lane.drops["solve_failed"] == 1
    assert recorder.verbs.count("push_window") == 1 and recorder.verbs.count("push_note") == 1
    assert [call[-1] for call in recorder.asked if call[0] == "step"] == [("a",)]


def test_without_a_refiner_nothing_is_kept() -> None:
    recorder = Recorder()
    engine = Engine(recorder, refines=False)
    engine.publish(output(0, identity=("a",)))
    assert engine.lane.refining is None
    assert recorder.verbs == ["push_live", "push_identity", "push_late", "solve", "push_window"]


def test_a_camera_for_tracks_alone_has_no_bodies() -> None:
    recorder = Recorder()
    engine = Engine(recorder)
    engine.lane.entry = CameraEntry("clip", "clip.mp4", role=CameraRole.TRACKS)
    engine.publish(output(0))
    assert "solve" not in recorder.verbs and "push_live" in recorder.verbs
