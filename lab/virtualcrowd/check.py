"""How good a crowd's truth is, and what its cameras make of it: figures to read before trusting any score."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from .motion import motion_quality
from .store import Crowd, load_crowd
from .truth import CrowdMotion, View, Visibility

Array = np.ndarray

CLOSE_M = 0.35
"""Nearer than this, centre to centre, bodies touch or pass through one another."""
HIDDEN_SHARE = 0.05
"""Someone of whom less than this can be seen is hidden."""


def check_crowd(folder: Path) -> dict[str, float | int | str]:
    """Figures of the motion and of every camera, by dotted key.

    Raises:
        CrowdstreamError: no crowd there.
    """
    crowd = load_crowd(folder)
    motion = crowd.motion
    out: dict[str, float | int | str] = {
        "crowd.people": len(motion.person_ids),
        "crowd.person_frames": int(motion.present.sum()),
        "crowd.area_m2": motion.scene.area_m2,
        "crowd.closer_than_35cm_share": _crowding(motion),
    }
    quality = asdict(motion_quality(motion))
    del quality["person_frames"]
    out |= {f"motion.{key}": value for key, value in quality.items() if not _is_nan(value)}
    for name in crowd.camera_names:
        out |= {f"{name}.{key}": value for key, value in view_figures(crowd.view(name)).items()}
        out |= {f"{name}.{key}": value for key, value in sighting_figures(crowd, name).items()}
    return out


def view_figures(view: View) -> dict[str, float]:
    """What a camera sees: how many, how large, how much of them is hidden and for how long."""
    inside = in_picture(view)
    codes = view.visibility[inside]
    looked = codes != Visibility.OUTSIDE
    hidden = inside & (view.seen_share < HIDDEN_SHARE)
    height = (view.box_px[..., 3] - view.box_px[..., 1])[inside]
    frame_s = float(np.median(np.diff(view.t_ns))) / 1e9 if len(view.t_ns) > 1 else 0.0
    spans = _span_lengths(hidden) * frame_s
    blocked = codes == Visibility.OCCLUDED
    total = max(int(looked.sum()), 1)
    return {
        "people_in_picture": float(inside.sum() / max(view.num_frames, 1)),
        "height_px_p10": _quantile(height, 0.1),
        "height_px_median": _quantile(height, 0.5),
        "height_px_p90": _quantile(height, 0.9),
        "keypoints_hidden_by_others": float(blocked.sum() / total),
        "keypoints_hidden_by_oneself": float((codes == Visibility.SELF_OCCLUDED).sum() / total),
        "person_frames_with_a_keypoint_hidden_by_others": float(blocked.any(axis=1).mean())
        if len(codes)
        else 0.0,
        "person_frames_hidden": float(hidden.sum() / max(int(inside.sum()), 1)),
        "hidden_spans_over_2s": float((spans >= 2.0).sum()),
        "hidden_span_longest_s": float(spans.max(initial=0.0)),
    }


def sighting_figures(crowd: Crowd, name: str) -> dict[str, float]:
    """What the simulated networks made of it: found people, false boxes, distance of keypoints from the truth."""
    view, seen = crowd.view(name), crowd.sightings(name)
    inside = in_picture(view)
    real = seen.person > 0
    row = np.searchsorted(view.person_ids, seen.person[real])
    frame = seen.frame[real]
    size = np.maximum(view.box_px[row, frame, 3] - view.box_px[row, frame, 1], 1.0)
    off = np.linalg.norm(seen.keypoints_px[real] - view.keypoints_px[row, frame], axis=-1) / size[:, None]
    clear = view.visibility[row, frame] == Visibility.VISIBLE
    found = np.zeros_like(inside)
    found[row, frame] = True
    visible = inside & (view.seen_share >= 0.5)
    return {
        "boxes_per_frame": len(seen.frame) / max(view.num_frames, 1),
        "false_boxes_per_frame": float((~real).sum() / max(view.num_frames, 1)),
        "found_of_half_visible": float(found[visible].mean()) if visible.any() else 0.0,
        "visible_keypoint_error_median_share_of_height": _quantile(off[clear], 0.5),
        "visible_keypoint_error_p90_share_of_height": _quantile(off[clear], 0.9),
    }


def in_picture(view: View) -> Bool[Array, "N F"]:
    """Person-frames with at least half of the box inside the picture."""
    w, h = view.camera.size_px
    box = view.box_px.astype(np.float64)
    size = np.maximum(box[..., 2:] - box[..., :2], 1e-6)
    cut = np.minimum(box[..., 2:], [w, h]) - np.maximum(box[..., :2], 0.0)
    share = np.prod(np.clip(cut / size, 0.0, 1.0), axis=-1)
    return np.asarray(view.present & (share >= 0.5))


def _crowding(motion: CrowdMotion) -> float:
    """Share of person-frames with somebody closer than CLOSE_M; every tenth slot is looked at."""
    close = total = 0
    for slot in range(0, motion.present.shape[1], 10):
        place = motion.ground_m[motion.present[:, slot], slot, :2].astype(np.float64)
        gap = np.linalg.norm(place[:, None] - place, axis=-1) + 1e3 * np.eye(len(place))
        close += int((gap.min(axis=1, initial=1e3) < CLOSE_M).sum()) if len(place) > 1 else 0
        total += len(place)
    return close / max(total, 1)


def _span_lengths(on: Bool[Array, "N F"]) -> Float[Array, "S"]:
    """Lengths in frames of unbroken stretches of True along the rows."""
    edges = np.diff(np.pad(on.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    return np.asarray((np.argwhere(edges == -1) - np.argwhere(edges == 1))[:, 1], np.float64)


def _quantile(values: Float[Array, "..."], share: float) -> float:
    return float(np.nanquantile(values, share)) if np.isfinite(values).any() else 0.0


def _is_nan(value: object) -> bool:
    return isinstance(value, float) and np.isnan(value)
