"""The refiner's worker: stands back only in a process of its own, and holds torch to its threads while it works."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from crowdstream.actors import refiner
from crowdstream.actors.plan import EnginePlan
from crowdstream.actors.refiner import RefinerWorker
from crowdstream.configs.load import load_config
from crowdstream.stream.refine.records import RefineInput, RefineReport

PLAN = EnginePlan(
    "clip.mp4", load_config("replay", ["refine.niceness=7", "refine.threads=3"]), Path("models")
)


class Stage:
    """Writes down what it is given, and on how many threads."""

    def __init__(self) -> None:
        self.given: list[Any] = []
        self.threads: list[int] = []
        self.closed = False

    def step(self, given: RefineInput) -> list[Any]:
        self.given.append(given)
        self.threads.append(torch.get_num_threads())
        if given.problem is None:
            raise ValueError
        return ["revision"]

    def finish(self, identity: Any) -> list[Any]:
        self.given.append(identity)
        return []

    def resume(self, identity: Any, min_rev: int) -> None:
        self.given.append((identity, min_rev))

    def report(self) -> RefineReport:
        return RefineReport({"segments": 4}, {"refine": 0.5})

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def niced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """By how much the process was asked to stand back."""
    asked: list[int] = []
    monkeypatch.setattr(os, "nice", asked.append)
    monkeypatch.setattr(refiner, "compile_refiner_in_another_process", lambda: None)
    monkeypatch.setattr(refiner, "make_refiner", lambda *_: Stage())
    return asked


@pytest.mark.parametrize(("own_process", "expected"), [(True, [7]), (False, [])])
def test_only_a_process_of_its_own_stands_back(
    niced: list[int], own_process: bool, expected: list[int]
) -> None:
    RefinerWorker(PLAN).start(own_process)
    assert niced == expected


def test_it_hands_on_what_it_is_given_on_its_own_threads(niced: list[int]) -> None:
    worker = RefinerWorker(PLAN)
    worker.start()
    stage: Any = worker._stage_of("hall")
    before = torch.get_num_threads()
    solved: Any = SimpleNamespace(solution="solution")
    problem: Any = "problem"
    event: Any = "event"
    worker.resume("hall", (event,), 5)
    assert worker.step("hall", problem, solved, (event,)) == ["revision"]
    with pytest.raises(ValueError):
        worker.step("hall", None, solved)  # type: ignore[arg-type]
    worker.finish("hall", (event,))
    assert stage.given == [
        ((event,), 5), RefineInput(problem, solved.solution, (event,)), RefineInput(None, solved.solution), (event,)  # type: ignore[arg-type]
    ]  # fmt: skip
    assert stage.threads == [3, 3] and torch.get_num_threads() == before


def test_its_report_is_what_it_did(niced: list[int]) -> None:
    worker = RefinerWorker(PLAN)
    assert worker.stop() == {"seconds": {}, "counts": {}, "refine_seconds": {}}
    worker.start()
    stage: Any = worker._stage_of("hall")
    worker.finish("hall")
    report: dict[str, Any] = worker.stop()
    assert report["counts"] == {"segments": 4} and report["refine_seconds"] == {"refine": 0.5}
    assert set(report["seconds"]) == {"refine"} and stage.closed
