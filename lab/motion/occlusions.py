"""Synthetic occlusions: which groups (`kernels.priors.motion_state`) of a window are seen (DyCrowd sec. III-C).

    joints     some joints, for the whole window or flickering
    frames     frames here and there
    part       legs, what is below the waist, arms, one side ...; for the whole window or a while
    stretch    consecutive frames: everything, the body alone, or the path alone; in the middle, anywhere, at the ends

The first three and the stretch are the paper's four kinds; crowds add two at once (legs behind others, and then
somebody passes) and people who come into sight or leave it. Something is always left to go by.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool
from pydantic import Field
from torch import Tensor

from ...kernels.settings import StageConfig
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
    (12, 15),
    (1, 4, 7, 10),
    (2, 5, 8, 11),
    (16, 18, 20),
    (17, 19, 21),
)
"""Legs; below the thighs; feet; arms; forearms; left, right side; above the chest; head; one leg; one arm."""
ENOUGH_FRAMES = 4
"""In which the path is seen, and in which a part of the body is, whatever was drawn."""
ENOUGH_JOINTS = 4

Kind = Literal["none", "stretch", "part", "joints", "frames", "two"]
KINDS: tuple[Kind, ...] = get_args(Kind)


class OcclusionConfig(StageConfig):
    """How often which kind; shares of the windows."""

    none: float = Field(default=0.10, ge=0.0, le=1.0)
    """Everything seen."""
    stretch: float = Field(default=0.36, ge=0.0, le=1.0)
    """Consecutive frames."""
    part: float = Field(default=0.22, ge=0.0, le=1.0)
    """A part of the body."""
    joints: float = Field(default=0.10, ge=0.0, le=1.0)
    """Random joints."""
    frames: float = Field(default=0.08, ge=0.0, le=1.0)
    """Random frames."""
    two: float = Field(default=0.14, ge=0.0, le=1.0)
    """A stretch, or joints that flicker, and a part of the body at once."""


def draw_occlusion(
    count: int, random: np.random.Generator, config: OcclusionConfig | None = None
) -> Bool[Tensor, "B 64 22"]:
    """What is seen in each of `count` windows.

    At least `ENOUGH_FRAMES` frames show the path, and as many at least `ENOUGH_JOINTS` joints of the body.
    """
    shares = np.array([getattr(config or OcclusionConfig(), kind) for kind in KINDS])
    seen = np.ones((count, WINDOW, GROUPS), bool)
    for row, kind in enumerate(random.choice(len(KINDS), count, p=shares / shares.sum())):
        occlude(seen[row], KINDS[kind], random)
    return torch.from_numpy(seen)


def occlude(seen: Bool[np.ndarray, "64 22"], kind: Kind, random: np.random.Generator) -> None:
    """Hides in one window what the kind says, in place."""
    if kind == "stretch":
        _stretch(seen, random)
    elif kind == "part":
        _part(seen, random)
    elif kind == "joints":
        _joints(seen, random)
    elif kind == "frames":
        _frames(seen, random)
    elif kind == "two":
        _part(seen, random)
        (_stretch if random.random() < 0.75 else _joints)(seen, random)
    _leave_something(seen, random)


def _stretch(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """Consecutive frames: in the middle, anywhere, at an end, or at both."""
    where, what = random.random(), random.random()
    groups = slice(0, GROUPS) if what < 0.8 else slice(0, PATH) if what < 0.92 else slice(PATH, GROUPS)
    if where < 0.45:
        length = int(random.integers(8, 53))
        first = (WINDOW - length) // 2 + int(random.integers(-4, 5))
    elif where < 0.72:
        length = int(random.integers(4, 41))
        first = int(random.integers(0, WINDOW - length + 1))
    elif where < 0.94:
        length = int(random.integers(4, 41))
        first = 0 if random.random() < 0.35 else WINDOW - length
    else:
        seen[: int(random.integers(4, 21)), groups] = False
        length = int(random.integers(4, 21))
        first = WINDOW - length
    seen[first : first + length, groups] = False


def _part(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """A part of the body, legs more often than others, mostly over the whole window."""
    joints = PARTS[0 if random.random() < 0.35 else int(random.integers(len(PARTS)))]
    part = np.array(joints) - 1
    if random.random() < 0.65:
        seen[:, part] = False
        return
    length = int(random.integers(8, WINDOW))
    first = int(random.integers(0, WINDOW - length + 1))
    seen[first : first + length, part] = False


def _joints(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """Some joints throughout, or each joint now and then."""
    share = random.uniform(0.05, 0.5)
    shape = (PATH,) if random.random() < 0.5 else (WINDOW, PATH)
    seen[:, :PATH] &= random.random(shape) > share


def _frames(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """Frames at random, wholly."""
    seen[random.random(WINDOW) < random.uniform(0.1, 0.8)] = False


def _leave_something(seen: Bool[np.ndarray, "64 22"], random: np.random.Generator) -> None:
    """Uncovers a few consecutive frames where nothing would be left to go by."""
    path = seen[:, PATH].sum() >= ENOUGH_FRAMES
    body = (seen[:, :PATH].sum(1) >= ENOUGH_JOINTS).sum() >= ENOUGH_FRAMES
    if not (path and body):
        first = int(random.integers(0, WINDOW - ENOUGH_FRAMES + 1))
        seen[first : first + ENOUGH_FRAMES] = True
