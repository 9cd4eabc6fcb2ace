"""What a detector and a pose network report of windows: the fitted laws of `virtualcrowd`, many windows at a time.

The equations are those of `sighting_boxes` (who is found) and `sighting_keypoints` (errors, swaps, jumps,
confidence), with every number from the fitted JSON; here in torch, on the plane across the ray, where a pixel is
height_m / height_px metres.
Left out are boxes of nobody, second boxes and suppression: a tracker's business, not the lifter's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.special import ndtr
from torch import Tensor

from ..virtualcrowd.sighting_boxes import EDGE_LIMIT, HIDDEN_SURELY, SHRINK_SPREAD
from ..virtualcrowd.sighting_keypoints import (
    CROP_ASPECT,
    CROP_GROWTH,
    NEAR_JOINT,
    SWAPS,
    UNSURE_Z,
)
from ..virtualcrowd.sighting_model import LEVELS, STATES, SightingModel
from .chains import chain, mixed, switches
from .hiding import OCCLUDED, OUTSIDE, Hidden
from .views import RATE_HZ, TrueView

BINS = 256
Z_RANGE = 4.0
"""Confidence is looked up by its normal score in so many steps from -Z_RANGE to Z_RANGE."""


@dataclass(frozen=True)
class Reported:
    """What the networks say, on the plane of the true frames."""

    points_m: Float[Tensor, "B T 17 2"]
    confidence: Float[Tensor, "B T 17"]
    box_m: Float[Tensor, "B T 4"]
    """Left, low, right, high."""
    found: Bool[Tensor, "B T"]
    """The detector gave a box."""


class SightingLaw:
    """One fitted model as tensors."""

    def __init__(self, model: SightingModel) -> None:
        self.model = model
        k = model.keypoints
        self.std = torch.tensor(k.std)
        self.log_std = torch.tensor(k.log_std)
        self.honesty = torch.tensor(k.honesty)
        self.bias = torch.tensor(k.bias)
        z = np.linspace(-Z_RANGE, Z_RANGE, BINS)
        table = np.asarray(k.confidence).reshape(-1, len(LEVELS))
        rows = np.stack([np.interp(ndtr(z), LEVELS, row) for row in table])
        self.quantiles = torch.from_numpy(rows.astype(np.float32)).reshape(len(STATES), 17, BINS)

    def report(
        self, view: TrueView, hidden: Hidden, height_px: Float[Tensor, "B"], generator: torch.Generator
    ) -> Reported:
        """Sightings of every slot, found or not.

        Args:
            view: the truth.
            hidden: what shows of it.
            height_px: size in the picture of somebody who fills 1.7 m.
            generator: everything random follows from it.
        """
        tall_m = view.height_m
        tall_px = (height_px[:, None] * tall_m / 1.7).clamp_min(4.0)
        found, doubt, evidence = self._find(hidden, tall_px, generator)
        box = self._boxes(view, hidden, evidence, generator)
        points, state, wrong = self._looked_at(view, hidden, tall_px, generator)
        hard = self._difficulty(doubt, generator)
        sure = self._sureness(hard, state, generator)
        k = self.model.keypoints
        which = torch.arange(17)
        std = (self.std[state, which] ** 2 + (k.std_px / tall_px[..., None]) ** 2).sqrt() * tall_m[..., None]
        grown = self.log_std[state] * hard + k.unsure_growth * (UNSURE_Z - sure).clamp_min(0)
        batch, frames = tall_m.shape
        noise = mixed(generator, batch, frames, 34, RATE_HZ, k.error_s, k.error_fast)
        noise = noise.reshape(batch, frames, 17, 2)
        points = points + noise * (std * grown.exp())[..., None]
        octaves = (tall_px / k.confidence_at_px).log2()
        sure = sure + k.confidence_octave * octaves[..., None] + k.wrong_shift * wrong
        place = ((sure + Z_RANGE) * ((BINS - 1) / (2 * Z_RANGE))).round().clamp(0, BINS - 1).long()
        confidence = self.quantiles[state, which, place]
        return Reported(_in_crop(points, box), confidence, box, found)

    def _find(
        self, hidden: Hidden, tall_px: Float[Tensor, "B T"], generator: torch.Generator
    ) -> tuple[Bool[Tensor, "B T"], Float[Tensor, "B T"], Float[Tensor, "B T"]]:
        """Found or not, the detector's doubt (standard normal), and the evidence."""
        m = self.model.boxes
        batch, frames = tall_px.shape
        occluded = (hidden.state == OCCLUDED).float().mean(-1)
        cut = (hidden.state == OUTSIDE).float().mean(-1)
        share = (occluded / (1 - cut).clamp_min(1e-3)).clamp(0, 1)
        luck = chain(generator, batch, frames, 2, RATE_HZ, m.slow_s)
        loss = (m.hidden_loss + m.hidden_std * luck[..., 0]).clamp_min(0)
        small = (m.small_px / tall_px) ** m.small_power
        steady = torch.randn(batch, 1, generator=generator)
        fast = torch.randn(batch, frames, generator=generator)
        noise = m.person_std * steady + m.slow_std * luck[..., 1] + m.fast_std * fast
        evidence = m.evidence - small - loss * share**m.hidden_power - m.cut_loss * cut + noise
        spread = (m.person_std**2 + m.slow_std**2 + m.fast_std**2) ** 0.5
        found = (m.score_ceiling * evidence.sigmoid() >= m.score_floor) & (cut + occluded < 0.97)
        return found, -noise / max(spread, 1e-9), evidence

    def _boxes(
        self, view: TrueView, hidden: Hidden, evidence: Float[Tensor, "B T"], generator: torch.Generator
    ) -> Float[Tensor, "B T 4"]:
        m = self.model.boxes
        batch, frames = evidence.shape
        shows = (hidden.state < OCCLUDED)[..., None]
        far = 1e3
        low = view.points_m.amin(2), torch.where(shows, view.points_m, far).amin(2)
        high = view.points_m.amax(2), torch.where(shows, view.points_m, -far).amax(2)
        some = shows.any(2)
        moved = torch.cat([(low[1] - low[0]) * some, (high[1] - high[0]) * some], -1)
        slow = chain(generator, batch, frames, 6, RATE_HZ, m.edge_slow_s)
        wish = (m.shrink + SHRINK_SPREAD * slow[..., :1]).clamp(0, 1)
        covered = ((hidden.state == OCCLUDED).float().mean(-1, keepdim=True)) > HIDDEN_SURELY
        box = view.box_m + wish * covered * moved
        fast = torch.randn(batch, frames, 4, generator=generator)
        noise = m.edge_slow_share**0.5 * slow[..., 2:] + (1 - m.edge_slow_share) ** 0.5 * fast
        along = m.side_correlation
        right = along * noise[..., 0] + (1 - along**2) ** 0.5 * noise[..., 2]
        # edges here: left, low, right, high; the fitted order is sides, top, bottom
        noise = torch.stack([noise[..., 0], noise[..., 3], right, noise[..., 1]], -1)
        sides, top, bottom = m.edge_std
        widen = m.edge_tail * slow[..., 1:2] + m.edge_doubt * (m.evidence - evidence).clamp_min(0)[..., None]
        out = torch.tensor([sides, bottom, sides, top]) * (noise * widen.clamp_max(2.0).exp()).clamp(
            -EDGE_LIMIT, EDGE_LIMIT
        )
        bias = torch.tensor([m.edge_bias[0], m.edge_bias[2], m.edge_bias[0], m.edge_bias[1]])
        sign = torch.tensor([-1.0, -1.0, 1.0, 1.0])
        box = box + sign * (out + bias) * view.height_m[..., None]
        limit = hidden.limits_m
        low_edge = torch.minimum(torch.maximum(box[..., :2], limit[..., :2]), limit[..., 2:])
        high_edge = torch.maximum(torch.minimum(box[..., 2:], limit[..., 2:]), limit[..., :2])
        return torch.cat([low_edge, torch.maximum(high_edge, low_edge + 1e-3)], -1)

    def _looked_at(
        self, view: TrueView, hidden: Hidden, tall_px: Float[Tensor, "B T"], generator: torch.Generator
    ) -> tuple[Float[Tensor, "B T 17 2"], Int[Tensor, "B T 17"], Bool[Tensor, "B T 17"]]:
        """Truth with the network's idea of joints, swaps and jumps."""
        k = self.model.keypoints
        points = view.points_m + torch.einsum("btkc,jk->btjc", _body_axes(view.points_m), self.bias)
        behind = points[..., 5, 0] < points[..., 6, 0]
        more = torch.where(behind, k.swap_behind, 1.0) * (100.0 / tall_px) ** k.swap_small
        joint = torch.arange(17).expand(*tall_px.shape, 17)
        for kind, swap in enumerate(torch.from_numpy(SWAPS)):
            rate, stay = k.swap_per_s[kind], k.swap_s[kind]
            if rate > 0.0:
                on = switches(generator, (rate * stay * more).clamp_max(0.45), RATE_HZ, stay)
                joint = torch.where(on[..., None], joint[..., swap], joint)
        wrong = joint != torch.arange(17)
        points = points.gather(2, joint[..., None].expand_as(points))
        state = hidden.state.gather(2, joint)
        if k.jump > 0.0:
            theirs = hidden.neighbour_m
            near = (theirs - points).norm(dim=-1) < NEAR_JOINT * view.height_m[..., None]
            open_to = near & (state == OCCLUDED)
            on = switches(generator, torch.where(open_to, k.jump, 0.0), RATE_HZ, k.jump_s) & open_to
            points = torch.where(on[..., None], theirs, points)
            state, wrong = torch.where(on, 0, state), wrong | on
        return points, state, wrong

    def _difficulty(self, doubt: Float[Tensor, "B T"], generator: torch.Generator) -> Float[Tensor, "B T 17"]:
        k = self.model.keypoints
        batch, frames = doubt.shape
        drawn = mixed(generator, batch, frames, 18, RATE_HZ, k.difficulty_s, k.difficulty_fast)
        shared = k.score_honesty * doubt + (1 - k.score_honesty**2) ** 0.5 * drawn[..., 17]
        own, common = (1 - k.difficulty_person) ** 0.5, k.difficulty_person**0.5
        hard: Tensor = own * drawn[..., :17] + common * shared[..., None]
        return hard

    def _sureness(
        self, hard: Float[Tensor, "B T 17"], state: Int[Tensor, "B T 17"], generator: torch.Generator
    ) -> Float[Tensor, "B T 17"]:
        """Normal score of the confidence before size, swaps and jumps shift it."""
        k = self.model.keypoints
        batch, frames = hard.shape[:2]
        drawn = mixed(generator, batch, frames, 18, RATE_HZ, k.confidence_s, k.confidence_fast)
        own = (1 - k.confidence_person) ** 0.5 * drawn[..., :17] + k.confidence_person**0.5 * drawn[..., 17:]
        honesty = self.honesty[state]
        sure: Tensor = (1 - honesty**2).sqrt() * own - honesty * hard
        return sure


def _body_axes(points: Float[Tensor, "*batch 17 2"]) -> Float[Tensor, "*batch 3 2"]:
    """Right hip to left hip, hips to shoulders, ears to nose."""
    left = points[..., 11, :] - points[..., 12, :]
    up = 0.5 * (points[..., 5, :] + points[..., 6, :] - points[..., 11, :] - points[..., 12, :])
    ahead = points[..., 0, :] - 0.5 * (points[..., 3, :] + points[..., 4, :])
    return torch.stack([left, up, ahead], -2)


def _in_crop(points: Float[Tensor, "B T 17 2"], box: Float[Tensor, "B T 4"]) -> Float[Tensor, "B T 17 2"]:
    """Keypoints cannot leave the crop: the box, grown to 3:4 and by a quarter."""
    centre = 0.5 * (box[..., :2] + box[..., 2:])
    side = CROP_GROWTH * (box[..., 2:] - box[..., :2])
    tall = torch.maximum(side[..., 1], side[..., 0] / CROP_ASPECT)
    half = 0.5 * torch.stack([CROP_ASPECT * tall, tall], -1)
    return torch.minimum(torch.maximum(points, (centre - half)[:, :, None]), (centre + half)[:, :, None])
