"""Built TensorRT plans on disk: never loaded unverified, built once, rebuilt when anything is odd.

A plan can execute code when it is loaded, so what is on disk is trusted only with a sidecar whose HMAC, under
a key only this user can read, covers the plan's hash and every field of its key. Layout of the folder (0700):

    hmac.key            32 random bytes, 0600
    <key>.plan          the plan
    <key>.json          sidecar: key fields, sha256, size, build time, hmac
    <key>.lock          held while building; one build however many processes ask
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import hashlib
import hmac
import json
import os
import secrets
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CACHE_SCHEMA = 1
"""Part of every key: a change of what the sidecar means makes all old plans misses."""


@dataclass(frozen=True)
class EngineKey:
    """Everything a plan depends on. Two equal keys mean the same plan may serve."""

    onnx_sha256: str
    tensorrt_version: str
    cuda_version: str
    gpu_name: str
    compute_capability: str
    driver_major: str
    typing: str
    profiles: tuple[tuple[str, tuple[int, ...], tuple[int, ...], tuple[int, ...]], ...]
    """(tensor, smallest, usual, largest); order does not matter."""
    workspace_bytes: int
    flags: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()

    def fields(self) -> dict[str, Any]:
        """Plain values, everything unordered sorted: the same in every process."""
        out = dataclasses.asdict(self)
        out["profiles"] = sorted([list(map(_plain, row)) for row in self.profiles])
        out["flags"] = sorted(self.flags)
        out["plugins"] = sorted(self.plugins)
        out["schema"] = CACHE_SCHEMA
        return out

    def digest(self) -> str:
        """Name of the plan's files."""
        return hashlib.sha256(_canonical(self.fields())).hexdigest()[:40]


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _canonical(fields: dict[str, Any]) -> bytes:
    return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()


class EngineCache:
    """Plans by key. Every refusal, build and eviction is counted in `counts`."""

    def __init__(self, root: Path, max_bytes: int = 5 << 30) -> None:
        self.root = root
        self.max_bytes = max_bytes
        self.counts: Counter[str] = Counter()

    def get_or_build(self, key: EngineKey, build: Callable[[], bytes]) -> bytes:
        """The verified plan of a key; built, at most once at a time on this machine, if there is none.

        A cache that cannot be written (disk full, read-only) still returns the plan; only errors of
        `build` itself come out.
        """
        try:
            self._prepare()
        except OSError:
            self.counts["unusable"] += 1
            return build()
        name = key.digest()
        with self._locked(name):
            plan = self._load(name, key)
            if plan is not None:
                self.counts["hits"] += 1
                return plan
            self.counts["misses"] += 1
            plan = build()
            try:
                self._store(name, key, plan)
                self._evict(keep=name)
            except OSError:
                self.counts["not_stored"] += 1
                self._forget(name)
            return plan

    def _prepare(self) -> None:
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = self.root.stat()
        if info.st_uid != os.getuid():
            raise PermissionError(f"{self.root} belongs to another user")
        if info.st_mode & 0o077:
            self.root.chmod(0o700)

    @contextlib.contextmanager
    def _locked(self, name: str) -> Iterator[None]:
        try:
            handle = open(self.root / f"{name}.lock", "w")
        except OSError:  # a full disk must not stop the engine
            self.counts["not_locked"] += 1
            yield
            return
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _load(self, name: str, key: EngineKey) -> bytes | None:
        plan_path, card_path = self._paths(name)
        if not plan_path.exists() and not card_path.exists():
            return None
        try:
            card = json.loads(card_path.read_bytes())
            plan = plan_path.read_bytes()
            reason = self._verify(card, plan, key, (plan_path, card_path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            reason = "unreadable"
        if reason is None:
            os.utime(plan_path)  # least recently used goes first
            return plan
        self.counts[f"rejected_{reason}"] += 1
        self._forget(name)
        return None

    def _verify(
        self, card: dict[str, Any], plan: bytes, key: EngineKey, paths: tuple[Path, ...]
    ) -> str | None:
        if any(path.stat().st_uid != os.getuid() for path in paths):
            return "owner"
        claimed = card.pop("hmac")
        if not hmac.compare_digest(str(claimed), self._sign(card)):
            return "signature"
        if card["key"] != key.fields():
            return "key"
        if card["size"] != len(plan) or card["sha256"] != hashlib.sha256(plan).hexdigest():
            return "content"
        return None

    def _store(self, name: str, key: EngineKey, plan: bytes) -> None:
        card: dict[str, Any] = {
            "key": key.fields(),
            "sha256": hashlib.sha256(plan).hexdigest(),
            "size": len(plan),
        }
        card["hmac"] = self._sign(card)
        plan_path, card_path = self._paths(name)
        _write_atomically(plan_path, plan)
        _write_atomically(card_path, json.dumps(card, sort_keys=True, indent=1).encode())

    def _sign(self, card: dict[str, Any]) -> str:
        return hmac.new(self._user_key(), _canonical(card), hashlib.sha256).hexdigest()

    def _user_key(self) -> bytes:
        path = self.root / "hmac.key"
        try:
            key = path.read_bytes()
            if len(key) == 32 and path.stat().st_uid == os.getuid():
                return key
        except FileNotFoundError:
            pass
        _write_atomically(path, secrets.token_bytes(32), only_if_absent=not path.exists())
        return path.read_bytes()

    def _evict(self, keep: str) -> None:
        plans = sorted(self.root.glob("*.plan"), key=lambda p: p.stat().st_mtime)
        total = sum(p.stat().st_size for p in plans)
        for path in plans:
            if total <= self.max_bytes:
                return
            if path.stem != keep:
                total -= path.stat().st_size
                self._forget(path.stem)
                self.counts["evicted"] += 1

    def _forget(self, name: str) -> None:
        for path in self._paths(name):
            with contextlib.suppress(OSError):
                path.unlink()

    def _paths(self, name: str) -> tuple[Path, Path]:
        return self.root / f"{name}.plan", self.root / f"{name}.json"


def _write_atomically(path: Path, content: bytes, only_if_absent: bool = False) -> None:
    """Temp file in the same folder, fsync, rename (or link, which fails if somebody was first)."""
    fd, temp = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(fd, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        if only_if_absent:
            with contextlib.suppress(FileExistsError):
                os.link(temp, path)
        else:
            os.replace(temp, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temp)
