"""The detector's part of its model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...training.card import recipe_card
from .network import PersonDetector


def detector_card(
    network: PersonDetector, batch: int, sizes_px: Sequence[tuple[int, int]], metrics: Mapping[str, float]
) -> str:
    """Title to limits.

    Args:
        network: as trained.
        batch: pictures a step.
        sizes_px: that they were drawn in.
        metrics: on held-back pictures.
    """
    c = network.config
    sizes = ", ".join(f"{w}x{h}" for w, h in sizes_px)
    return recipe_card(
        "Person detector",
        "Finds people in pictures of any size, one class. Tensors as YOLOX's, for the `yolox` adapter: `images` float32"
        " [n, 3, H, W], BGR, 0 to 255, sides multiples of 32; `output` [n, cells, 6] of strides 8, 16, 32. A score of "
        "0.45 is a good threshold: the logits were stretched and shifted so that the best F0.5 on pictures like "
        "those of the training lies there.",
        (
            f"dense convolutions of {', '.join(map(str, c.widths))} channels at strides 4 to 32, a two-way neck and a "
            f"shared head of {c.neck}; batch normalisation folded into them",
            f"{batch} composed pictures a step ({sizes}): rendered people and things on rendered places, with a "
            "camera's faults; no photograph or video of anybody",
            "task-aligned assignment (Feng et al. 2021), quality focal loss (Li et al. 2020), GIoU and relative size",
            "who is seen by less than a quarter, or less than 10 pixels high, is neither taught nor counted",
        ),
        "Rendered pictures of people, clothes, things and places that were not learned from: average precision at IoU "
        "0.5 and over 0.5 to 0.95; precision, recall and F1 at score 0.45 and IoU 0.5; the best F1 and its threshold. "
        "Boxes that score under 0.05 are left out.",
        metrics,
        {},
        "Learned from rendered people alone: real ones it never saw. People who sit, lie, ride or are wrapped up, "
        "children, and dense crowds from very low are found worst; statues and dolls are found too.",
    )
