"""Records to messages and back: `TrackedFrame` <-> live and late, `WindowSolution` <-> window and refined.

Nothing is rounded: element types and bits of the records survive the round trip. What does not travel is
stated: unconfirmed tracks of a frame, and people of a window whose solve failed; both are counted in `q`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...kernels.errors import ShapeError
from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance, SolveStatus, WindowSolution
from ..errors import ProtocolError
from ..records import ClockOrigin, TrackedFrame
from .messages import MAX_MESSAGE_BYTES, Kind, Message, Tier, topic_of

LIVE_ROWS = {
    "person_ids": (), "seen": (), "boxes_px": (4,), "scores": (), "keypoints_px": (17, 2), "confidence": (17,),
    "position_m": (3,), "covariance_m2": (2, 2), "velocity_mps": (2,),
}  # fmt: skip
"""Fields of a live body and the shape of a person's row."""
WINDOW_ROWS = {
    "person_ids": (), "pose_rotvec": ("T", 24, 3), "betas": (10,), "transl_m": ("T", 3), "joints_m": ("T", 24, 3),
    "ground_m": ("T", 3), "confidence": ("T",), "provenance": ("T",), "reprojection_px": (), "status": (),
}  # fmt: skip
"""Fields of a window body and the shape of a person's row; T slots."""
_IN_SLOTS = ("pose_rotvec", "transl_m", "joints_m", "ground_m", "confidence")
_KINDS = {
    "person_ids": "iu", "seen": "b", "provenance": "u", "status": "u", "cause": "u", "guide_person": "iu",
    "guide_slot0": "iu",
}  # fmt: skip
ENVELOPE_RESERVE = 8192
"""Bytes of a message left for everything but the arrays."""


@dataclass(frozen=True)
class Stamp:
    """What the publisher knows about a message it sends."""

    sid: str
    seq: int
    t_publish_ns: int
    recorded: bool


# --- live and late ----------------------------------------------------------------------------------------


def live_message(frame: TrackedFrame, site: str, stamp: Stamp, tier: Tier = Tier.LIVE) -> Message:
    """The confirmed tracks of a frame; rows that are not finite where they must be are left out and counted.

    Args:
        tier: LIVE for a new frame, LATE for rows of an earlier one.
    """
    good = _live_rows_finite(frame)
    keep = frame.confirmed & good
    body: dict[str, Any] = {"camera": frame.camera, "index": frame.index, "size_px": list(frame.size_px)}
    body |= {name: getattr(frame, name)[keep] for name in LIVE_ROWS}
    quality = {
        "drops": {cause: int(count) for cause, count in sorted(frame.drops.items())},
        "unconfirmed": int((~frame.confirmed).sum()),
        "failed": int((frame.confirmed & ~good).sum()),
        "recorded": stamp.recorded,
    }
    return Message(
        stamp.sid, topic_of(tier, site), stamp.seq, Kind.DATA, frame.t_capture_ns, frame.clock.value,
        stamp.t_publish_ns, quality, body, skew_ns=frame.skew_ns,
    )  # fmt: skip


def live_record(message: Message) -> TrackedFrame:
    """The frame of a live message, or the rows of a late one; all its tracks are confirmed.

    Raises:
        ProtocolError: a field missing, of another shape or kind, or not finite where it must be.
    """
    body = message.body
    rows = typed_rows(body, LIVE_ROWS, frames=0)
    size = body.get("size_px")
    drops = message.quality.get("drops", {})
    if not (isinstance(size, list) and len(size) == 2 and all(type(s) is int for s in size)):
        raise ProtocolError(f"live: size_px is {size!r:.40}, expected [width, height]")
    if type(body.get("camera")) is not str or type(body.get("index")) is not int or type(drops) is not dict:
        raise ProtocolError("live: expected camera (text), index (number) and q.drops (a map)")
    frame = TrackedFrame(
        camera=body["camera"], index=body["index"], t_capture_ns=message.t_capture_ns,  # type: ignore[arg-type]
        clock=_clock(message.clock), size_px=(size[0], size[1]),
        confirmed=np.ones(len(rows["person_ids"]), bool), drops=drops, skew_ns=message.skew_ns, **rows,
    )  # fmt: skip
    if not _live_rows_finite(frame).all():
        raise ProtocolError("live: a box, score, confidence or visible keypoint is not finite")
    return frame


