"""Synthetic occlusions: which groups of a window are seen (DyCrowd sec. III-C; groups of `kernels.priors.motion_state`).

    random joints, random frames, a part of the body, consecutive frames (everything, the body alone, the path alone)

and what crowds add: the same at the ends of a window, and several at once.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from .windows import WINDOW

GROUPS = 22
PATH = 21
"""Index of the global group; body joint j is group j - 1."""
LEGS = (1, 2, 4, 5, 7, 8, 10, 11)
PARTS = (
    LEGS,
    (4, 5, 7, 8, 10, 11),
    (7, 8, 10, 11),
    (13, 14, 16, 17, 18, 19, 20, 21),
    (18, 19, 20, 21),
    (1, 4, 7, 10, 13, 16, 18, 20),
    (2, 5, 8, 11, 14, 17, 19, 21),
    (12, 13, 14, 15, 16, 17, 18, 19, 20, 21),
    (1, 4, 7, 10),
    (2, 5, 8, 11),
    (16, 18, 20),
    (17, 19, 21),
)
"""Legs; below the thighs; feet; arms; forearms; left, right side; above the chest; one leg; one arm. SMPL joints."""


def draw_occlusion(count: int, random: np.random.Generator) -> Bool[Tensor, "B 64 22"]:
    """What is seen in each of `count` windows; never nothing at all."""
    seen = np.ones((count, WINDOW, GROUPS), bool)
    kind = random.choice(6, count, p=(0.10, 0.40, 0.22, 0.10, 0.08, 0.10))
    for row, what in enumerate(kind):
        if what == 1:
            _stretch(seen[row], random)
        elif what == 2:
            _part(seen[row], random)
        elif what == 3:
            seen[row][:, :PATH] &= random.random(PATH) > random.uniform(0.05, 0.5)
        elif what == 4:
            seen[row][random.random(WINDOW) < random.uniform(0.1, 0.8)] = False
        elif what == 5:
            _stretch(seen[row], random)
            _part(seen[row], random)
    nothing = ~seen[..., PATH].any(1)
    seen[nothing, 0] = True
    return torch.from_numpy(seen)


def _stretch(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """Consecutive frames: in the middle, anywhere, or at an end."""
    where = random.random()
    if where < 0.45:
        length = int(random.integers(8, 53))
        first = (WINDOW - length) // 2 + int(random.integers(-4, 5))
    elif where < 0.75:
        length = int(random.integers(4, 41))
        first = int(random.integers(0, WINDOW - length + 1))
    else:
        length = int(random.integers(4, 41))
        first = 0 if random.random() < 0.3 else WINDOW - length
    first = int(np.clip(first, 0, WINDOW - length))
    what = random.random()
    groups = slice(0, GROUPS) if what < 0.8 else slice(0, PATH) if what < 0.93 else slice(PATH, GROUPS)
    seen[first : first + length, groups] = False


def _part(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """A part of the body, mostly over the whole window."""
    part = [joint - 1 for joint in PARTS[0 if random.random() < 0.35 else int(random.integers(len(PARTS)))]]
    if random.random() < 0.65:
        seen[:, part] = False
        return
    length = int(random.integers(8, WINDOW))
    first = int(random.integers(0, WINDOW - length + 1))
    frames = np.arange(first, first + length)
    seen[np.ix_(frames, part)] = False
