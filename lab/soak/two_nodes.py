"""Two Ray nodes on one machine, each in a network of its own, so that one can be killed or cut off.

Network namespaces joined by a pair of virtual cards where that is allowed (root); else two raylets on the loopback,
of which one can be killed, and none cut off. Both ask for a token. What was found while this was built (Ray 2.60):

- whoever starts an engine must be on a node of the cluster: `ray.init(address=...)` wants a raylet beside it;
- token authentication has to be asked for in the environment of every process (RAY_AUTH_MODE=token);
- a dead node is noticed after 15 s (killed) or 63 s (cut off) by default; with the health checks below after 2 and 8 s;
- `ray stop` ends every Ray on the machine: here processes are ended by their numbers.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ...kernels.errors import CrowdstreamError
from .engine import free_port
from .process_tree import ProcessTree

HEALTH_CHECKS = {
    "RAY_health_check_initial_delay_ms": "1000",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
"""Of the head: a node that does not answer for some eight seconds is dead."""
STORE_BYTES = 100_000_000
"""Shared store of each node; Ray wants 80 MB at least."""
_HEAD_IP, _OTHER_IP = "10.77.0.1", "10.77.0.2"
_START_S = 120.0
_RAY = Path(sys.executable).with_name("ray")


class NoSecondNode(CrowdstreamError):
    """Ray did not come up, or there is nothing to cut."""


@dataclass(frozen=True)
class Node:
    """`ray start --block` and what it started."""

    name: str
    ip: str
    prefix: tuple[str, ...]
    """Runs a command in the node's network."""
    process: subprocess.Popen[bytes]
    tree: ProcessTree
    said: Path

    def workers(self) -> list[str]:
        """Titles of the engine's workers that live here."""
        return [f"{pid}" for pid in self.tree.named(r"^ray::\w+Worker")]

    def kill(self) -> None:
        """kill -9 of the whole node: raylet, workers and all."""
        for _ in range(50):
            self.tree.kill()
            if not self.tree.left_over():
                break
            time.sleep(0.1)
        self.process.wait()


def namespaces_allowed() -> bool:
    """Whether this user may make networks."""
    if shutil.which("ip") is None or os.geteuid() != 0:
        return False
    name = f"cs{os.getpid()}x"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


class TwoNodes:
    """A head and another node; `with` it."""

    def __init__(self, folder: Path, isolated: bool | None = None) -> None:
        """Args:
        folder: of what Ray says, and of its sessions; its path must be short (sockets are made in it).
        isolated: in networks of their own; by default where that is allowed.

        Raises:
            NoSecondNode: Ray does not come up.
        """
        self._folder = folder
        self.isolated = namespaces_allowed() if isolated is None else isolated
        self._spaces: tuple[str, ...] = ()
        if self.isolated:
            self._spaces = (f"cs{os.getpid()}a", f"cs{os.getpid()}b")
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
            "RAY_worker_niceness": "0",
        }
        """Of everybody who talks with this cluster."""
        self.nodes: list[Node] = []
        try:
            self._make_networks()
            port = 6379 if self.isolated else free_port()
            head_ip, other_ip = (_HEAD_IP, _OTHER_IP) if self.isolated else ("127.0.0.1", "127.0.0.1")
            self.address = f"{head_ip}:{port}"
            head = ("--head", "--port", str(port), "--include-dashboard", "false")
            self.head = self._start("head", 0, head_ip, head, HEALTH_CHECKS)
            self.other = self._start("other", 1, other_ip, ("--address", self.address), {})
        except BaseException:
            self.close()
            raise

    def cut(self) -> None:
        """Take the other node's cable out; `mend` puts it in again."""
        self._cable("down")

    def mend(self) -> None:
        self._cable("up")

    def _cable(self, state: str) -> None:
        if not self.isolated:
            raise NoSecondNode(
                "there is no cable between two nodes on the loopback; needs network namespaces (root)"
            )
        space = self._spaces[1]
        _run("ip", "-n", space, "link", "set", space, state)

    def _make_networks(self) -> None:
        if not self.isolated:
            return
        for space in self._spaces:
            _run("ip", "netns", "add", space)
        first, second = self._spaces
        _run(
            "ip",
            "link",
            "add",
            first,
            "netns",
            first,
            "type",
            "veth",
            "peer",
            "name",
            second,
            "netns",
            second,
        )
        for space, ip in zip(self._spaces, (_HEAD_IP, _OTHER_IP), strict=True):
            _run("ip", "-n", space, "addr", "add", f"{ip}/24", "dev", space)
            _run("ip", "-n", space, "link", "set", "lo", "up")
            _run("ip", "-n", space, "link", "set", space, "up")

    def _start(
        self, name: str, which: int, ip: str, role: Sequence[str], environment: dict[str, str]
    ) -> Node:
        prefix = ("ip", "netns", "exec", self._spaces[which]) if self.isolated else ()
        said = self._folder / f"{name}.txt"
        command = [*prefix, str(_RAY), "start", *role, "--node-ip-address", ip, "--num-cpus", "1"]
        command += ["--object-store-memory", str(STORE_BYTES), "--disable-usage-stats", "--block"]
        command += ["--temp-dir", str(self._folder / name[0])]
        with said.open("wb") as out:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
                env={**os.environ, **self.environment, **environment},
            )  # fmt: skip
        node = Node(name, ip, prefix, process, ProcessTree(process.pid), said)
        self.nodes.append(node)
        begin_s = time.monotonic()
        while b"Ray runtime started" not in said.read_bytes():
            if process.poll() is not None or time.monotonic() - begin_s > _START_S:
                words = " ".join(said.read_text("utf-8", "replace").split())[-300:]
                raise NoSecondNode(f"ray start ({name}) did not come up: {words}")
            node.tree.look()
            time.sleep(0.2)
        return node

    def close(self) -> None:
        """End both, and take the networks down; a second call does nothing."""
        for node in reversed(self.nodes):
            node.kill()
        self.nodes.clear()
        for space in self._spaces:
            with suppress(NoSecondNode):
                _run("ip", "netns", "del", space)
        self._spaces = ()

    def __enter__(self) -> TwoNodes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NoSecondNode(f"{' '.join(command)}: {done.stderr.strip()}")
