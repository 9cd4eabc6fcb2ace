"""What a live camera's decoder process is told to do, and what is said of the camera: decisions, no I/O.

    starting --frame--> running --no frame for stall_s--> stalled --> reconnecting(n) --frame--> running
       |                   |                                             ^    |
       +--- any fault -----+---------------------------------------------+    +-- n > give_up_after --> failed
    pause: paused, from anywhere; resume: starting.   A recording behind an address ends: ended.

Time is an argument, in seconds of whatever clock the owner uses.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto

from .backoff import Backoff
from .config import LiveConfig
from .faults import SLOW, STALLS
from .records import CameraPhase, CameraState, SourceFault

_START_S = 15.0
"""What a process may take to come up on a busy machine, on top of the camera's own time."""
_MAX_CHANGES = 64


class Act(Enum):
    """What the owner has to do now."""

    START = auto()
    """A new decoder process."""
    END = auto()
    """Ask the process to leave."""
    KILL = auto()


class CameraMachine:
    """The state of one camera and of its process."""

    def __init__(self, name: str, config: LiveConfig, now_ns: int) -> None:
        self._config = config
        self._backoff = Backoff(config, name)
        self.state = CameraState(name, CameraPhase.STARTING, now_ns)
        self._changes: deque[CameraState] = deque([self.state], maxlen=_MAX_CHANGES)
        self.reconnects = 0
        """Times that frames came again after they had been lost."""
        self._ever_ran = False
        self._attempt = 0
        self._due_s: float | None = now_ns / 1e9
        """When the next process is to be started; None: not at all."""
        self._started_s: float | None = None
        """When the process that is there was started; None: there is none."""
        self._ending_s: float | None = None
        self._killed = False
        self._running_since_s: float | None = None
        self._first_frame_by_s = 0.0
        self._frame_s = self._beat_s = 0.0
        self._broken = self._broken_at_frame = 0

    @property
    def wake_s(self) -> float | None:
        """When `tick` will want to start a process; None: not for now."""
        return self._due_s if self._started_s is None else None

    @property
    def running(self) -> bool:
        return self.state.phase is CameraPhase.RUNNING

    def changes(self) -> list[CameraState]:
        """Since last asked, oldest first; of very many the newest."""
        out = list(self._changes)
        self._changes.clear()
        return out

    def tick(self, now_s: float) -> Act | None:
        """What is to be done at this moment; to be asked again until it is nothing."""
        if self._started_s is None:
            if self._due_s is None or now_s < self._due_s:
                return None
            self._due_s, self._started_s = None, now_s
            self._beat_s, self._frame_s, self._running_since_s = now_s, now_s, None
            self._broken = self._broken_at_frame = 0
            # connecting and describing the stream may each take the time allowed
            self._first_frame_by_s = now_s + 2 * self.config.open_timeout_s + _START_S
            return Act.START
        if self._ending_s is not None:
            if now_s - self._ending_s >= self._config.kill_grace_s and not self._killed:
                self._killed = True
                return Act.KILL
            return None
        return self._watch(now_s, self._started_s)

    def _watch(self, now_s: float, started_s: float) -> Act | None:
        """A process that is there, and should show signs of life and of the camera."""
        c = self.config
        is_new = self._running_since_s is None
        if now_s - self._beat_s >= c.stuck_s + (_START_S if self._beat_s == started_s else 0.0):
            text = f"the decoder gave no sign of life for {now_s - self._beat_s:.0f} s"
            self._lose(now_s, SourceFault.DECODER_DIED, text)
            self._ending_s, self._killed = now_s, True  # asking it to leave would be in vain
            return Act.KILL
        if is_new and now_s >= self._first_frame_by_s:
            self._lose(
                now_s, SourceFault.TIMEOUT, f"no frame came; {now_s - started_s:.0f} s after connecting"
            )
            return self._end(now_s)
        if not is_new and now_s - self._frame_s >= c.stall_s:
            if self._broken - self._broken_at_frame > 2:
                self._lose(
                    now_s, SourceFault.BROKEN, f"nothing that decodes for {now_s - self._frame_s:.0f} s"
                )
            else:
                self._lose(now_s, SourceFault.SILENT, f"no frame for {now_s - self._frame_s:.0f} s")
            return self._end(now_s)
        return None

    @property
    def config(self) -> LiveConfig:
        return self._config

    def on_opened(self, now_s: float) -> None:
        """The camera answered and described its stream; its first frame may take as long as any."""
        self._first_frame_by_s = now_s + self.config.stall_s

    def on_frame(self, now_s: float) -> None:
        """A frame came at `now_s`."""
        if self._ending_s is not None:
            return
        self._frame_s = max(self._frame_s, now_s)
        self._broken_at_frame = self._broken
        if self._running_since_s is not None:
            return
        self._running_since_s = now_s
        self.reconnects += self._ever_ran
        self._ever_ran = True
        self._attempt = 0
        self._say(now_s, CameraPhase.RUNNING)

    def on_beat(self, now_s: float, broken: int) -> None:
        """A sign of life, with the count of packets that did not decode."""
        self._beat_s = max(self._beat_s, now_s)
        self._broken = broken

    def on_lost(self, now_s: float, fault: SourceFault, text: str) -> None:
        """The process says that no more frames come, and leaves."""
        if self._ending_s is None and self._started_s is not None:
            self._lose(now_s, fault, text)
            self._ending_s = now_s

    def on_ended(self, now_s: float) -> None:
        """A recording behind an address is over."""
        if self._ending_s is None and self._started_s is not None:
            self._ending_s = now_s
            self._due_s = None
            self._say(now_s, CameraPhase.ENDED, text="at its end")

    def on_exit(self, now_s: float, how: str) -> None:
        """The process is gone."""
        if self._ending_s is None and self._started_s is not None:
            self._lose(now_s, SourceFault.DECODER_DIED, f"the decoder process {how}")
        self._started_s = self._ending_s = None
        self._killed = False

    def fail(self, now_s: float, fault: SourceFault, text: str) -> None:
        """Nothing that time mends."""
        self._due_s = None
        self._say(now_s, CameraPhase.FAILED, fault, text)

    def pause(self, now_s: float) -> Act | None:
        """Held by an operator."""
        if self.state.phase in (CameraPhase.ENDED, CameraPhase.PAUSED):
            return None
        self._due_s = None
        self._say(now_s, CameraPhase.PAUSED)
        return self._end(now_s) if self._started_s is not None and self._ending_s is None else None

    def resume(self, now_s: float) -> None:
        """Tried at once, whatever it waited for; a running camera is left alone."""
        if self.state.phase in (CameraPhase.RUNNING, CameraPhase.STARTING, CameraPhase.ENDED):
            return
        if self._started_s is None or self._ending_s is not None:
            self._due_s = now_s
        self._backoff.reset()
        self._attempt = 0
        self._say(now_s, CameraPhase.STARTING)

    def close(self, now_s: float) -> Act | None:
        """For good."""
        self._due_s = None
        if self.state.phase is not CameraPhase.ENDED:
            self._say(now_s, CameraPhase.ENDED, text="closed")
        return self._end(now_s) if self._started_s is not None and self._ending_s is None else None

    def _end(self, now_s: float) -> Act:
        self._ending_s = now_s
        return Act.END

    def _lose(self, now_s: float, fault: SourceFault, text: str) -> None:
        """No frames any more, or none yet: say so, and when it is tried again."""
        ran = self._running_since_s is not None
        if fault is SourceFault.SILENT and not ran:
            fault = SourceFault.TIMEOUT  # it never said anything
        healthy_s = self._frame_s - self._running_since_s if self._running_since_s is not None else 0.0
        if ran and (fault in STALLS or (fault is SourceFault.DECODER_DIED and self._is_stuck(now_s))):
            self._say(now_s, CameraPhase.STALLED, fault, text)
        wait_s = self._backoff.next_s(fault, healthy_s)
        self._attempt += 1
        limit = self._config.give_up_after
        if limit is not None and self._attempt > limit:
            tries = f"{limit} tries" if limit > 1 else "one try"
            self.fail(now_s, fault, f"{text}; given up after {tries}")
            return
        if not ran and self._started_s is not None and fault not in SLOW:
            # waits count from try to try: a try that hung for ten seconds was a wait in itself
            tried_s = max(0.0, now_s - self._started_s)
            wait_s = max(min(wait_s, self._config.backoff_first_s), wait_s - tried_s)
        self._due_s = now_s + wait_s
        self._say(now_s, CameraPhase.RECONNECTING, fault, text, self._attempt, wait_s)

    def _is_stuck(self, now_s: float) -> bool:
        return now_s - self._beat_s >= self._config.stuck_s

    def _say(
        self, now_s: float, phase: CameraPhase, fault: SourceFault | None = None, text: str = "",
        attempt: int = 0, next_try_s: float = 0.0,
    ) -> None:  # fmt: skip
        name = self.state.camera
        self.state = CameraState(name, phase, round(now_s * 1e9), fault, text, attempt, round(next_try_s, 3))
        self._changes.append(self.state)
