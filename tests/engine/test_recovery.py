"""Whoever is lost during a recording, and whenever: the log is, topic by topic, that of a run in which nobody was."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from crowdstream.actors.place import Post, WorkerLost
from crowdstream.actors.place_here import Here
from crowdstream.actors.runtime import RunHooks
from crowdstream.actors.supervisor import Supervisor
from crowdstream.stream.wire.codec import decode
from crowdstream.stream.wire.log import LogReader

sys.path.insert(0, str(Path(__file__).parent))
import crowd as crowd_module

sys.path.pop(0)

FRAMES = 100


@dataclass(frozen=True)
class Death:
    """Of the n-th worker of a name that is asked for the n-th time: before it does what is asked, or after."""

    name: str
    at: int
    after: bool = False


class Deadly(Here):
    """This process, with workers that die at stated calls."""

    def __init__(self, *deaths: Death) -> None:
        super().__init__()
        self._to_come = list(deaths)
        self.calls: Counter[str] = Counter()
        self.deaths: list[Death] = []

    def _call(self, post: Post, door: str, verb: str, args: list[Any]) -> Any:
        if verb in ("start", "stop", "open", "out", "notes"):
            return super()._call(post, door, verb, args)
        self.calls[post.name] += 1
        due = [d for d in self._to_come if d.name == post.name and self.calls[post.name] >= d.at]
        if due and not due[0].after:
            self._die(post, due[0])
        answer = super()._call(post, door, verb, args)
        if due:
            self._die(post, due[0])
        return answer

    def _die(self, post: Post, death: Death) -> None:
        self._to_come.remove(death)
        self.deaths.append(death)
        super()._call(
            post, "call", "stop", []
        )  # what a process that ends gives back: files, threads, sockets
        raise WorkerLost(post, f"the {post.name} worker process died")


@pytest.fixture(scope="module")
def crowd() -> ModuleType:
    return crowd_module


def topics_of(log: Path) -> dict[str, list[bytes]]:
    topics: dict[str, list[bytes]] = defaultdict(list)
    for record in LogReader(log).records():
        for data in record.messages:
            topics[decode(data).topic].append(data)
    topics.pop("status", None)  # that somebody was replaced is said there
    return dict(topics)


def plan_of(folder: Path, crowd: ModuleType, log: str) -> Any:
    settings = (
        f"source.seconds={FRAMES / 30}", "runtime.snapshot_frames=30", "solve.lifter=false",
        "solve.motion_prior=false", *crowd.FORGETFUL,
    )  # fmt: skip
    plan = crowd.make_plan(folder, "inline", *settings, log=log)
    return plan


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, crowd: ModuleType) -> Mapping[str, list[bytes]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    Supervisor(plan_of(folder, crowd, "run.cslog"), RunHooks(), crowd.HIDING, Here()).run()
    topics = topics_of(folder / "run.cslog")
    assert {"live.crowd", "window.crowd", "schema.crowd", "refined.crowd"} <= set(topics)
    return topics


@pytest.mark.parametrize(
    "deaths",
    [
        [Death("perception", 1), Death("tracking", 30, after=True), Death("solver", 1), Death("refiner", 2)],
        [Death("tracking", 2), Death("perception", 9, after=True), Death("solver", 2, after=True),
         Death("publisher", 40, after=True), Death("camera", 20, after=True)],
        [Death("publisher", 3), Death("tracking", 45), Death("refiner", 4, after=True), Death("camera", 1)],
        [Death("publisher", 100, after=True), Death("publisher", 101), Death("tracking", 20), Death("tracking", 21)],
    ],
)  # fmt: skip
def test_lost_workers_leave_no_trace_in_the_results(
    tmp_path: Path, crowd: ModuleType, undisturbed: Mapping[str, list[bytes]], deaths: list[Death]
) -> None:
    place = Deadly(*deaths)
    told: list[str] = []
    figures = Supervisor(
        plan_of(tmp_path, crowd, "run.cslog"), RunHooks(note=told.append), crowd.HIDING, place
    ).run()
    assert len(place.deaths) == len(deaths)
    found = topics_of(tmp_path / "run.cslog")
    assert sorted(found) == sorted(undisturbed)
    different = [topic for topic in found if found[topic] != undisturbed[topic]]
    assert different == []  # never the bytes themselves
    assert sum("worker process died" in text for text in told) >= len(deaths)
    assert figures["frames"] == FRAMES
