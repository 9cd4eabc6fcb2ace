"""The refiner's worker as `Refining` asks for it: one for all sites of an engine, replaced once for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from .place import Place, Post, WorkerLost
from .plan import EnginePlan
from .refining import RefinerLost


class RefinerPost:
    """Who refines now."""

    def __init__(self, place: Place, make: Callable[[EnginePlan], Any], plan: EnginePlan) -> None:
        self.place = place
        self.patience_s = plan.config.runtime.stuck_s
        """Whoever is waited for longer is stuck."""
        self._make, self._plan = make, plan
        self.post = self._open()
        self.starting: Any = None

    def _open(self) -> Post:
        return self.place.open("refiner", self._make, self._plan, self._plan.config.refine.threads)

    def start(self) -> Any:
        """The ticket of the start."""
        self.starting = self.place.ask(self.post, "start", self.place.waits)
        return self.starting

    def replace(self) -> Any:
        """A new one; the ticket of its start."""
        self.place.end(self.post)
        self.post = self._open()
        return self.start()


class RefinerOfSite:
    """The view of one site: a `refining.Place`."""

    def __init__(self, shared: RefinerPost, site: str) -> None:
        self._shared, self._site = shared, site
        self._known = shared.post

    def open(self) -> Any:
        """The ticket of the start of a new refiner: another site may have opened it already."""
        if self._shared.post is self._known:
            self._shared.replace()
        self._known = self._shared.post
        return self._shared.starting

    def ask(self, verb: str, *args: Any) -> Any:
        return self._shared.place.ask(self._known, verb, self._site, *args)

    def ready(self, ticket: Any, wait: bool) -> bool:
        place = self._shared.place
        until_s = time.monotonic() + self._shared.patience_s
        while wait and not place.ready([ticket], 1.0):
            if time.monotonic() > until_s:
                place.end(self._known)  # stuck; what follows is as if it had died
                until_s = float("inf")
        return bool(place.ready([ticket], 0))

    def take(self, ticket: Any) -> Any:
        try:
            return self._shared.place.take(ticket)
        except WorkerLost as lost:
            raise RefinerLost(str(lost)) from lost

    def close(self) -> None:
        """The old one is ended with the opening of the new one."""

    def vouch(self, value: Any) -> None:
        """Windows are handed on only when they are solved."""
