"""The inline runtime's last stretch: results go out in the order of the other runtime, and refining comes last."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crowdstream.actors.inline import Results
from crowdstream.actors.plan import EnginePlan
from crowdstream.actors.refining import Here
from crowdstream.actors.runtime import RunHooks
from crowdstream.configs.load import load_config
from crowdstream.stream.site import SiteOutput


class Recorder:
    """Every worker at once: writes down what it is asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []

    def solve(self, problem: Any) -> str:
        self.asked.append(("solve", problem.window))
        return f"solved {problem.window}"

    def step(self, problem: Any, solved: str, identity: tuple[Any, ...]) -> list[Any]:
        if problem.window in self.stumbles_at:
            raise ValueError("no")
        self.asked.append(("step", problem.window, solved, identity))
        return [SimpleNamespace(solution=SimpleNamespace(rev=1)) for _ in range(2)]

    stumbles_at: tuple[int, ...] = ()

    def start(self) -> None: ...

    def resume(self, identity: Any, min_rev: int) -> None: ...

    def finish(self, identity: tuple[Any, ...]) -> list[Any]:
        self.asked.append(("finish", identity))
        return []

    def __getattr__(self, verb: str) -> Any:
        if not verb.startswith("push_"):
            raise AttributeError(verb)
        return lambda *args: self.asked.append((verb, *args[-1:]))

    @property
    def verbs(self) -> list[str]:
        return [call[0] for call in self.asked]


def results(recorder: Recorder, preset: str = "replay", refines: bool = True) -> Results:
    plan = EnginePlan("clip.mp4", load_config(preset), Path("models"))
    return Results(plan, recorder, recorder, Here(lambda: recorder) if refines else None, RunHooks())  # type: ignore[arg-type]


def output(*windows: int, identity: tuple[Any, ...] = ()) -> SiteOutput:
    frame: Any = SimpleNamespace(t_capture_ns=7)
    problems: Any = tuple(SimpleNamespace(window=w, t0_ns=0, num_frames=64, num_people=1) for w in windows)
    return SiteOutput((frame,), problems, late=(frame,), identity=identity)


def test_everything_is_published_before_anything_is_refined() -> None:
    recorder = Recorder()
    results(recorder).publish(output(0, 1, identity=("a",)))
    assert recorder.verbs == [
        "push_live", "push_identity", "push_late", "solve", "push_window", "solve", "push_window",
        "step", "push_revision", "push_revision", "step", "push_revision", "push_revision",
    ]  # fmt: skip
    assert [call[1] for call in recorder.asked if call[0] == "push_revision"] == [0, 1, 0, 1]


def test_events_ride_with_the_next_window_and_the_last_ones_with_the_end() -> None:
    recorder = Recorder()
    engine = results(recorder)
    for step in (output(identity=("a",)), output(0, identity=("b",)), output(1), output(identity=("c",))):
        engine.publish(step)
    engine.finish()
    assert [call[-1] for call in recorder.asked if call[0] in ("step", "finish")] == [("a", "b"), (), ("c",)]


@pytest.mark.parametrize(("preset", "refined"), [("live", 0), ("replay", 1)])
def test_only_a_live_view_that_is_behind_leaves_a_window_unrefined(preset: str, refined: int) -> None:
    recorder = Recorder()
    engine = results(recorder, preset)
    engine.publish(output(0), busy=True)
    assert recorder.verbs.count("step") == refined and recorder.verbs.count("push_window") == 1
    assert engine.refining is not None and engine.refining.counts["busy"] == 1 - refined


def test_a_refiner_that_stumbles_is_said_and_the_run_goes_on() -> None:
    recorder = Recorder()
    recorder.stumbles_at = (1,)
    engine = results(recorder)
    engine.publish(output(0, 1, 2))
    assert recorder.verbs.count("push_note") == 1 and recorder.verbs.count("push_window") == 3
    assert recorder.verbs.count("push_revision") == 4


def test_without_a_refiner_nothing_is_kept() -> None:
    recorder = Recorder()
    engine = results(recorder, refines=False)
    engine.publish(output(0, identity=("a",)))
    engine.finish()
    assert recorder.verbs == ["push_live", "push_identity", "push_late", "solve", "push_window"]
