"""Where workers live, and how they are asked: in this process, or in processes of their own.

A *ticket* stands for an answer that may still be on its way; it can be an argument of the next question, so that
results go from worker to worker without passing through the supervisor. Questions to one worker are answered in the
order in which they were asked. Nothing is ever asked twice by a place itself: who wants that asks again.
"""

from __future__ import annotations

import re
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..kernels.errors import CrowdstreamError
from ..stream.checkpoint.faults import arm_from_environment
from .plan import EnginePlan

Ticket = Any
"""Of one answer; which kind of thing it is, is the place's business."""


@dataclass(frozen=True)
class Post:
    """One worker, from its placement to its end. Its successor is another post."""

    name: str
    """Stage: camera, perception, tracking, solver, refiner, publisher."""
    number: int
    """Never given twice."""
    worker: Any
    """Its handle."""
    node: str = ""
    """Where it is; empty for this machine, or wherever there is room."""


class WorkerLost(CrowdstreamError):
    """An answer that never comes: the worker died, or raised something nobody foresaw."""

    def __init__(
        self, post: Post | None, why: str, cause: BaseException | None = None, unsure: bool = False
    ) -> None:
        """
        Args:
            post: who was lost; None where that cannot be told.
            why: for people, in one line.
            cause: what the worker raised; None when it died.
            unsure: it cannot be reached; its node may be gone.
        """
        super().__init__(why)
        self.post = post
        self.cause = cause
        self.unsure = unsure

    @property
    def died(self) -> bool:
        """The process is gone; else it raised, and is still there."""
        return self.cause is None


class Place(Protocol):
    """The two runtimes: `place_here.Here` and `place_ray.Cluster`."""

    kind: str
    """inline or ray."""
    waits: bool
    """Answers take time, so it is worth waiting for several at once."""

    def open(
        self, name: str, make: Callable[[EnginePlan], Any], plan: EnginePlan, threads: int, node: str = ""
    ) -> Post:
        """Place a worker; it is not started yet."""

    def ask(self, post: Post, verb: str, *args: Any) -> Ticket:
        """Call a method of a worker."""

    def ask_remembering(self, post: Post, verb: str, *args: Any) -> tuple[Ticket, Ticket, Ticket]:
        """The same; the tickets of its answer, of what its successor must know to go on from there (`memory`), and
        of nothing but that it is done."""

    def processor_s(self, post: Post) -> Ticket:
        """Processor seconds a worker has spent; answered when the questions before it are."""

    def put(self, value: Any) -> Ticket:
        """A value that goes to several workers, handed over once."""

    def ready(self, tickets: Sequence[Ticket], wait_s: float) -> list[Ticket]:
        """Those that are answered, or never will be; waits for the first one, for so long at most."""

    def take(self, ticket: Ticket) -> Any:
        """The answer; waits for it.

        Raises:
            WorkerLost: there is none.
        """

    def end(self, post: Post) -> None:
        """End a worker at once, whatever it is doing."""

    def pids(self) -> list[int]:
        """Processes of workers on this machine that are no children of this one."""

    def nodes(self) -> list[str]:
        """Where workers can be placed; the first one is where the supervisor is."""


class Cell:
    """A worker behind one door, the same in every place."""

    def __init__(self, make: Callable[[EnginePlan], Any], plan: EnginePlan) -> None:
        arm_from_environment()  # of tests that end a process at a stated point; nothing otherwise
        self._worker = make(plan)

    def call(self, verb: str, *args: Any) -> Any:
        """A method of the worker."""
        return getattr(self._worker, verb)(*args)

    def processor_s(self) -> float:
        """Of the process it lives in, since that began."""
        return time.process_time()

    def call_remembering(self, verb: str, *args: Any) -> tuple[Any, Any, None]:
        """Its answer, and what a successor must know; a worker without `memory` has none."""
        answer = getattr(self._worker, verb)(*args)
        remember = getattr(self._worker, "memory", None)
        return answer, remember() if remember is not None else None, None


def in_words(exc: BaseException, trace: str = "") -> str:
    """What went wrong, in one line; of what nobody foresaw, also where.

    Args:
        trace: as Python prints it; empty: the exception's own.
    """
    said = " ".join(str(exc).split())[:300]
    if isinstance(exc, CrowdstreamError):
        return said
    trace = trace or "".join(traceback.format_tb(exc.__traceback__))
    frames = re.findall(r'([^/"]+)", line (\d+)', trace)
    where = f" ({':'.join(frames[-1])})" if frames else ""
    return f"{type(exc).__name__}: {said}{where}"
