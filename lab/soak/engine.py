"""The engine as its users start it: the `crowdstream` command in a process of its own, its output in a file."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from ...kernels.errors import CrowdstreamError
from .process_tree import ProcessTree

COMMAND = (sys.executable, "-P", "-m", "crowdstream.actors.main")
"""The console script, without asking where it was installed."""


class SoakFault(CrowdstreamError):
    """The engine did not do what the scenario needs to go on."""


class Engine:
    """One `crowdstream ...`; `with` it, and nothing of it is left behind."""

    def __init__(
        self,
        arguments: Sequence[str],
        out: Path,
        name: str = "engine",
        environment: Mapping[str, str] | None = None,
        before: Callable[[], None] | None = None,
        prefix: Sequence[str] = (),
    ) -> None:
        """Args:
        out: folder of `<name>.out` and `<name>.err`.
        before: runs in the new process, before the engine.
        prefix: a command that runs the engine (`ip netns exec ...`, `nice -n 5`).
        """
        self.out, self.err = out / f"{name}.out", out / f"{name}.err"
        self.begin_s = time.monotonic()
        with self.out.open("wb") as stdout, self.err.open("wb") as stderr:
            self.process = subprocess.Popen(
                (*prefix, *COMMAND, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0", **(environment or {})},
                start_new_session=True,
                preexec_fn=before,
            )
        self.tree = ProcessTree(self.process.pid)
        self._seen_s = self.begin_s

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def runs(self) -> bool:
        return self.process.poll() is None

    def wait_for(self, what: Callable[[], bool], within_s: float, why: str, look_s: float = 0.2) -> float:
        """Seconds until something is so.

        Raises:
            SoakFault: not within the time, or the engine has ended before.
        """
        begin_s = time.monotonic()
        while not what():
            if not self.runs:
                raise SoakFault(
                    f"the engine ended ({self.process.returncode}) before {why}: {self.last_words()}"
                )
            if time.monotonic() - begin_s > within_s:
                raise SoakFault(f"{why}: not within {within_s:.0f} s")
            self._see()
            time.sleep(look_s)
        return time.monotonic() - begin_s

    def _see(self) -> None:
        """Let nobody get out of sight; once a second, as it reads the state of every process of the machine."""
        now_s = time.monotonic()
        if now_s - self._seen_s >= 1.0:
            self._seen_s = now_s
            self.tree.look()

    def wait(self, within_s: float) -> int:
        """Exit code.

        Raises:
            SoakFault: it does not end.
        """
        begin_s = time.monotonic()
        while self.runs:
            if time.monotonic() - begin_s > within_s:
                raise SoakFault(f"the engine did not end within {within_s:.0f} s")
            self._see()
            time.sleep(0.05)
        return int(self.process.returncode)

    def finish(self, within_s: float) -> dict[str, Any]:
        """Wait for a run with --json; its summary.

        Raises:
            SoakFault: it failed, or does not end.
        """
        code = self.wait(within_s)
        if code != 0:
            raise SoakFault(f"the engine failed ({code}): {self.last_words()}")
        text = self.out.read_text("utf-8")
        try:
            return dict(json.loads(text))
        except ValueError:
            raise SoakFault(f"the engine's figures are no JSON: {text[:200]!r}") from None

    def last_words(self) -> str:
        lines = self.err.read_text("utf-8", "replace").split("\n")
        return " | ".join(line.strip() for line in lines if line.strip())[-400:]

    def terminate(self, number: int = signal.SIGTERM) -> None:
        if self.runs:
            self.process.send_signal(number)

    def kill_all(self) -> None:
        """Everything at once, as when the machine's power fails for this engine alone."""
        self.tree.kill()
        self.process.wait()
        for _ in range(50):
            if not self.tree.left_over():
                return
            self.tree.kill()
            time.sleep(0.1)

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.kill_all()


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at the moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def http_get(port: int, path: str, timeout_s: float = 2.0) -> tuple[int, str]:
    """Status and text of the engine's HTTP endpoint; status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=timeout_s) as answer:
            return int(answer.status), answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as exc:
        with exc:
            return int(exc.code), exc.read().decode("utf-8", "replace")
    except (OSError, ValueError):
        return 0, ""
