"""More motion than was recorded: what crowds do, made from what there is.

In this order, each with its own chance a window:

    standing       standing poses put to slow life                   `standing`
    recombination  legs of one window under another's upper body     `recombine`
    hands          phones, pockets, bags, talk                       `arms`
    heads          looks to the sides                                `arms`
    manner         small set differences between people              `manner`
    curve          the path bent about the resting feet              `heading`
    ground         a floor that is not where one thinks

(Mirror, tempo and start are drawn by `windows.WindowSampler`.) Batch k of a seed is the same whenever it is drawn,
for the same windows. On contacts: a synthetic stance rests on both feet; a bent path takes a label away where the foot
moves by 3 mm a frame more than before; everything else leaves feet and labels alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from ...kernels.settings import StageConfig
from .arms import hold_things, look_around
from .heading import bend, curves
from .manner import manners
from .recombine import UPPER, partners
from .standing import stand, standing_frames
from .windows import MotionWindows

UPRIGHT = 0.88
"""Least cosine between the pelvis's up axis and up (28 degrees)."""
STANDS_HIGH_M = 0.80
SLIDE_ENDS_CONTACT_M = 0.003
CHANGES = ("standing", "recombine", "hands", "heads", "manner", "curve", "ground")
"""In the order in which they are made."""


class AugmentConfig(StageConfig):
    """Chances a window, of those to which it can be done at all."""

    standing: float = Field(default=0.35, ge=0.0, le=1.0)
    """Of windows in which somebody stands: replaced by a synthetic stance."""
    recombine: float = Field(default=0.30, ge=0.0, le=1.0)
    """Another window's upper body, where the two can be one person."""
    hands: float = Field(default=0.20, ge=0.0, le=1.0)
    """Of upright windows slower than a jog: hands at something."""
    heads: float = Field(default=0.20, ge=0.0, le=1.0)
    """Of upright windows: looks to a side."""
    manner: float = Field(default=0.50, ge=0.0, le=1.0)
    """Small constant differences of posture."""
    curve: float = Field(default=0.40, ge=0.0, le=1.0)
    """Of upright windows that go somewhere: a bent path."""
    ground: float = Field(default=0.10, ge=0.0, le=1.0)
    """A floor that is off."""
    ground_sd_m: float = Field(default=0.015, ge=0.0, le=0.2)
    """By how much."""


@dataclass(frozen=True)
class _Kind:
    """What a window shows, as far as it decides what can be done to it."""

    upright: Bool[Tensor, "B"]
    stands: Bool[Tensor, "B T"]
    speed_m_s: Float[Tensor, "B"]
    lean: Float[Tensor, "B 2"]


