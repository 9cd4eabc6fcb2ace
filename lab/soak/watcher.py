"""A subscriber that notes what the engine says of itself: health reports and events, with the time they came."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from ...stream.errors import ProtocolError, PublishError
from ...stream.health.records import CameraHealth, HealthReport
from ...stream.health.wire import report_from
from ...stream.wire.client import Reconnect, subscribe
from ...stream.wire.messages import Message, Tier, tier_of


@dataclass(frozen=True)
class Heard:
    """One message of `health`."""

    at_s: float
    """Monotonic clock of this machine."""
    report: HealthReport

    def camera(self, name: str) -> CameraHealth | None:
        return next((camera for camera in self.report.cameras if camera.name == name), None)


@dataclass(frozen=True)
class PhaseChange:
    """A camera was first seen in another phase."""

    at_s: float
    phase: str
    fault: str


@dataclass
class Watcher:
    """Follows `health` and `status` of one engine from a thread, until `with` ends."""

    url: str
    token: str = ""
    heard: list[Heard] = field(default_factory=list)
    events: list[tuple[float, str, str]] = field(default_factory=list)
    """(at_s, event, text) of `status`."""

    def __post_init__(self) -> None:
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="watcher", daemon=True)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, _e: BaseException | None, _t: object) -> None:
        self._done.set()
        self._thread.join(15.0)

    def _follow(self) -> None:
        patience = Reconnect(give_up_s=5.0, longest_s=1.0)
        while not self._done.is_set():
            try:
                for event in subscribe(self.url, ("health", "status"), self.token, reconnect=patience):
                    if isinstance(event, Message):
                        self._note(event)
                    if self._done.is_set():
                        return
            except (PublishError, ProtocolError, OSError):
                pass  # not up yet, or gone for a while: the scenario says what that means
            self._done.wait(0.5)

    def _note(self, message: Message) -> None:
        now_s = time.monotonic()
        if tier_of(message.topic) is Tier.HEALTH:
            report = report_from(message.body)
            if report is not None:
                self.heard.append(Heard(now_s, report))
        else:
            self.events.append((now_s, str(message.body.get("event", "")), str(message.body.get("text", ""))))

    def newest(self) -> HealthReport | None:
        return self.heard[-1].report if self.heard else None

    def phases(self, camera: str) -> list[PhaseChange]:
        """Phases of a camera in the order they were told, each once until it changes."""
        return phases_of([(h.at_s, found) for h in self.heard if (found := h.camera(camera)) is not None])


def phases_of(told: Sequence[tuple[float, CameraHealth]]) -> list[PhaseChange]:
    """Changes among reports of one camera."""
    changes: list[PhaseChange] = []
    for at_s, camera in told:
        if not changes or changes[-1].phase != camera.phase:
            changes.append(PhaseChange(at_s, camera.phase, camera.fault))
    return changes


def first_change(changes: Sequence[PhaseChange], after_s: float, phases: Sequence[str]) -> float | None:
    """Seconds from a moment until a camera was told to be in one of the phases; None: never.

    A camera that was in one of them all along counts as told at once.
    """
    held = [change for change in changes if change.at_s <= after_s]
    if held and held[-1].phase in phases:
        return 0.0
    return next((c.at_s - after_s for c in changes if c.at_s > after_s and c.phase in phases), None)
