"""A crowd as a detector and a pose network would report it, without a picture: truth in, sightings out.

    1. boxes of people: found or missed, placed, scored, merged       sighting_boxes
    2. their keypoints: errors, swaps, jumps, confidence              sighting_keypoints
    3. boxes of nobody                                                sighting_false

Each part has a random stream of its own, so that more false boxes do not change where a knee is seen. Same view, model
and seed: same bytes. 1,800 frames of 100 people take some seconds of one core.
"""

from __future__ import annotations

import numpy as np

from .sighting_boxes import circumstances, find_people
from .sighting_false import false_boxes
from .sighting_keypoints import pose_people
from .sighting_model import SightingModel, SightingModelError, read_model
from .sightings import Sightings
from .truth import View

__all__ = ["SightingModel", "SightingModelError", "read_model", "simulate"]


def simulate(view: View, model: SightingModel, seed: int) -> Sightings:
    """What the networks would have reported of a view.

    Args:
        view: the truth of one camera.
        model: `SightingModel()` for the truth itself, `SightingModel.fitted()` for real networks.
        seed: everything random follows from it.

    Returns:
        Rows by frame, then by falling score; `person` is the true id, 0 for a box of nobody.
    """
    streams = [np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(3)]
    found = find_people(view, model.boxes, streams[0])
    height = circumstances(view, model.boxes.least_seen).height_px.astype(np.float32)
    points, confidence = pose_people(
        view, height, found.doubt, found.frame, found.row, found.boxes_px, model.keypoints, streams[1]
    )
    nobody = false_boxes(view, model.false_boxes, streams[2])
    frame = np.concatenate([found.frame, nobody.frame])
    scores = np.concatenate([found.scores, nobody.scores]).astype(np.float32)
    person = np.concatenate([view.person_ids[found.row], np.zeros(len(nobody.frame), np.int64)])
    order = np.lexsort((-scores, frame))
    return Sightings(
        size_px=view.camera.size_px,
        t_ns=view.t_ns,
        frame=frame[order].astype(np.int64),
        boxes_px=np.concatenate([found.boxes_px, nobody.boxes_px])[order].astype(np.float32),
        scores=scores[order],
        keypoints_px=np.concatenate([points, nobody.keypoints_px])[order].astype(np.float32),
        confidence=np.concatenate([confidence, nobody.confidence])[order].astype(np.float32),
        person=person[order].astype(np.int64),
    )
