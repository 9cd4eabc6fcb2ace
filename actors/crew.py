"""A crew: perception, tracking and solver on one node, for some of the cameras."""

from __future__ import annotations

from typing import Any

from .place import Place, Post, Ticket
from .plan import EnginePlan
from .workers import Workers

STAGES = ("perception", "tracking", "solver")


class Crew:
    """Who does the work, and who did before them."""

    def __init__(self, place: Place, workers: Workers, plan: EnginePlan, number: int, node: str) -> None:
        """
        Args:
            node: where its workers are placed, with the cameras they look at; empty: anywhere, that is, here.
        """
        self.place, self.number, self.node = place, number, node
        self._workers, self._plan = workers, plan
        self._posts: dict[str, Post] = {}
        self.restarts = dict.fromkeys(STAGES, 0)
        self.starting: dict[str, Ticket] = {}
        """Starts of replacements that have not been answered."""

    def open_all(self) -> None:
        """Place everybody."""
        for stage in STAGES:
            self._open(stage)

    def _open(self, stage: str) -> Post:
        threads = self._plan.config.runtime.worker_threads
        make = getattr(self._workers, stage)
        self._posts[stage] = self.place.open(stage, make, self._plan, threads, self.node)
        return self._posts[stage]

    def start_all(self) -> list[Ticket]:
        """Let everybody load what they need."""
        return [self.ask(stage, "start") for stage in STAGES]

    def replace(self, stage: str) -> None:
        """A new worker in a lost one's place; it starts, and answers whatever it is asked after that."""
        self.place.end(self._posts[stage])
        nodes = self.place.nodes()
        if self.node and self.node not in nodes:
            self.node = nodes[0]
        self._open(stage)
        self.restarts[stage] += 1
        self.starting[stage] = self.ask(stage, "start")

    def move(self) -> None:
        """Everybody anew, on the first node there is."""
        self.node = self.place.nodes()[0]
        for stage in STAGES:
            self.replace(stage)

    def post(self, stage: str) -> Post:
        return self._posts[stage]

    def posts(self) -> list[Post]:
        """Everybody, in the order of the frames."""
        return [self._posts[stage] for stage in STAGES if stage in self._posts]

    def ask(self, stage: str, verb: str, *args: Any) -> Ticket:
        return self.place.ask(self._posts[stage], verb, *args)

    def ask_remembering(self, stage: str, verb: str, *args: Any) -> tuple[Ticket, Ticket, Ticket]:
        return self.place.ask_remembering(self._posts[stage], verb, *args)
