"""The refiner in a Ray actor of its own: what is handed to it and what it gives travels unseen by the driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import RayActorError, RayTaskError

from .refining import RefinerLost, in_one_line


class Away:
    """A place in another process. Tickets are object references."""

    def __init__(self, spawn: Callable[[], Any]) -> None:
        """
        Args:
            spawn: places a worker that has not started; returns its handle.
        """
        self._spawn = spawn
        self._handle = spawn()

    def start(self) -> Any:
        """Start the refiner that was placed; the ticket of its start."""
        return self._handle.start.remote(True)

    def open(self) -> Any:
        self._handle = self._spawn()
        return self.start()

    def ask(self, verb: str, *args: Any) -> Any:
        return getattr(self._handle, verb).remote(*args)

    def ready(self, ticket: Any, wait: bool) -> bool:
        ready, _ = ray.wait([ticket], timeout=None if wait else 0)
        return bool(ready)

    def take(self, ticket: Any) -> Any:
        try:
            return ray.get(ticket)
        except RayActorError as exc:
            raise RefinerLost("its process died (killed, out of memory, or crashed in native code)") from exc
        except RayTaskError as exc:
            raise RefinerLost(in_one_line(exc.cause, exc.traceback_str)) from exc

    def close(self) -> None:
        ray.kill(self._handle)

    def vouch(self, value: Any) -> None:
        if isinstance(value, ray.ObjectRef):
            ray.get(value)
