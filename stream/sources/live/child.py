"""The parent's hold on a decoder process: started, listened to, ended, and gone without a trace."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Protocol

from .messages import ChannelError, Inbox, Job, Message, message_of, pack

_READ_BYTES = 1 << 16
_MAX_READS = 64
"""Of one `receive`: some thousand messages, so that no child can hold its parent for long."""


class Child(Protocol):
    """What `LiveSource` needs of a decoder process."""

    def receive(self, wait_s: float) -> list[Message]:
        """What it said; waits up to `wait_s` for something."""
        ...

    @property
    def exited(self) -> str | None:
        """How it went, in words; None while it is there."""
        ...

    def end(self) -> None:
        """Asks it to leave; returns at once."""
        ...

    def kill(self) -> None: ...

    def wait(self, seconds: float) -> bool:
        """Whether it is gone after so long at most."""
        ...

    def close(self) -> None:
        """Lets go of what belonged to it; kills it if it is still there."""
        ...


class DecoderProcess:
    """A process that decodes one camera. Returns at once; whatever goes wrong shows in `receive` and `exited`."""

    def __init__(self, job: Job) -> None:
        """
        Raises:
            OSError: no process can be started.
        """
        own, theirs = socket.socketpair()
        own.setblocking(False)
        self._link: socket.socket | None = own
        self._inbox = Inbox()
        module = f"{__package__}.decoder"
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                env=_environment(),
            )  # fmt: skip
        except BaseException:
            own.close()
            raise
        finally:
            theirs.close()
        with suppress(OSError):  # it died at once: `exited` says so
            own.sendall(pack(job))

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def exited(self) -> str | None:
        code = self._process.poll()
        if code is None:
            return None
        if code == -signal.SIGBUS:  # what a ring gets whose pages are not there
            return "was killed (SIGBUS): shared memory is full; free some, or give the container a larger --shm-size"
        if code < 0:
            return f"was killed ({signal.Signals(-code).name})"
        return f"ended with status {code}"

    def receive(self, wait_s: float) -> list[Message]:
        """What it said; waits up to `wait_s` for something. Nothing once it hung up.

        Raises:
            ChannelError: what came is no message.
        """
        messages: list[Message] = []
        for turn in range(_MAX_READS):
            if self._link is None:
                return messages
            ready, _, _ = select.select([self._link], [], [], wait_s if turn == 0 else 0.0)
            if not ready:
                return messages
            try:
                data = self._link.recv(_READ_BYTES)
            except (BlockingIOError, InterruptedError):
                return messages
            except OSError:
                data = b""
            if not data:
                self._hang_up()
                return messages
            messages += [message_of(message) for message in self._inbox.feed(data)]
        return messages

    @property
    def silent(self) -> bool:
        """It hung up: nothing comes any more."""
        return self._link is None

    def end(self) -> None:
        if self._link is not None:
            with suppress(OSError):
                self._link.shutdown(socket.SHUT_WR)

    def kill(self) -> None:
        self._process.kill()

    def wait(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def close(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._hang_up()

    def _hang_up(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()


def job_for_process(
    url: str, camera: str, first_index: int, after_ns: int | None, size_px: tuple[int, int] | None,
    config: dict[str, object],
) -> Job:  # fmt: skip
    """A job that is to be done by a child of this very process and thread."""
    # the kernel's signal comes when the *thread* that started a process ends: of use in the main thread only
    die_with_parent = threading.current_thread() is threading.main_thread()
    return Job(url, camera, first_index, after_ns, size_px, config, os.getpid(), die_with_parent)


def _environment() -> dict[str, str]:
    """One camera is one core's work at most: libraries start no threads of their own."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OPENCV_FOR_THREADS_NUM": "1"}


__all__ = ["ChannelError", "Child", "DecoderProcess", "job_for_process"]
