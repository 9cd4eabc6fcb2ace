"""What was published again and why, and who came back: the part `refined` of a report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...kernels.solve.problem import Provenance, WindowSolution
from ...stream.identity import IdentityChange
from ...stream.refine.records import RevisionCause
from .published import Published

Array = np.ndarray


def refined_of(published: Published) -> dict[str, Any]:
    """Counts of joins and revisions, by cause; shares are of the person-frames that stand in the end."""
    changes = [event.change for event in published.identity]
    refined = [v for v in published.windows if v.solution.rev > 0]
    return {
        "merges": changes.count(IdentityChange.MERGE),
        "splits": changes.count(IdentityChange.SPLIT),
        "joined_tracks": len(published.who()),
        "revisions": len(refined),
        "revised_person_segments": sum(len(v.solution.person_ids) for v in refined),
        "bodies_revised": _share_revised(published.solutions()),
        "by_cause": _by_cause(published),
        "refiner": dict(published.refiner.counts),
    }


def _by_cause(published: Published) -> dict[str, dict[str, Any]]:
    """Person-segments of every cause, how far their joints moved, and how many had a guide."""
    told = [v.revision for v in published.windows if v.revision is not None]
    if not told:
        return {}
    cause = np.concatenate([np.asarray(r.cause, np.int64) for r in told])
    moved = np.concatenate([np.asarray(r.changed_m, np.float64) for r in told])
    guide = np.concatenate([np.asarray(r.guide_person, np.int64) for r in told])
    out = {}
    for kind in RevisionCause:
        chosen = cause == kind
        known = chosen & np.isfinite(moved)
        out[kind.name.lower()] = {
            "person_segments": int(chosen.sum()),
            "with_guide": int((chosen & (guide >= 0)).sum()),
            "changed_mm": float(1e3 * moved[known].mean()) if known.any() else None,
        }
    return out


def _share_revised(solutions: Sequence[WindowSolution]) -> float | None:
    """Of all person-frames with a body in the end, those whose body is a revision's."""
    keys: dict[bool, list[Array]] = {False: [], True: [np.zeros(0, np.int64)]}
    for solution in solutions:
        row, slot = np.nonzero(solution.provenance != Provenance.ABSENT)
        keys[solution.rev > 0].append((solution.person_ids[row] << 32) + slot + solution.slot0)
    refined = np.unique(np.concatenate(keys[True]))
    every = np.unique(np.concatenate([refined, *keys[False]]))
    return len(refined) / len(every) if len(every) else None
