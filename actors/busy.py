"""How much the workers of each stage have worked: nobody waits for an answer; of a stuck worker the last one stands."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress

from .place import Place, Post, Ticket, WorkerLost


class Busy:
    """Processor seconds by stage, of those who work there and of those who did before them; only ever grow."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._asked: dict[int, Ticket] = {}
        """By post: a question that is not answered yet. Never two to one worker."""
        self._told: dict[int, float] = {}
        self._stage: dict[int, str] = {}
        self._before: dict[str, float] = {}
        """Of workers that are gone."""

    def look(self, posts: Mapping[str, list[Post]]) -> None:
        """Take what was answered, ask again; the workers that are there now, by stage."""
        self._take()
        there = {post.number: (stage, post) for stage, found in posts.items() for post in found}
        for number in [number for number in self._stage if number not in there]:
            stage = self._stage.pop(number)
            self._before[stage] = self._before.get(stage, 0.0) + self._told.pop(number, 0.0)
            self._asked.pop(number, None)
        for number, (stage, post) in there.items():
            self._stage[number] = stage
            if number not in self._asked:
                self._asked[number] = self._place.processor_s(post)

    def _take(self) -> None:
        ready = self._place.ready(list(self._asked.values()), 0.0)
        for number, ticket in list(self._asked.items()):
            if ticket not in ready:
                continue
            del self._asked[number]
            with suppress(WorkerLost):  # who misses them says so elsewhere
                self._told[number] = max(self._told.get(number, 0.0), self._place.take(ticket))

    def seconds(self, stage: str) -> float:
        """As last told."""
        now = sum(told for number, told in self._told.items() if self._stage.get(number) == stage)
        return round(self._before.get(stage, 0.0) + now, 3)
