"""Revisions of the refiner to messages and back: a `refined` window, and for each of its people why (protocol 1.1).

    cause         u1 (N)   `RevisionCause`
    guide_person  i8 (N)   who helped, -1: nobody
    guide_slot0   i8 (N)   first slot of the segment that helped, -1: none
    changed_m     f4 (N)   mean distance that the joints have moved, metres; NaN where nothing was published before

A reader of 1.0 sees a `refined` window and ignores the four.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..errors import ProtocolError, PublishError
from ..records import ClockOrigin
from ..refine.records import Revision, RevisionCause
from .messages import Message
from .tiers import Stamp, typed_rows, window_messages, window_record

WHY_ROWS = {"cause": (), "guide_person": (), "guide_slot0": (), "changed_m": ()}
"""Fields that a revision has beside those of a window."""


def revision_messages(
    revision: Revision, site: str, stamp: Stamp, hop: int, clock: ClockOrigin = ClockOrigin.FILE_PTS
) -> list[Message]:
    """The revision in parts of at most 1 MiB, keyed by the window that has the same slots.

    Args:
        hop: slots from one window to the next.

    Raises:
        PublishError: revision 0, or slots that are no window's.
    """
    solution = revision.solution
    if solution.rev < 1:
        raise PublishError(
            f"{revision!r}: got revision {solution.rev}, expected 1 or more; 0 is the window itself"
        )
    if solution.slot0 % hop:
        raise PublishError(
            f"{revision!r} begins at slot {solution.slot0}, expected a multiple of window.hop = {hop}: "
            "segments are cut on the windows' grid"
        )
    columns: dict[str, np.ndarray] = {
        "cause": revision.cause.astype(np.uint8),
        "guide_person": revision.guide_person.astype(np.int64),
        "guide_slot0": revision.guide_slot0.astype(np.int64),
        "changed_m": revision.changed_m.astype(np.float32),
    }
    keyed = replace(solution, window=solution.slot0 // hop)
    return window_messages(keyed, site, stamp, clock, columns=columns)


def revision_record(parts: Sequence[Message]) -> Revision | None:
    """The revision of all its parts, in any order; None of a `window`, and where the sender gave no reasons (1.0).

    Raises:
        ProtocolError: not every part of one window, or a field ill-shaped or not finite where it must be.
    """
    solution = window_record(parts)
    if solution.rev < 1 or any("cause" not in message.body for message in parts):
        return None
    pieces = [
        typed_rows({"person_ids": m.body["person_ids"], **_why(m)}, WHY_ROWS, frames=0)
        for m in sorted(parts, key=lambda message: message.part)
    ]
    why = {name: np.concatenate([piece[name] for piece in pieces]) for name in WHY_ROWS}
    if (why["cause"] > max(RevisionCause)).any():
        raise ProtocolError(
            f"refined: cause {int(why['cause'].max())}, expected 0 to {int(max(RevisionCause))}"
        )
    if np.isinf(why["changed_m"]).any():
        raise ProtocolError("refined: changed_m is infinite")
    return Revision(solution, **why)


def _why(message: Message) -> dict[str, object]:
    return {name: message.body.get(name) for name in WHY_ROWS}
