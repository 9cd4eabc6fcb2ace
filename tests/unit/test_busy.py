"""Processor seconds of the stages, over the deaths and the silences of workers."""

from __future__ import annotations

from collections.abc import Sequence

from crowdstream.actors.busy import Busy
from crowdstream.actors.place import Post, Ticket, WorkerLost


class Told:
    """A place whose workers answer what they are told to, when they are told to; None: never, a word: dead."""

    def __init__(self) -> None:
        self.says: dict[int, float | str | None] = {}
        self.asked = 0

    def processor_s(self, post: Post) -> Ticket:
        self.asked += 1
        return (self.asked, post.number)

    def ready(self, tickets: Sequence[Ticket], wait_s: float) -> list[Ticket]:
        assert wait_s == 0.0
        return [ticket for ticket in tickets if self.says[ticket[1]] is not None]

    def take(self, ticket: Ticket) -> float:
        said = self.says[ticket[1]]
        if isinstance(said, str):
            raise WorkerLost(None, said)
        assert said is not None
        return said


def post(number: int) -> Post:
    return Post("solver", number, None)


def test_seconds_add_up_over_workers_that_follow_each_other() -> None:
    place = Told()
    busy = Busy(place)  # type: ignore[arg-type]
    place.says = {1: 3.0, 2: 0.5}
    busy.look({"solver": [post(1)]})
    assert busy.seconds("solver") == 0.0  # nobody was waited for
    busy.look({"solver": [post(1)]})
    assert busy.seconds("solver") == 3.0
    busy.look({"solver": [post(2)]})
    assert busy.seconds("solver") == 3.0
    busy.look({"solver": [post(2)]})
    assert busy.seconds("solver") == 3.5 and busy.seconds("tracking") == 0.0


def test_who_does_not_answer_is_asked_once_and_keeps_their_figure() -> None:
    place = Told()
    busy = Busy(place)  # type: ignore[arg-type]
    place.says = {1: 2.0}
    for _ in range(2):
        busy.look({"solver": [post(1)]})
    place.says = {1: None}
    asked = place.asked
    for _ in range(5):
        busy.look({"solver": [post(1)]})
    assert place.asked == asked and busy.seconds("solver") == 2.0
    place.says = {1: "it died"}
    busy.look({"solver": [post(1)]})
    assert busy.seconds("solver") == 2.0


def test_two_workers_of_a_stage_count_together() -> None:
    place = Told()
    busy = Busy(place)  # type: ignore[arg-type]
    place.says = {1: 2.0, 2: 3.0}
    for _ in range(2):
        busy.look({"camera": [post(1), post(2)]})
    assert busy.seconds("camera") == 5.0
    busy.look({"camera": [post(2)]})
    assert busy.seconds("camera") == 5.0