def _live_rows_finite(frame: TrackedFrame) -> np.ndarray:
    """Positions may be NaN (no ground yet), and keypoints nobody saw; the rest must be numbers."""
    unseen = frame.confidence <= 0
    ok = np.isfinite(frame.boxes_px).all(axis=1) & np.isfinite(frame.scores)
    ok &= np.isfinite(frame.confidence).all(axis=1)
    ok &= (np.isfinite(frame.keypoints_px).all(axis=2) | unseen).all(axis=1)
    ok &= ~np.isinf(frame.position_m).any(axis=1) & ~np.isinf(frame.velocity_mps).any(axis=1)
    ok &= ~np.isinf(frame.covariance_m2).any(axis=(1, 2))
    return np.asarray(ok)


# --- window -----------------------------------------------------------------------------------------------


def window_messages(
    solution: WindowSolution, site: str, stamp: Stamp, clock: ClockOrigin = ClockOrigin.FILE_PTS,
    quality: Mapping[str, object] | None = None, columns: Mapping[str, np.ndarray] | None = None,
) -> list[Message]:  # fmt: skip
    """The window in parts of at most 1 MiB, split by people; numbers run on from `stamp.seq`.

    `t_cap` is the capture time of the last slot. Topic and rule of loss follow the revision: 0 is
    `window`, later ones are `refined`. A window without people is one empty message.

    Args:
        columns: further fields with a row for each person of the solution.
    """
    keep = np.flatnonzero(_window_rows_good(solution))
    rows = {name: getattr(solution, name)[keep] for name in WINDOW_ROWS}
    rows |= {name: column[keep] for name, column in (columns or {}).items()}
    frames = int(solution.provenance.shape[1])
    person_bytes = sum(array.nbytes // max(1, len(keep)) for array in rows.values())
    per_part = (MAX_MESSAGE_BYTES - ENVELOPE_RESERVE) // max(1, person_bytes)
    if per_part == 0:
        raise ProtocolError(
            f"one person over {frames} frames takes {person_bytes} bytes, more than a message holds"
        )
    parts = max(1, -(-len(keep) // per_part))
    shares = np.array_split(np.arange(len(keep)), parts)
    q = {"failed": len(solution.status) - len(keep), **(quality or {}), "recorded": stamp.recorded}
    head = {"slot0": solution.slot0, "t0_ns": solution.t0_ns, "frames": frames, "rate_hz": MODEL_RATE_HZ}
    topic = topic_of(Tier.WINDOW if solution.rev == 0 else Tier.REFINED, site)
    t_capture_ns = solution.t0_ns + round((frames - 1) * 1e9 / MODEL_RATE_HZ)
    return [
        Message(
            stamp.sid, topic, stamp.seq + part, Kind.DATA, t_capture_ns, clock.value, stamp.t_publish_ns, q,
            head | {name: array[share] for name, array in rows.items()}, solution.window, solution.rev, part, parts,
        )
        for part, share in enumerate(shares)
    ]  # fmt: skip


def window_record(parts: Sequence[Message]) -> WindowSolution:
    """The window of all its parts, in any order.

    Raises:
        ProtocolError: not every part of one window, or a field missing, ill-shaped or not finite.
    """
    if not parts:
        raise ProtocolError("window: no parts")
    parts = sorted(parts, key=lambda message: message.part)
    first = parts[0]
    key = (first.sid, first.window, first.rev, first.parts)
    if first.window is None or first.rev is None:
        raise ProtocolError("window: required keys 'win' and 'rev' are missing")
    if any((m.sid, m.window, m.rev, m.parts) != key for m in parts) or [m.part for m in parts] != [
        *range(first.parts)
    ]:
        raise ProtocolError(
            f"window {first.window}: got parts {[m.part for m in parts]}, expected {first.parts} of it"
        )
    head = {name: first.body.get(name) for name in ("slot0", "t0_ns", "frames")}
    if any(type(value) is not int for value in head.values()):
        raise ProtocolError("window: expected whole numbers slot0, t0_ns and frames")
    pieces = [typed_rows(message.body, WINDOW_ROWS, int(head["frames"])) for message in parts]  # type: ignore[call-overload]
    rows = {name: np.concatenate([piece[name] for piece in pieces]) for name in WINDOW_ROWS}
    try:
        solution = WindowSolution(
            window=first.window, slot0=head["slot0"], t0_ns=head["t0_ns"], rev=first.rev, **rows,  # type: ignore[arg-type]
        )  # fmt: skip
    except ShapeError as exc:
        raise ProtocolError(f"window: {exc}") from exc
    if not _window_rows_good(solution).all():
        raise ProtocolError("window: a person failed, or is not finite in a slot in which they are present")
    return solution


def _window_rows_good(solution: WindowSolution) -> np.ndarray:
    """Solved, and finite wherever present (slots of absent people mean nothing and may hold anything)."""
    absent = solution.provenance == Provenance.ABSENT
    good = (solution.status != SolveStatus.FAILED) & np.isfinite(solution.betas).all(axis=1)
    for name in _IN_SLOTS:
        values = getattr(solution, name)
        finite = np.isfinite(values)
        if not finite.all():
            good &= (finite.all(axis=tuple(range(2, finite.ndim))) | absent).all(axis=1)
    return np.asarray(good)


class WindowAssembler:
    """Parts in, whole windows out. Bounded: the oldest unfinished windows are given up first."""

    def __init__(self, max_open: int = 32) -> None:
        self.max_open = max_open
        self.abandoned = 0
        self._open: dict[tuple[str, str, int, int], dict[int, Message]] = {}

    def push(self, message: Message) -> WindowSolution | None:
        """The window this message completes, if it does; other messages than windows give None."""
        parts = self.parts(message)
        return None if parts is None else window_record(parts)

    def parts(self, message: Message) -> list[Message] | None:
        """The same as messages, for who wants to know more of it (`revision.revision_record`)."""
        if message.window is None or message.rev is None:
            return None
        key = (message.sid, message.topic, message.window, message.rev)
        parts = self._open.setdefault(key, {})
        parts[message.part] = message
        if len(parts) < message.parts:
            while len(self._open) > self.max_open:
                del self._open[next(iter(self._open))]
                self.abandoned += 1
            return None
        del self._open[key]
        return list(parts.values())


class HighestRevision:
    """The rule that makes at-least-once into effectively-once: per (window, person) the highest `rev` stands."""

    def __init__(self, max_windows: int = 4096) -> None:
        self.max_windows = max_windows
        self._rev: dict[int, dict[int, int]] = {}

    def fresh(self, solution: WindowSolution) -> np.ndarray:
        """Which people of the solution, (N,) bool, are new or better than what was applied; they count as applied."""
        known = self._rev.setdefault(solution.window, {})
        better = np.array([known.get(int(p), -1) < solution.rev for p in solution.person_ids], bool)
        known.update((int(p), solution.rev) for p in solution.person_ids[better])
        while len(self._rev) > self.max_windows:
            del self._rev[next(iter(self._rev))]
        return better


# --- both -------------------------------------------------------------------------------------------------


def typed_rows(
    body: Mapping[str, object], fields: Mapping[str, tuple[Any, ...]], frames: int
) -> dict[str, Any]:
    """Per-person fields of a body, each with a row a person, of the kind and shape it must have.

    Raises:
        ProtocolError: one is missing, or another.
    """
    ids = body.get("person_ids")
    count = len(ids) if isinstance(ids, np.ndarray) and ids.ndim == 1 else -1
    out: dict[str, np.ndarray] = {}
    for name, row in fields.items():
        array = body.get(name)
        want = (count, *(frames if size == "T" else size for size in row))
        kinds = _KINDS.get(name, "f")
        if not isinstance(array, np.ndarray) or array.shape != want or array.dtype.kind not in kinds:
            got = f"{array.dtype}{array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ProtocolError(f"body.{name}: got {got}, expected {want} of kind {kinds!r}")
        out[name] = array
    return out


def _clock(value: str) -> ClockOrigin:
    try:
        return ClockOrigin(value)
    except ValueError:
        raise ProtocolError(f"clk {value!r:.40} is not one of {[c.value for c in ClockOrigin]}") from None