class Augmenter:
    """Augments one batch after the other."""

    def __init__(self, config: AugmentConfig, seed: int) -> None:
        self.config, self.seed = config, seed
        self._generator = torch.Generator()
        self._step = 0
        self.done: dict[str, Bool[Tensor, "B"]] = {}
        """Which windows of the last batch each of `CHANGES` was made to."""

    def reseed(self, step: int) -> None:
        """The next batch is batch `step` of the seed."""
        self._step = step

    def __call__(self, windows: MotionWindows) -> MotionWindows:
        """The batch, augmented; the input is left as it is."""
        state = np.random.SeedSequence([self.seed, self._step]).generate_state(1, np.uint64)[0]
        self._generator.manual_seed(int(state) >> 1)
        self._step += 1
        out = replace(
            windows,
            rotmats=windows.rotmats.clone(),
            root_m=windows.root_m.clone(),
            contact=windows.contact.clone(),
        )
        kind = _kind(out)
        self._stand(out, kind)
        self._recombine(out, kind)
        slow = kind.upright & (kind.speed_m_s < 2.0)
        for name, able, change in (("hands", slow, hold_things), ("heads", kind.upright, look_around)):
            rows = self._rows(name, able)
            if len(rows):
                out.rotmats[rows] = change(out.rotmats[rows], self._generator)
        self._manner(out)
        self._curve(out, kind)
        self._ground(out)
        return out

    def _rows(self, name: str, able: Bool[Tensor, "B"]) -> Int[Tensor, "R"]:
        """To which windows a change is made, of those to which it can be."""
        chance: float = getattr(self.config, name)
        self.done[name] = able & (torch.rand(len(able), generator=self._generator) < chance)
        return self.done[name].nonzero()[:, 0]

    def _stand(self, windows: MotionWindows, kind: _Kind) -> None:
        rows = self._rows("standing", kind.stands.any(1) & windows.contact_known)
        if not len(rows):
            return
        weight = kind.stands[rows].float()
        first, last = (torch.multinomial(weight, 1, generator=self._generator)[:, 0] for _ in range(2))
        other = rows[torch.randperm(len(rows), generator=self._generator)]
        same = torch.rand(len(rows), generator=self._generator) < 0.5
        at = kind.stands[other].float()
        elsewhere = torch.multinomial(at, 1, generator=self._generator)[:, 0]
        alike = (kind.lean[rows] - kind.lean[other]).norm(dim=-1) < 0.15
        own = windows.rotmats[rows, last]
        upper = torch.where((same | ~alike)[:, None, None, None], own, windows.rotmats[other, elsewhere])
        frames = windows.root_m.shape[1]
        turned, path = stand(
            windows.rotmats[rows, first], upper, windows.root_m[rows, first], frames, self._generator
        )
        windows.rotmats[rows], windows.root_m[rows] = turned, path
        windows.contact[rows] = torch.tensor([True] * 4 + [False] * 4)
        kind.speed_m_s[rows] = 0.0

    def _recombine(self, windows: MotionWindows, kind: _Kind) -> None:
        other, able = partners(kind.lean, kind.upright, kind.speed_m_s, self._generator)
        rows = self._rows("recombine", able)
        if len(rows):
            taken = windows.rotmats[other[rows]][:, :, UPPER]
            windows.rotmats[
                rows[:, None, None], torch.arange(taken.shape[1])[:, None], torch.tensor(UPPER)
            ] = taken

    def _manner(self, windows: MotionWindows) -> None:
        rows = self._rows("manner", torch.ones(len(windows), dtype=torch.bool))
        if len(rows):
            joints, offsets = manners(len(rows), self._generator)
            at = (rows[:, None], slice(None), joints)
            # advanced indices on both sides of a slice put their axes first: (R, K, T, 3, 3)
            windows.rotmats[at] = windows.rotmats[at] @ offsets[:, :, None]

    def _curve(self, windows: MotionWindows, kind: _Kind) -> None:
        rows = self._rows("curve", kind.upright & (kind.speed_m_s > 0.4))
        if not len(rows):
            return
        turn = curves(kind.speed_m_s[rows], windows.root_m.shape[1], self._generator)
        bent = bend(windows.rotmats[rows], windows.root_m[rows], turn)
        windows.rotmats[rows, :, 0], windows.root_m[rows] = bent.root_rotmat, bent.root_m
        windows.contact[rows, :, :4] &= bent.slide_m < SLIDE_ENDS_CONTACT_M

    def _ground(self, windows: MotionWindows) -> None:
        rows = self._rows("ground", torch.ones(len(windows), dtype=torch.bool))
        off = self.config.ground_sd_m * torch.randn(len(rows), 1, generator=self._generator)
        windows.root_m[rows, :, 2] += off


def _kind(windows: MotionWindows) -> _Kind:
    pelvis = windows.rotmats[:, :, 0]
    up = pelvis[..., 1]
    tall = (up[..., 2] > UPRIGHT) & (windows.root_m[..., 2] > STANDS_HIGH_M)
    ahead = torch.nn.functional.normalize(pelvis[..., :2, 2], dim=-1)
    fore = (ahead * up[..., :2]).sum(-1)
    aside = ahead[..., 0] * up[..., 1] - ahead[..., 1] * up[..., 0]
    path = windows.root_m[..., :2]
    speed = (path[:, 1:] - path[:, :-1]).norm(dim=-1).mean(1) * 30.0
    return _Kind(
        upright=tall.all(1),
        stands=standing_frames(windows.contact, tall),
        speed_m_s=speed,
        lean=torch.stack([fore.mean(1), aside.mean(1)], -1),
    )
