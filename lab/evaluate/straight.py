"""The simplest answer to a gap: straight from the last body before it to the first body after it.

    root(t)  = (1 - u) root_a + u root_b         u = (t - t_a) / (t_b - t_a)
    R_j(t)   = R_j,a exp(u log(R_j,a^-1 R_j,b))  for each joint j; the shape turns evenly, too

from the engine's own bodies, so that what is compared is the way between them and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from ...kernels.body.data import BodyData
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.metrics.alignment import Similarity
from ...kernels.solve.problem import Provenance
from ...stream.export.merge import MotionChunk, merge_windows
from .published import Published

Array = np.ndarray

_SEEN = (Provenance.OBSERVED, Provenance.INTERPOLATED)
REACH_NS = 1_000_000_000
"""A body farther from the gap than this is no end of it."""


@dataclass(frozen=True)
class _End:
    """One body."""

    t_ns: int
    pose_rotvec: Float[Array, "24 3"]
    betas: Float[Array, "10"]
    root_m: Float[Array, "3"]


class StraightGap:
    """Goes straight through gaps of a published motion."""

    def __init__(self, published: Published, body: BodyData, world: Similarity | None = None) -> None:
        """
        Args:
            world: from the engine's world into the one asked for; None for the same.
        """
        self._published, self._body, self._world = published, body, world
        self._chunks: list[MotionChunk] | None = None

    def joints_m(
        self, person: int, lost_ns: int, found_ns: int, t_ns: Int[Array, "K"]
    ) -> Float[Array, "K 24 3"] | None:
        """Joints at these times; None where a body is missing on one side.

        Args:
            person: the engine's final name.
            lost_ns: last sighting before the gap. found_ns: first after it.
        """
        a, b = self._end(person, lost_ns, before=True), self._end(person, found_ns, before=False)
        if a is None or b is None:
            return None
        u = ((t_ns - a.t_ns) / max(b.t_ns - a.t_ns, 1))[:, None]
        first = Rotation.from_rotvec(a.pose_rotvec)
        turn = (first.inv() * Rotation.from_rotvec(b.pose_rotvec)).as_rotvec()
        pose = np.stack([(first * Rotation.from_rotvec(share * turn)).as_rotvec() for share in u[:, 0]])
        betas = (1.0 - u) * a.betas + u * b.betas
        joints, _ = forward_kinematics_np(
            pose, betas, np.zeros((len(u), 3)), self._body.joint_template_m, self._body.joint_shapedirs_m
        )
        root = (1.0 - u) * a.root_m + u * b.root_m
        placed = joints - joints[:, :1] + root[:, None]
        return np.asarray(placed if self._world is None else self._world.apply(placed))

    def _end(self, person: int, t_ns: int, before: bool) -> _End | None:
        """The nearest body seen at or before a time, or at or after it."""
        if self._chunks is None:
            self._chunks = list(merge_windows(self._published.solutions()))
        for chunk in reversed(self._chunks) if before else self._chunks:
            row = int(np.searchsorted(chunk.person_ids, person))
            if row == len(chunk.person_ids) or chunk.person_ids[row] != person:
                continue
            off = t_ns - chunk.t_ns if before else chunk.t_ns - t_ns
            good = np.isin(chunk.provenance[row], _SEEN) & (off >= -1_000_000) & (off <= REACH_NS)
            slots = np.flatnonzero(good)
            if len(slots):
                k = int(slots[-1] if before else slots[0])
                return _End(
                    int(chunk.t_ns[k]), chunk.pose_rotvec[row, k], chunk.betas[row], chunk.joints_m[row, k, 0]
                )
        return None
