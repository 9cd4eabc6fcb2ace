"""Ray: every worker an actor in a process of its own, on this machine or on the nodes of a cluster.

Actors never retry a call (`max_task_retries=0`) and are never restarted by Ray (`max_restarts=0`): a retry can repeat
or reorder calls, and a constructor that runs again knows nothing. The supervisor replaces who is lost, and says what
the new one must know.
"""

from __future__ import annotations

import itertools
import logging
import os
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError, RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from ..configs.schema import RuntimeConfig
from ..stream.ring import sweep
from .faults import RayUnavailable
from .place import Cell, Post, Ticket, WorkerLost, in_words
from .plan import EnginePlan

_LIBRARIES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_MEMORY = {"MALLOC_ARENA_MAX": "2"}
"""glibc gives a process of 30 threads up to 8 heaps a core, and what is free in one serves no other."""
_POSTS_KNOWN = 1024
"""Of those long gone nothing is heard any more."""


class Cluster:
    """Workers as actors; tickets are object references."""

    kind = "ray"
    waits = True

    def __init__(self, config: RuntimeConfig) -> None:
        """Starts a private cluster, or joins `runtime.ray_address`, unless this process is in one already."""
        self._owned = not ray.is_initialized()
        if self._owned:
            try:
                _keep_quiet()
                with _own_signals():
                    _init(config)
            except Exception as exc:  # Ray raises all kinds, down to bare file errors
                ray.shutdown()
                where = config.ray_address or "a private cluster"
                raise RayUnavailable(f"Ray cannot use {where}: {in_words(exc)}") from exc
        self._numbers = itertools.count(1)
        self._posts: dict[str, Post] = {}
        self._plans: dict[int, Any] = {}

    def close(self) -> None:
        """Leaves the cluster; a private one ends."""
        if self._owned:
            ray.shutdown()
        sweep()  # the ring of a camera that was ended before it could close it

    def open(
        self, name: str, make: Callable[[EnginePlan], Any], plan: EnginePlan, threads: int, node: str = ""
    ) -> Post:
        options: dict[str, Any] = {
            "num_cpus": 0,  # placement is the supervisor's business; Ray shall not reserve whole cores
            "max_restarts": 0,
            "max_task_retries": 0,
            # Ray keeps a line on each of the last 100,000 calls for a dashboard: half a megabyte a second, for an hour
            "enable_task_events": False,
            "runtime_env": {"env_vars": dict.fromkeys(_LIBRARIES, str(threads)) | _MEMORY},
        }
        if node:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(node, soft=False)
        # an actor class of the worker's name: that is what process lists show
        shown = type(getattr(getattr(make, "func", make), "__name__", name), (Cell,), {})
        place: Any = ray.remote(**options)
        if id(plan) not in self._plans:
            self._plans = {id(plan): (plan, ray.put(plan))}
        actor = place(shown).remote(make, self._plans[id(plan)][1])
        post = Post(name, next(self._numbers), actor, node)
        self._posts[actor._actor_id.hex()] = post
        while len(self._posts) > _POSTS_KNOWN:
            del self._posts[next(iter(self._posts))]
        return post

    def ask(self, post: Post, verb: str, *args: Any) -> Ticket:
        return post.worker.call.remote(verb, *args)

    def ask_remembering(self, post: Post, verb: str, *args: Any) -> tuple[Ticket, Ticket, Ticket]:
        answer, memory, done = post.worker.call_remembering.options(num_returns=3).remote(verb, *args)
        return answer, memory, done

    def processor_s(self, post: Post) -> Ticket:
        return post.worker.processor_s.remote()

    def put(self, value: Any) -> Ticket:
        return ray.put(value)

    def ready(self, tickets: Sequence[Ticket], wait_s: float) -> list[Ticket]:
        if not tickets:
            return []
        # what is ready is here: it stays when the node it was made on is lost
        found, _ = ray.wait(list(tickets), num_returns=1, timeout=wait_s, fetch_local=True)
        rest = [ticket for ticket in tickets if ticket not in found]
        if rest:
            more, _ = ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=True)
            found = [*found, *more]
        return found

    def take(self, ticket: Ticket) -> Any:
        try:
            return ray.get(ticket)
        except RayActorError as exc:
            raise self._died(exc) from exc
        except RayTaskError as exc:
            if isinstance(exc.cause, RayActorError):
                raise self._died(exc) from exc
            if isinstance(exc.cause, RayError):  # an argument went with its node; whoever was asked is well
                raise WorkerLost(None, f"an answer was lost: {type(exc.cause).__name__}") from exc
            post = self._post_of(exc)
            name = post.name if post else "a"
            cause = exc.cause if isinstance(exc.cause, Exception) else exc
            raise WorkerLost(
                post, f"the {name} worker failed: {in_words(cause, getattr(exc, 'traceback_str', ''))}", cause
            ) from exc
        except RayError as exc:  # an object that went with its node
            raise WorkerLost(None, f"an answer was lost: {type(exc).__name__}") from exc

    def _died(self, exc: BaseException) -> WorkerLost:
        post = self._post_of(exc)
        name = post.name if post else "a"
        unsure = isinstance(exc, ActorUnavailableError)
        why = f"the {name} worker process died (killed, out of memory, or crashed in native code)"
        return WorkerLost(post, why, unsure=unsure)

    def _post_of(self, exc: BaseException) -> Post | None:
        """Ray names the actor in its words; the earliest in the chain of causes is the one that was lost."""
        said = str(exc)
        found = [(said.find(key), post) for key, post in self._posts.items() if key in said]
        return max(found, key=lambda at: at[0])[1] if found else None

    def end(self, post: Post) -> None:
        with suppress(RayError, ValueError):
            ray.kill(post.worker)

    def pids(self) -> list[int]:
        return []  # a private cluster's are descendants of this process; those of another are not asked after

    def nodes(self) -> list[str]:
        here = ray.get_runtime_context().get_node_id()
        known: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        alive = [node["NodeID"] for node in known if node["Alive"]]
        return sorted(alive, key=lambda node: (node != here, node))


@contextmanager
def _own_signals() -> Iterator[None]:
    """Ray takes SIGTERM for itself, and would end this process without a word."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _keep_quiet() -> None:
    """Ray prints what its daemons complain of to stdout, whatever it is told about logs; our figures stand there.

    Deaths of workers are told by the supervisor. There is no public switch; where the name is another one, nothing
    is changed.
    """
    inner = getattr(getattr(ray, "_private", None), "worker", None)
    if inner is not None and hasattr(inner, "print_to_stdstream"):
        inner.print_to_stdstream = lambda *args, **kwargs: None


def _init(config: RuntimeConfig) -> None:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # its new default; silences a warning
    os.environ.setdefault("RAY_worker_niceness", "0")  # its 15 is for batch jobs; a stage that waits is late
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # answers that nobody waits for any more
    os.environ.setdefault("HOME", tempfile.gettempdir())  # Ray keeps its token there and fails without
    if config.ray_address:
        ray.init(address=config.ray_address, log_to_driver=False, logging_level=logging.ERROR)
        return
    ray.init(
        num_cpus=max(1, os.cpu_count() or 1),
        include_dashboard=False,
        log_to_driver=False,
        logging_level=logging.ERROR,
        object_store_memory=config.object_store_mb << 20,
    )
