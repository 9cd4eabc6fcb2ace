"""This process: every question is answered when it is asked. For tests, debugging and small machines."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .place import Cell, Post, Ticket, WorkerLost, in_words
from .plan import EnginePlan


@dataclass(frozen=True, eq=False)
class Answer:
    """An answer, or why there is none."""

    value: Any = None
    lost: WorkerLost | None = None


class Here:
    """Workers as objects. An answer that rests on a lost one is lost with it, as between processes."""

    kind = "inline"
    waits = False

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._ended: set[int] = set()
        self._spent_s: dict[int, float] = {}

    def open(
        self, name: str, make: Callable[[EnginePlan], Any], plan: EnginePlan, threads: int, node: str = ""
    ) -> Post:
        return Post(name, next(self._numbers), Cell(make, plan))

    def ask(self, post: Post, verb: str, *args: Any) -> Ticket:
        return self._answer(post, "call", verb, args)

    def ask_remembering(self, post: Post, verb: str, *args: Any) -> tuple[Ticket, Ticket, Ticket]:
        answer = self._answer(post, "call_remembering", verb, args)
        if answer.lost is not None:
            return answer, answer, answer
        value, memory, _ = answer.value
        return Answer(value), Answer(memory), Answer()

    def _answer(self, post: Post, door: str, verb: str, args: tuple[Any, ...]) -> Answer:
        known = []
        for arg in args:
            if isinstance(arg, Answer) and arg.lost is not None:
                return arg
            known.append(arg.value if isinstance(arg, Answer) else arg)
        if post.number in self._ended:
            return Answer(lost=WorkerLost(post, f"the {post.name} worker is gone"))
        began_s = time.process_time()
        try:
            return Answer(self._call(post, door, verb, known))
        except WorkerLost as lost:
            self._ended.add(post.number)
            return Answer(lost=lost)
        except Exception as exc:  # whatever it is: the others go on
            return Answer(lost=WorkerLost(post, f"the {post.name} worker failed: {in_words(exc)}", exc))
        finally:
            spent_s = time.process_time() - began_s
            self._spent_s[post.number] = self._spent_s.get(post.number, 0.0) + spent_s

    def _call(self, post: Post, door: str, verb: str, args: list[Any]) -> Any:
        return getattr(post.worker, door)(verb, *args)

    def processor_s(self, post: Post) -> Ticket:
        return Answer(self._spent_s.get(post.number, 0.0))

    def put(self, value: Any) -> Ticket:
        return Answer(value)

    def ready(self, tickets: Sequence[Ticket], wait_s: float) -> list[Ticket]:
        return list(tickets)

    def take(self, ticket: Ticket) -> Any:
        if ticket.lost is not None:
            raise ticket.lost
        return ticket.value

    def end(self, post: Post) -> None:
        self._ended.add(post.number)

    def nodes(self) -> list[str]:
        return [""]

    def pids(self) -> list[int]:
        return []
