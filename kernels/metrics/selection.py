"""Which person-frames of the truth are looked at: the occluded ones, bins of severity, what was infilled.

A person-frame is *occluded* if at least half of its COCO keypoints that lie in the picture are hidden. (The paper's
Table III names occluded instances without a rule.) Keypoints beyond the border are cut off, not hidden: they count
on neither side. A person wholly outside the picture is in no bin. The evaluator's truth counts what others and
obstacles hide; a limb behind the own body counts as visible, or a person in full view would hide 30 % of the
keypoints and one in fifty of them would be occluded (measured on a plaza of 60 people, high and low camera).
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from .matching import Matches
from .people import People

Array = np.ndarray

OCCLUDED_FROM = 0.5
"""Hidden share of keypoints from which a person-frame counts as occluded."""
SEVERITY_EDGES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Bins of the hidden share: [0, 25 %), [25 %, 50 %), [50 %, 75 %), [75 %, 100 %), and 100 % alone."""


def hidden_share(truth: People) -> Float[Array, "N F"]:
    """Hidden of in-picture keypoints, 0..1; NaN where none lies in the picture, absent, or visibility is unknown.

    Without `truth.size_px` every finite keypoint counts as in the picture.

    >>> from dataclasses import replace
    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> crowd = standing_people([[0.0, 8.0, 0.0]])
    >>> seen = crowd.visible.copy(); seen[..., :9] = False
    >>> round(float(hidden_share(replace(crowd, visible=seen))[0, 0]), 4) == round(9 / 17, 4)
    True
    """
    n, f = truth.present.shape
    if truth.visible.shape != (n, f, 17):
        return np.full((n, f), np.nan)
    px = np.asarray(truth.keypoints_px, np.float64)
    inside = np.asarray(np.isfinite(px).all(axis=-1))
    if truth.size_px[0] > 0:
        at = np.where(inside[..., None], px, -1.0)
        inside &= (at >= 0).all(axis=-1) & (at[..., 0] < truth.size_px[0]) & (at[..., 1] < truth.size_px[1])
    num = inside.sum(axis=-1)
    hidden = (inside & ~truth.visible).sum(axis=-1)
    return np.where(truth.present & (num > 0), hidden / np.maximum(num, 1), np.nan)


def occluded(truth: People) -> Bool[Array, "N F"]:
    """Person-frames of which at least half of the in-picture keypoints are hidden.

    >>> from dataclasses import replace
    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> crowd = standing_people([[0.0, 8.0, 0.0], [2.0, 8.0, 0.0]])
    >>> seen = crowd.visible.copy(); seen[0, :, 3:] = False
    >>> occluded(replace(crowd, visible=seen)).tolist()
    [[True], [False]]
    """
    return np.asarray(np.nan_to_num(hidden_share(truth), nan=-1.0) >= OCCLUDED_FROM)


def severity_bins(truth: People) -> dict[str, Bool[Array, "N F"]]:
    """Disjoint selections by hidden share, keyed by their bounds.

    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> {k: int(v.sum()) for k, v in severity_bins(standing_people([[0.0, 8.0, 0.0]])).items()}
    {'0-25%': 1, '25-50%': 0, '50-75%': 0, '75-100%': 0, '100%': 0}
    """
    share = np.nan_to_num(hidden_share(truth), nan=-1.0)
    bins = {
        f"{100 * low:.0f}-{100 * high:.0f}%": np.asarray((share >= low) & (share < high))
        for low, high in pairwise(SEVERITY_EDGES)
    }
    bins[f"{100 * SEVERITY_EDGES[-1]:.0f}%"] = np.asarray(share >= SEVERITY_EDGES[-1])
    return bins


def matched_provenance(predicted: People, matches: Matches, kinds: tuple[int, ...]) -> Bool[Array, "N F"]:
    """True person-frames matched to a prediction of one of the `Provenance` kinds (e.g. infilled).

    >>> from dataclasses import replace
    >>> from crowdstream.kernels.metrics.examples import standing_people
    >>> from crowdstream.kernels.metrics.matching import match_people
    >>> crowd = standing_people([[0.0, 8.0, 0.0], [2.0, 8.0, 0.0]])
    >>> filled = replace(crowd, provenance=np.array([[3], [1]], np.uint8))
    >>> matched_provenance(filled, match_people(filled, crowd), (3, 4)).tolist()
    [[True], [False]]
    """
    row = matches.predicted_of_true
    if predicted.provenance.shape != predicted.present.shape or predicted.provenance.size == 0:
        return np.zeros(row.shape, dtype=bool)
    kind = np.take_along_axis(predicted.provenance, np.maximum(row, 0), axis=0)
    return np.asarray((row >= 0) & np.isin(kind, kinds))
