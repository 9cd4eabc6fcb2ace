"""Whoever is lost during a recording, and whenever: the log is, topic by topic, that of a run in which nobody was."""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Mapping
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


class Deadly(Here):
    """This process, with workers that die at stated calls: before they do what is asked, or after."""

    def __init__(self, name: str, at: int, after: bool = False, times: int = 1) -> None:
        super().__init__()
        self._name, self._at, self._after, self._times = name, at, after, times
        self.calls: Counter[str] = Counter()
        self.deaths = 0

    def _call(self, post: Post, door: str, verb: str, args: list[Any]) -> Any:
        if post.name != self._name or verb in ("start", "stop", "open", "out", "notes"):
            return super()._call(post, door, verb, args)
        self.calls[post.name] += 1
        dies = self.deaths < self._times and self.calls[post.name] >= self._at * (self.deaths + 1)
        if dies and not self._after:
            self._die(post)
        answer = super()._call(post, door, verb, args)
        if dies:
            self._die(post)
        return answer

    def _die(self, post: Post) -> None:
        self.deaths += 1
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
    settings = (f"source.seconds={FRAMES / 30}", "runtime.snapshot_frames=30", *crowd.FORGETFUL)
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
    ("name", "at", "after"),
    [
        ("perception", 1, False), ("perception", 9, False), ("perception", 9, True),
        ("tracking", 2, False), ("tracking", 30, False), ("tracking", 30, True), ("tracking", 45, False),
        ("solver", 1, False), ("solver", 2, True), ("solver", 4, False),
        ("publisher", 3, False), ("publisher", 40, True), ("publisher", 70, False), ("publisher", 100, True),
        ("camera", 1, False), ("camera", 20, True), ("refiner", 2, False), ("refiner", 4, True),
    ],
)  # fmt: skip
def test_a_lost_worker_leaves_no_trace_in_the_results(
    tmp_path: Path, crowd: ModuleType, undisturbed: Mapping[str, list[bytes]], name: str, at: int, after: bool
) -> None:
    place = Deadly(name, at, after)
    told: list[str] = []
    figures = Supervisor(
        plan_of(tmp_path, crowd, "run.cslog"), RunHooks(note=told.append), crowd.HIDING, place
    ).run()
    assert place.deaths == 1
    found = topics_of(tmp_path / "run.cslog")
    assert sorted(found) == sorted(undisturbed)
    different = [topic for topic in found if found[topic] != undisturbed[topic]]
    assert different == []  # never the bytes themselves
    assert any("worker process died" in text for text in told)
    assert figures["frames"] == FRAMES
