"""One person's segment as it is given out again, and many of them as one `Revision`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ...kernels.solve.problem import SolveStatus, WindowSolution
from .records import Revision, RevisionCause
from .timeline import Block

Array = np.ndarray

NOBODY = -1


@dataclass(frozen=True)
class Revised:
    """One person in one segment."""

    person: int
    segment: int
    block: Block
    """All slots of the segment, changed or not; ABSENT where the person is not."""
    cause: RevisionCause
    needed: bool
    """What was published is wrong or missing; else it is only made better."""
    hidden: float
    """Weight of what was hidden, 0..1."""
    changed_m: float
    """Mean distance that joints have moved against what was given out before; NaN where nothing was."""
    guide: tuple[int, int] = (NOBODY, NOBODY)
    """Person and first slot of the largest guide."""
    group: int = NOBODY


def revision_of(rows: Sequence[Revised], window: int, slot0: int, t0_ns: int, rev: int) -> Revision:
    """The rows of one segment, by person."""
    blocks = [row.block for row in rows]

    def stack(name: str, dtype: type = np.float32) -> Array:
        return np.stack([getattr(block, name) for block in blocks]).astype(dtype)

    solution = WindowSolution(
        window=window, slot0=slot0, t0_ns=t0_ns, rev=rev,
        person_ids=np.array([row.person for row in rows], np.int64),
        pose_rotvec=stack("pose_rotvec"), betas=stack("betas"), transl_m=stack("transl_m"),
        joints_m=stack("joints_m"), ground_m=stack("ground_m"), confidence=stack("confidence"),
        provenance=stack("provenance", np.uint8),
        reprojection_px=np.zeros(len(rows), np.float32),
        status=np.full(len(rows), SolveStatus.CONVERGED, np.uint8),
    )  # fmt: skip
    return Revision(
        solution=solution,
        cause=np.array([row.cause for row in rows], np.uint8),
        guide_person=np.array([row.guide[0] for row in rows], np.int64),
        guide_slot0=np.array([row.guide[1] for row in rows], np.int64),
        changed_m=np.array([row.changed_m for row in rows], np.float32),
        groups=np.array([row.group for row in rows], np.int64),
    )


def moved_m(before: Block | None, after: Block) -> float:
    """Mean distance of the joints in slots that both have, metres; NaN where there are none."""
    if before is None:
        return float("nan")
    both = (before.provenance != 0) & (after.provenance != 0)
    if not both.any():
        return float("nan")
    off: Float[Array, "K 24"] = np.linalg.norm(after.joints_m[both] - before.joints_m[both], axis=-1)
    return float(off.mean())
