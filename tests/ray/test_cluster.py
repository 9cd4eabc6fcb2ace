"""The Ray runtime gives what the inline runtime gives, and ends cleanly when it must end."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import threading
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from crowdstream.actors.camera import CameraWorker
from crowdstream.actors.cluster import EngineFault, StoppedEarly
from crowdstream.actors.engine import run_engine
from crowdstream.actors.publisher import PublisherWorker
from crowdstream.actors.refiner import RefinerWorker
from crowdstream.actors.runtime import RunHooks
from crowdstream.actors.solver import SolverWorker
from crowdstream.actors.tracking import TrackingWorker
from crowdstream.actors.workers import Workers
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.stream.wire.codec import decode
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import Tier, tier_of

pytestmark = [
    pytest.mark.ray,
    # Ray's own start-up opens log files and sockets that its garbage collector closes late
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::DeprecationWarning", "ignore::FutureWarning"
    ),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

ENGINE_TESTS = Path(__file__).resolve().parents[1] / "engine"


@pytest.fixture(scope="module")
def crowd() -> ModuleType:
    """The scripted run of the engine tests; shipped to the actors by value, as they cannot import tests."""
    from ray import cloudpickle

    spec = importlib.util.spec_from_file_location("crowd", ENGINE_TESTS / "crowd.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["crowd"] = module
    spec.loader.exec_module(module)
    cloudpickle.register_pickle_by_value(module)
    return module


def topics_of(log: Path) -> dict[str, list[bytes]]:
    topics: dict[str, list[bytes]] = defaultdict(list)
    for record in LogReader(log).records():
        for data in record.messages:
            topics[decode(data).topic].append(data)
    return dict(topics)


def without_seconds(figure: Any) -> Any:
    return {k: v for k, v in figure.items() if k != "seconds"} if isinstance(figure, dict) else figure


def rings() -> set[str]:
    """Rings of frames, but for those of other engines that work on this machine."""
    there = {path.name for path in Path("/dev/shm").glob("crowdstream_*")}
    return {name for name in there if not works_elsewhere(int(name.split("_")[1]))}


def works_elsewhere(pid: int) -> bool:
    """Alive, and no descendant of this process."""
    while pid > 1:
        if pid == os.getpid():
            return False
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except OSError:  # gone: whose it was nobody can tell
            return False
        pid = int(stat.rpartition(")")[2].split()[1])
    return True


def test_same_bytes_per_topic_as_inline_and_nothing_left_behind(tmp_path: Path, crowd: ModuleType) -> None:
    before = rings()
    forgetful = crowd.FORGETFUL  # so that walkers who come back are joined, and their gaps filled
    inline = run_engine(
        crowd.make_plan(tmp_path, "inline", *forgetful, log="inline.cslog"), workers=crowd.HIDING
    )
    clustered = run_engine(
        crowd.make_plan(tmp_path, "ray", *forgetful, log="ray.cslog"), workers=crowd.HIDING
    )
    ours, theirs = topics_of(tmp_path / "ray.cslog"), topics_of(tmp_path / "inline.cslog")
    assert sorted(ours) == sorted(theirs)
    assert {"identity.crowd", "refined.crowd"} <= set(ours)
    different = [topic for topic in ours if not ours[topic] == theirs[topic]]
    assert different == []  # never the bytes themselves: a diff of megabytes takes longer than the test
    assert clustered["runtime"] == "ray"
    counted = "frames people_max people_mean tracks windows person_frames drops identity refine"
    for key in counted.split():
        assert without_seconds(clustered[key]) == without_seconds(inline[key]), key
    assert rings() <= before  # other engines may end meanwhile


def test_asked_to_stop_it_commits_the_window_at_hand(tmp_path: Path, crowd: ModuleType) -> None:
    seen: list[int] = []
    hooks = RunHooks(progress=lambda p: seen.append(p.frames), stop_asked=lambda: len(seen) >= 80)
    found = run_engine(crowd.make_plan(tmp_path, "ray"), hooks, crowd.SCRIPTED)
    assert 80 <= found["frames"] < crowd.CROWD.frames
    windows = [m for m in LogReader(tmp_path / "run.cslog").messages() if tier_of(m.topic) is Tier.WINDOW]
    assert windows and found["windows"] >= 2


def test_asked_to_stop_while_a_worker_still_starts_it_ends_without_waiting(
    tmp_path: Path, crowd: ModuleType
) -> None:
    class NeverReady:
        """Stands where kernels are compiled for a minute."""

        def __init__(self, plan: Any) -> None: ...

        def start(self) -> None:
            threading.Event().wait()

        def stop(self) -> dict[str, object]:
            return {}

    hooks = RunHooks(stop_asked=lambda: True)
    with pytest.raises(StoppedEarly, match="nothing was recorded"):
        run_engine(crowd.make_plan(tmp_path, "ray"), hooks, replace(crowd.SCRIPTED, solver=NeverReady))
    assert not (tmp_path / "run.cslog").exists()


def test_a_workers_refusal_is_one_line(tmp_path: Path, crowd: ModuleType) -> None:
    plan = crowd.make_plan(tmp_path, "ray")
    (tmp_path / "camera.json").write_text("{}")
    with pytest.raises(CrowdstreamError) as caught:
        run_engine(plan, workers=crowd.SCRIPTED)
    assert "\n" not in str(caught.value) and "camera.json" in str(caught.value)


def test_a_worker_that_dies_ends_the_run_with_its_cause_and_keeps_what_is_committed(
    tmp_path: Path, crowd: ModuleType
) -> None:
    class DiesHalfway(crowd.ScriptedPerception):  # type: ignore[name-defined,misc]
        def step(self, batch: Any) -> Any:
            if batch[0].index >= 96:
                os._exit(1)
            return super().step(batch)

    # without networks, whose loading may take as long as the whole clip: windows must be done when the worker dies
    plan = crowd.make_plan(
        tmp_path, "ray", "solve.lifter=false", "solve.motion_prior=false", "runtime.restarts=1"
    )
    with pytest.raises(EngineFault, match="the perception worker process died") as caught:
        run_engine(plan, workers=replace(crowd.SCRIPTED, perception=DiesHalfway))
    assert "\n" not in str(caught.value)
    live = [m for m in LogReader(tmp_path / "run.cslog").messages() if tier_of(m.topic) is Tier.LIVE]
    windows = [m for m in LogReader(tmp_path / "run.cslog").messages() if tier_of(m.topic) is Tier.WINDOW]
    # batches that were on the way between the workers end with them; there are never more than the bound says
    runtime = plan.config.runtime
    assert 96 - runtime.batches_in_flight * runtime.batch_frames <= len(live) <= 96
    assert len(windows) >= 1


def test_every_worker_killed_once_leaves_no_trace_in_the_results(tmp_path: Path, crowd: ModuleType) -> None:
    forgetful = (*crowd.FORGETFUL, "runtime.snapshot_frames=40", "runtime.restarts=2")
    run_engine(crowd.make_plan(tmp_path, "inline", *forgetful, log="inline.cslog"), workers=crowd.HIDING)
    deadly = Workers(
        camera=crowd.mortal(CameraWorker, "next_batch", 9),
        perception=crowd.mortal(crowd.HidingPerception, "step", 5),
        tracking=crowd.mortal(TrackingWorker, "step", 8),
        solver=crowd.mortal(SolverWorker, "solve", 2),
        refiner=crowd.mortal(RefinerWorker, "step", 2),
        publisher=crowd.mortal(PublisherWorker, "push_live", 70),
    )
    notes: list[str] = []
    plan = crowd.make_plan(tmp_path, "ray", *forgetful, log="ray.cslog")
    found = run_engine(plan, RunHooks(note=notes.append), deadly)
    assert len(list(tmp_path.glob("ray.*Worker"))) + len(list(tmp_path.glob("ray.Hiding*"))) == 6
    assert found["replaced"] == {"camera": 1, "perception": 1, "publisher": 1, "solver": 1, "tracking": 1}
    assert found["refine"]["restarts"] == 1
    ours, theirs = topics_of(tmp_path / "ray.cslog"), topics_of(tmp_path / "inline.cslog")
    ours.pop("status"), theirs.pop("status", None)
    assert sorted(ours) == sorted(theirs)
    assert [topic for topic in ours if ours[topic] != theirs[topic]] == []


@pytest.mark.parametrize("kind", ["inline", "ray"])
def test_without_refining_there_is_no_refiner(tmp_path: Path, crowd: ModuleType, kind: str) -> None:
    class MustNotBe:
        def __init__(self, plan: Any) -> None:
            raise AssertionError("a refiner was made")

    plan = crowd.make_plan(tmp_path, kind, "refine.enabled=false", "source.seconds=0.5", "solve.lifter=false",
                           "solve.motion_prior=false")  # fmt: skip
    found = run_engine(plan, workers=replace(crowd.SCRIPTED, refiner=MustNotBe))
    assert found["frames"] == 15 and not any(found["refine"].values())


def test_a_killed_refiner_is_replaced_and_nobody_else_notices(tmp_path: Path, crowd: ModuleType) -> None:
    class KilledOnce(crowd.EagerRefiner):  # type: ignore[name-defined,misc]
        def step(self, site: str, problem: Any, solved: Any, identity: Any = ()) -> Any:
            been_here = self.plan.record.with_suffix(".killed")
            if problem.window == 2 and not been_here.exists():
                been_here.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return super().step(site, problem, solved, identity)

    notes: list[str] = []
    plan = crowd.make_plan(tmp_path, "ray", "solve.lifter=false", "solve.motion_prior=false")
    found = run_engine(plan, RunHooks(note=notes.append), replace(crowd.REVISED, refiner=KilledOnce))
    assert found["frames"] == crowd.CROWD.frames and found["windows"] == 6
    assert found["refine"]["restarts"] == 1 and found["drops"] == {}  # the window was tried again
    assert [note.partition(":")[0] for note in notes] == ["refiner_restarted"]
    messages = list(LogReader(tmp_path / "run.cslog").messages())
    refined = [m for m in messages if tier_of(m.topic) is Tier.REFINED and m.part == 0]
    # of windows 0 and 4, and two at the end; the second refiner goes on above what the first one published
    assert [m.rev for m in refined] == [1, 3, 4, 5]
    # every event was heard, those of the window that was lost too
    assert [int(m.body["guide_person"][0]) for m in refined] == [2, 4, 4, 4]
    assert any(
        m.body.get("event") == "refiner_restarted" for m in messages if tier_of(m.topic) is Tier.STATUS
    )


INTERRUPTED = """
import importlib.util, os, sys, time, threading
from pathlib import Path
spec = importlib.util.spec_from_file_location("crowd", sys.argv[1])
crowd = importlib.util.module_from_spec(spec); sys.modules["crowd"] = crowd; spec.loader.exec_module(crowd)
from ray import cloudpickle
cloudpickle.register_pickle_by_value(crowd)
from crowdstream.actors.cluster import EngineFault
from crowdstream.actors.engine import run_engine
from crowdstream.actors.runtime import RunHooks
plan = crowd.make_plan(Path(sys.argv[2]), sys.argv[3], "runtime.speed=1.0")
def progress(p):
    if p.frames == 50: print("halfway", flush=True)
