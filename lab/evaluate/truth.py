"""The truth of a crowd as one side of a comparison, and who of it is to be found.

A person-frame counts when at least `MIN_INSIDE` of the person's box lies in the picture, however hidden they are:
finding the hidden is the point. Who is in the scene but (mostly) out of the picture is ignored: neither missed
when absent from the result, nor wrong when there. Frames are the slots of the model's timeline (30 Hz) between the
camera's first and last frame; what a camera of another rate saw is taken from its nearest frame, boxes linearly
between frames.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.body.data import BodyData
from ...kernels.metrics.people import People
from ...kernels.metrics.selection import occluded
from ...kernels.solve.problem import MODEL_RATE_HZ
from ..virtualcrowd.truth import CrowdMotion, View, Visibility
from .bodies import Posed, pose_bodies
from .errors import EvaluateError

Array = np.ndarray

MIN_INSIDE = 0.3
"""Share of a person's box that must lie in the picture for them to count."""
HIDDEN_SEEN_SHARE = 0.05
"""Less of the body to be seen than this: hidden; a camera can only tell where they should be by now."""


@dataclass(frozen=True)
class Truth:
    """One camera's truth on F slots."""

    people: People
    """`present`: those who count. The other fields hold for everybody in `here`."""
    here: Bool[Array, "N F"]
    """In the scene."""
    seen_share: Float[Array, "N F"]
    """Of the body, by this camera; 0 where absent."""
    t_ns: Int[Array, "F"]
    """Capture time of each slot."""

    @property
    def hidden(self) -> Bool[Array, "N F"]:
        """Who counts and is all but invisible."""
        return np.asarray(self.people.present & (self.seen_share < HIDDEN_SEEN_SHARE))

    @property
    def out_of_view(self) -> Bool[Array, "N F"]:
        """Who is in the scene but not (enough) in the picture."""
        return np.asarray(self.here & ~self.people.present)

    def counts(self) -> dict[str, Any]:
        """Numbers of each, for the report."""
        seen = (self.seen_share >= HIDDEN_SEEN_SHARE) & self.people.present
        return {
            "frames": len(self.t_ns),
            "people": int(self.people.present.any(axis=1).sum()),
            "people_never_seen": int((self.people.present.any(axis=1) & ~seen.any(axis=1)).sum()),
            "person_frames": self.people.num_person_frames,
            "occluded_person_frames": int(occluded(self.people).sum()),
            "hidden_person_frames": int(self.hidden.sum()),
            "ignored_person_frames": int(self.out_of_view.sum()),
        }


def truth_of(motion: CrowdMotion, view: View, body: BodyData, seconds: float | None = None) -> Truth:
    """What is to be found in a view.

    Args:
        seconds: only the first so many; None for all.

    Raises:
        EvaluateError: motion and view are not of one crowd, or nothing is left of it.
    """
    if not np.array_equal(motion.person_ids, view.person_ids):
        raise EvaluateError(
            f"motion holds {len(motion.person_ids)} people and view {view.name!r} {len(view.person_ids)} others; "
            "they are not of one crowd"
        )
    slots, t_ns = slots_of(view, motion.present.shape[1], seconds)
    here = motion.present[:, slots]
    n, f = here.shape
    rows = np.nonzero(here)
    posed = pose_bodies(
        body, view.camera, motion.pose_rotvec[:, slots][rows], motion.betas[rows[0]],
        motion.transl_m[:, slots][rows], motion.joints_m[:, slots][rows],
    )  # fmt: skip
    spread = {name: _spread_rows(getattr(posed, name), rows, (n, f)) for name in Posed.__annotations__}
    nearest = _nearest(view.t_ns, t_ns)
    box_px = _boxes_at(view, t_ns)
    counts = here & (inside_share(box_px, view.camera.size_px) >= MIN_INSIDE)
    people = People(
        rate_hz=MODEL_RATE_HZ, person_ids=motion.person_ids.astype(np.int64), present=counts,
        joints_m=spread["joints_m"], ground_m=motion.ground_m[:, slots].astype(np.float64),
        depth_axis=view.camera.R_cam_world[2].copy(), centre_m=view.camera.centre_world_m, box_px=box_px,
        keypoints_px=spread["keypoints_px"], soles_m=spread["soles_m"],
        visible=(view.visibility[:, nearest] >= Visibility.SELF_OCCLUDED) & here[..., None],
        size_px=view.camera.size_px,
    )  # fmt: skip
    return Truth(people, here, np.where(here, view.seen_share[:, nearest], 0.0), t_ns)


def slots_of(view: View, num_slots: int, seconds: float | None = None) -> tuple[slice, Int[Array, "F"]]:
    """Slots of the motion that lie between the view's first and last frame, and their times.

    Raises:
        EvaluateError: none does.
    """
    t_ns = np.round(np.arange(num_slots) * 1e9 / MODEL_RATE_HZ).astype(np.int64)
    half = round(0.5e9 / MODEL_RATE_HZ)
    end = np.inf if seconds is None else view.t_ns[0] + seconds * 1e9 - half
    inside = (t_ns >= view.t_ns[0] - half) & (t_ns <= min(int(view.t_ns[-1]) + half, end))
    if not inside.any():
        raise EvaluateError(f"view {view.name!r} has no frame within the {num_slots} slots of its crowd")
    first, last = np.flatnonzero(inside)[[0, -1]]
    part = slice(int(first), int(last) + 1)
    return part, t_ns[part]


def inside_share(
    box_px: Float[Array, "*batch 4"], size_px: tuple[int, int], margin_px: float = 0.0
) -> Float[Array, "*batch"]:
    """Share of a box's area that lies in the picture; 0 for boxes of no size or not finite."""
    limit = np.array(size_px, np.float64)
    low = np.clip(box_px[..., :2], -margin_px, limit + margin_px)
    high = np.clip(box_px[..., 2:], -margin_px, limit + margin_px)
    area = np.prod(box_px[..., 2:] - box_px[..., :2], axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.prod(high - low, axis=-1) / area
    return np.asarray(np.where(np.isfinite(share) & (area > 0), share, 0.0))


def _boxes_at(view: View, t_ns: Int[Array, "F"]) -> Float[Array, "N F 4"]:
    """Boxes at other times: linear where the person is there in both frames around, else the nearer frame's."""
    after = np.clip(np.searchsorted(view.t_ns, t_ns), 0, len(view.t_ns) - 1)
    before = np.clip(after - (view.t_ns[after] > t_ns), 0, None)
    span = np.maximum(view.t_ns[after] - view.t_ns[before], 1)
    share = np.clip((t_ns - view.t_ns[before]) / span, 0.0, 1.0)[None, :, None]
    both = (view.present[:, before] & view.present[:, after])[..., None]
    blend = (1.0 - share) * view.box_px[:, before] + share * view.box_px[:, after]
    return np.asarray(np.where(both, blend, view.box_px[:, _nearest(view.t_ns, t_ns)]), np.float64)


def _nearest(times: Int[Array, "A"], wanted: Int[Array, "B"]) -> Int[Array, "B"]:
    after = np.clip(np.searchsorted(times, wanted), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    closer = np.abs(times[before] - wanted) <= np.abs(times[after] - wanted)
    return np.asarray(np.where(closer, before, after), np.int64)


def _spread_rows(values: Array, rows: tuple[Array, ...], shape: tuple[int, int]) -> Array:
    out = np.zeros((*shape, *values.shape[1:]), np.float64)
    out[rows] = values
    return out
