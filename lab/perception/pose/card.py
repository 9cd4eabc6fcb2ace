"""The pose network's part of its model card."""

from __future__ import annotations

from collections.abc import Mapping

from ...training.card import recipe_card
from .network import PoseNet


def pose_card(network: PoseNet, batch: int, metrics: Mapping[str, float]) -> str:
    """Title to limits.

    Args:
        network: as trained.
        batch: crops a step.
        metrics: on held-back crops.
    """
    c = network.config
    width, height = c.crop_wh
    columns, rows = network.cells_wh
    return recipe_card(
        "Pose network",
        "Places the 17 COCO keypoints of the person in a crop. Tensors as PP-TinyPose's, for the `heatmap` adapter: "
        f"`image` float32 [n, 3, {height}, {width}], RGB, normalised by ImageNet's mean and deviation; `heatmaps` "
        f"[n, 17, {rows}, {columns}], cell i on crop pixel 4 i. The peak of a map is the keypoint, its value how far "
        "to trust it: about 1 for one that is seen, 0.6 for one hidden by the person themselves, 0.35 for one hidden "
        "by somebody else, 0 for one outside the crop, each times how near the answer is expected to be.",
        (
            f"dense convolutions of {', '.join(map(str, c.widths))} channels at strides 4 to 32 and back to 4 by "
            "addition; batch normalisation folded into them",
            f"{batch} composed crops a step: rendered people and things on rendered places, with a camera's faults and "
            "a detector's inexact boxes; no photograph or video of anybody",
            "place: cross-entropy of a distribution over cells; trust: logistic loss against how well the keypoint is "
            "seen and how near the network's own answer came",
        ),
        "Rendered crops of people, clothes, things and places that were not learned from. Distances are shares of the "
        "height of the box: mean over keypoints that are seen, hidden by the person, hidden by others; PCK: share of "
        "seen keypoints nearer than 0.05 and 0.1; swapped: share of pairs whose left and right are exchanged; auc: "
        "probability that a right keypoint (nearer than 0.1) has more confidence than a wrong one.",
        metrics,
        {},
        "Learned from rendered people alone: real ones it never saw. Left and right of people seen from behind or from "
        "the side are exchanged most; people who sit, lie, ride or are wrapped up are placed worst, and of two people "
        "in one crop it may mix the limbs.",
    )
