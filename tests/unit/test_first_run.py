"""Kernels are compiled ahead once, and nobody is left working when the run is over."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from crowdstream.actors import first_run
from crowdstream.actors.first_run import compiling_ahead


class Child:
    """A process that never ends by itself."""

    def __init__(self, log: list[str], command: tuple[str, ...]) -> None:
        self._log, self.name = log, command[-1].partition(" import ")[0]
        log.append(f"start {self.name}")
        self.code: int | None = None

    def poll(self) -> int | None:
        return self.code

    def terminate(self) -> None:
        self._log.append(f"end {self.name}")
        self.code = -15

    def wait(self) -> int:
        assert self.code is not None, "waited for a process that was never ended"
        return self.code


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was started and ended."""
    seen: list[str] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: Child(seen, command))
    return seen


def kernels_there(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(first_run, "_looks_compiled", lambda kernel: kernel.partition(".")[0] in names)


SOLVER, OVERLAY = "from crowdstream.actors.solver", "from crowdstream.actors.first_run"
REFINER = "from crowdstream.actors.refiner_kernels"


@pytest.mark.parametrize(
    ("there", "overlay", "started"),
    [
        ((), True, [SOLVER, REFINER, OVERLAY]),
        ((), False, [SOLVER, REFINER]),
        (("gauss_newton",), True, [REFINER, OVERLAY]),
        (("gauss_newton", "guide_steps"), False, []),
        (("gauss_newton", "guide_steps", "raster"), True, []),
    ],
)
def test_what_is_missing_and_wanted_is_begun_and_ended_with_the_block(
    there: tuple[str, ...], overlay: bool, started: list[str], log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernels_there(monkeypatch, *there)
    with compiling_ahead(overlay):
        assert log == [f"start {name}" for name in started]
    assert log[len(started) :] == [f"end {name}" for name in started]


def test_an_error_in_the_block_ends_them_too(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    kernels_there(monkeypatch)
    with pytest.raises(KeyboardInterrupt), compiling_ahead():
        raise KeyboardInterrupt
    assert (
        sum(line.startswith("end") for line in log)
        == sum(line.startswith("start") for line in log)
        == len(first_run._KERNELS)
    )


def test_where_no_process_can_be_started_the_run_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("no more processes")

    kernels_there(monkeypatch)
    monkeypatch.setattr(subprocess, "Popen", refuse)
    with compiling_ahead():
        pass