summary = run_engine(plan, RunHooks(progress=progress), crowd.SCRIPTED)
print("frames", summary["frames"], flush=True)
"""


@pytest.mark.parametrize(
    ("kind", "number"), [("inline", signal.SIGINT), ("ray", signal.SIGINT), ("ray", signal.SIGTERM)]
)
def test_asked_by_a_signal_it_ends_cleanly_with_the_last_window_committed(
    tmp_path: Path, crowd: ModuleType, kind: str, number: signal.Signals
) -> None:
    crowd.write_video(tmp_path / "crowd.mp4")
    run = subprocess.Popen(
        [sys.executable, "-P", "-c", INTERRUPTED, str(ENGINE_TESTS / "crowd.py"), str(tmp_path), kind],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ),
        start_new_session=True,
    )  # fmt: skip
    assert run.stdout is not None
    assert run.stdout.readline().strip() == "halfway"
    if number is signal.SIGINT:
        os.killpg(run.pid, number)  # as a terminal does: to every process of the group
    else:
        run.send_signal(number)  # as a service manager does
    out, err = run.communicate(timeout=120)
    assert run.returncode == 0, err
    frames = int(out.split()[-1])
    assert 50 <= frames < crowd.CROWD.frames
    live = [m for m in LogReader(tmp_path / "run.cslog").messages() if tier_of(m.topic) is Tier.LIVE]
    windows = [m for m in LogReader(tmp_path / "run.cslog").messages() if tier_of(m.topic) is Tier.WINDOW]
    assert len(live) == frames and windows
