"""Observations and results made from the truth itself: the two ends between which an engine lies.

- `perfect_sightings`: everybody of whom something is to be seen, with exact box and keypoints, confidence 1 where
  visible and 0 where not. What is left of the error then is the solver's own.
- `published_truth`: the truth dressed as an engine's results, to be sent through the whole evaluation: 0 errors.
"""

from __future__ import annotations

import numpy as np

from ...kernels.solve.problem import MODEL_RATE_HZ, WINDOW_FRAMES, Provenance, WindowSolution
from ...stream.calibration_file import Calibration
from ...stream.records import ClockOrigin, TrackedFrame
from ..virtualcrowd.sightings import Sightings
from ..virtualcrowd.truth import CrowdMotion, View, Visibility
from .published import LiveVersion, Published, WindowVersion

Array = np.ndarray

MIN_SEEN_KEYPOINTS = 3
"""Fewer visible keypoints make no sighting."""


def perfect_sightings(view: View) -> Sightings:
    """What a faultless detector and pose network would give: box of the whole body, visible keypoints."""
    visible = view.visibility == Visibility.VISIBLE
    seen = view.present & (visible.sum(axis=-1) >= MIN_SEEN_KEYPOINTS)
    frame, person = np.nonzero(seen.T)
    boxes = view.box_px[person, frame]
    limit = np.array([*view.camera.size_px, *view.camera.size_px], np.float32)
    confidence = visible[person, frame].astype(np.float32)
    return Sightings(
        size_px=view.camera.size_px, t_ns=view.t_ns, frame=frame.astype(np.int64),
        boxes_px=np.clip(boxes, 0.0, limit), scores=np.ones(len(frame), np.float32),
        keypoints_px=np.nan_to_num(view.keypoints_px[person, frame]), confidence=confidence,
        person=view.person_ids[person],
    )  # fmt: skip


def published_truth(motion: CrowdMotion, view: View) -> Published:
    """The truth as live rows and windows side by side, all there the moment it is captured."""
    live = tuple(
        LiveVersion(_frame(motion, view, index), int(t_ns)) for index, t_ns in enumerate(view.t_ns.tolist())
    )
    windows = tuple(
        WindowVersion(w, w.t0_ns + round(WINDOW_FRAMES * 1e9 / MODEL_RATE_HZ)) for w in _windows(motion)
    )
    return Published(
        live=live, late=(), windows=windows, calibration=Calibration(view.camera, view.ground, "file"),
        given_calibration=True,
    )  # fmt: skip


def _frame(motion: CrowdMotion, view: View, index: int) -> TrackedFrame:
    rows = np.flatnonzero(view.present[:, index])
    m = len(rows)
    slot = int(np.clip(round(view.t_ns[index] * MODEL_RATE_HZ / 1e9), 0, motion.present.shape[1] - 1))
    return TrackedFrame(
        camera=view.name, index=index, t_capture_ns=int(view.t_ns[index]), clock=ClockOrigin.FILE_PTS,
        size_px=view.camera.size_px, person_ids=view.person_ids[rows].astype(np.int64),
        confirmed=np.ones(m, bool), seen=np.ones(m, bool), boxes_px=view.box_px[rows, index].astype(np.float32),
        scores=np.ones(m, np.float32), keypoints_px=np.nan_to_num(view.keypoints_px[rows, index]),
        confidence=np.ones((m, 17), np.float32), position_m=motion.ground_m[rows, slot].astype(np.float64),
        covariance_m2=np.tile(1e-6 * np.eye(2), (m, 1, 1)), velocity_mps=np.zeros((m, 2)),
    )  # fmt: skip


def _windows(motion: CrowdMotion) -> list[WindowSolution]:
    out = []
    for window, slot0 in enumerate(range(0, motion.present.shape[1], WINDOW_FRAMES)):
        part = slice(slot0, slot0 + WINDOW_FRAMES)
        rows = np.flatnonzero(motion.present[:, part].any(axis=1))
        present = motion.present[rows, part]
        out.append(
            WindowSolution(
                window=window, slot0=slot0, t0_ns=round(slot0 * 1e9 / MODEL_RATE_HZ), rev=0,
                person_ids=motion.person_ids[rows].astype(np.int64), pose_rotvec=motion.pose_rotvec[rows, part],
                betas=motion.betas[rows], transl_m=motion.transl_m[rows, part],
                joints_m=motion.joints_m[rows, part], ground_m=motion.ground_m[rows, part],
                confidence=present.astype(np.float32),
                provenance=np.where(present, Provenance.OBSERVED, Provenance.ABSENT).astype(np.uint8),
                reprojection_px=np.zeros(len(rows), np.float32), status=np.zeros(len(rows), np.uint8),
            )
        )  # fmt: skip
    return out
