"""What goes to the publisher, and what to do when it is lost: everything that was not acknowledged goes again.

Every answer of the publisher says what is out for certain. A new publisher numbers on from there and leaves out what
the log has, so a push given twice is published once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..kernels.errors import CrowdstreamError
from ..stream.calibration_file import Calibration
from .place import Place, Post, Ticket, WorkerLost
from .plan import EnginePlan, SourceInfo
from .publisher import Published


@dataclass
class _Push:
    verb: str
    args: tuple[Any, ...]
    ticket: Ticket = None


@dataclass
class Outbox:
    """Not thread-safe: one caller."""

    place: Place
    make: Callable[[EnginePlan], Any]
    plan: EnginePlan
    may_replace: Callable[[str, WorkerLost], None]
    """Asked before a lost publisher is replaced; raises when it may not be."""
    tell: Callable[[str, str], None]
    out: Published = field(default_factory=Published)
    """What is out for certain."""
    address: str = ""
    lost: int = 0
    """Pushes that the publisher could not carry out."""

    def __post_init__(self) -> None:
        self._unacknowledged: deque[_Push] = deque()
        self._sites: dict[str, tuple[SourceInfo, Calibration | None]] = {}
        self.post: Post | None = None

    def start(self, sid: str = "", after: Published | None = None) -> str:
        """Open log and sockets; the address.

        Raises:
            CrowdstreamError: what the publisher says.
        """
        self.post = self._open()
        if after is not None:
            self.out = after
        try:
            self.address = self.place.take(self.place.ask(self.post, "start", sid, after, ""))
            self.out = self.place.take(self.place.ask(self.post, "out"))
        except WorkerLost as lost:
            raise lost.cause if isinstance(lost.cause, CrowdstreamError) else lost from None
        return self.address

    def _open(self) -> Post:
        threads = self.plan.config.runtime.worker_threads
        return self.place.open("publisher", self.make, self.plan, threads)

    def __len__(self) -> int:
        """Pushes not acknowledged."""
        return len(self._unacknowledged)

    @property
    def oldest(self) -> Ticket:
        return self._unacknowledged[0].ticket if self._unacknowledged else None

    def push(self, verb: str, *args: Any) -> None:
        """Hand something on; it is published in the order in which it was handed on."""
        assert self.post is not None
        self._unacknowledged.append(_Push(verb, args, self.place.ask(self.post, verb, *args)))

    def ask(self, verb: str, *args: Any) -> Ticket:
        """Something that need not come again when the publisher is lost."""
        assert self.post is not None
        return self.place.ask(self.post, verb, *args)

    def settle(self, allowed: int) -> None:
        """Take what is acknowledged; waits only while more than `allowed` pushes are not."""
        while self._unacknowledged:
            if len(self._unacknowledged) <= allowed and not self.place.ready([self.oldest], 0):
                return
            push = self._unacknowledged[0]
            try:
                answer = self.place.take(push.ticket)
            except WorkerLost as lost:
                self._handle(push, lost)
                continue
            self._unacknowledged.popleft()
            self._acknowledge(push, answer)

    def _acknowledge(self, push: _Push, answer: Any) -> None:
        if isinstance(answer, Published):
            self.out = answer
        if push.verb == "open":
            self._sites[push.args[0].camera] = (push.args[0], push.args[1])
        elif push.verb == "push_calibration":
            camera, calibration = push.args
            self._sites[camera] = (self._sites[camera][0], calibration)

    def _handle(self, push: _Push, lost: WorkerLost) -> None:
        if lost.post is not None and lost.post.name != "publisher":
            self._unacknowledged.popleft()  # what it was to publish never came to be
            self.lost += 1
            return
        if not lost.died and push.verb != "start":
            self._unacknowledged.popleft()
            self.lost += 1
            self.tell("publish_failed", str(lost))
            return
        if lost.post is not None and lost.post is not self.post:
            self._ask_again()  # somebody else is there already, and has not been asked yet
            return
        self.may_replace("publisher", lost)
        if self.post is not None:
            self.place.end(self.post)
        self.post = self._open()
        self._ask_again()

    def _ask_again(self) -> None:
        """Tell a new publisher all it must know, and everything that is not certain to be out."""
        assert self.post is not None
        waiting = [push for push in self._unacknowledged if push.verb != "start"]
        start = _Push("start", (self.out.sid, self.out, self.address))
        opened = [
            _Push("open", known)
            for site, known in self._sites.items()
            if not any(p.verb == "open" and p.args[0].camera == site for p in waiting)
        ]
        self._unacknowledged = deque([start, *opened, *waiting])
        for push in self._unacknowledged:
            push.ticket = self.place.ask(self.post, push.verb, *push.args)
