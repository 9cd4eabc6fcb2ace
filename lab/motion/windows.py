"""Windows of 64 frames cut from tracks, as tensors: drawn at random to learn from, or one after the other to measure.

    x(k) = blend of the two frames around  s + r k + w(k),   k = 0..63

with start s, rate r (1 as recorded) and a smooth warp w: quaternions are blended and normalised, positions linearly. A
drawn window is seen in a mirror half of the time. Contacts are those of the nearest frame; a window played at another
rate keeps its labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...kernels.errors import ShapeError
from ..pose_prior import CATEGORY_SHARES
from ..virtualcrowd.motion.skeleton import OTHER_SIDE
from .track import MotionTrack

WINDOW = 64
SIDES = torch.from_numpy(OTHER_SIDE[:22].copy())
MIRROR_CONTACT = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])
_TURNED = torch.tensor([1.0, 1.0, -1.0, -1.0])
"""A mirror x -> -x keeps a rotation's x part and turns y and z round."""


@dataclass(frozen=True)
class MotionWindows:
    """B windows on the reference skeleton, z up, floor at z = 0, float32."""

    rotmats: Float[Tensor, "B T 22 3 3"]
    """Joint 0 in the world, the rest relative to their parents."""
    root_m: Float[Tensor, "B T 3"]
    """Pelvis joint, metres."""
    contact: Bool[Tensor, "B T 8"]
    contact_known: Bool[Tensor, "B"]
    track: Int[Tensor, "B"]
    """Index of the track each was cut from."""

    def __len__(self) -> int:
        return len(self.root_m)

    def part(self, rows: slice) -> MotionWindows:
        """Some of them."""
        return replace(self, **{k: getattr(self, k)[rows] for k in self.__dataclass_fields__})


class WindowBank:
    """Tracks laid end to end, to cut windows from. Memory: 400 bytes a frame."""

    def __init__(self, tracks: Sequence[MotionTrack]) -> None:
        if not tracks:
            raise ShapeError("no tracks to cut windows from; expected at least one recording")
        self.tracks = tuple(tracks)
        self.lengths = np.array([track.num_frames for track in tracks])
        self.starts = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        self._quats = torch.from_numpy(np.concatenate([track.quats for track in tracks]))
        self._root = torch.from_numpy(np.concatenate([track.root_m for track in tracks]))
        self._contact = torch.from_numpy(np.concatenate([track.contact for track in tracks]))
        self._known = torch.tensor([track.contact_known for track in tracks])

    def cut(
        self,
        track: Int[np.ndarray, "B"],
        first: Float[np.ndarray, "B"],
        rate: Float[np.ndarray, "B"],
        mirror: Bool[np.ndarray, "B"],
        frames: int = WINDOW,
        warp: Float[np.ndarray, "B T"] | None = None,
    ) -> MotionWindows:
        """Windows of given tracks from given (fractional) frames at given rates.

        Args:
            track, first, rate, mirror: of each window.
            frames: of a window.
            warp: added to the places in the recording, in its frames; None for an even rate.
        """
        place = torch.from_numpy(
            first[:, None] + rate[:, None] * np.arange(frames) + (0.0 if warp is None else warp)
        )
        last = torch.from_numpy(self.lengths[track] - 1)[:, None]
        place = torch.minimum(place.clamp(min=0), last.double())
        low = torch.minimum(place.floor().long(), (last - 1).clamp(min=0))
        share = (place - low).float()
        row = low + torch.from_numpy(self.starts[track])[:, None]
        high = torch.minimum(row + 1, torch.from_numpy(self.starts[track])[:, None] + last)
        turn = torch.nn.functional.normalize(
            torch.lerp(self._quats[row], self._quats[high], share[..., None, None]), dim=-1
        )
        root = torch.lerp(self._root[row], self._root[high], share[..., None])
        contact = self._contact[torch.where(share < 0.5, row, high)]
        flip = torch.from_numpy(mirror)
        if mirror.any():
            turn[flip] = turn[flip][:, :, SIDES] * _TURNED
            root[flip] = root[flip] * torch.tensor([-1.0, 1.0, 1.0])
            contact[flip] = contact[flip][:, :, MIRROR_CONTACT]
        which = torch.from_numpy(track)
        return MotionWindows(quat_to_rotmat(turn), root, contact, self._known[which], which)

    def in_order(self, stride: int = 16) -> MotionWindows:
        """Every whole window at a stride, as recorded."""
        pairs = [(k, s) for k, n in enumerate(self.lengths) for s in range(0, n - WINDOW + 1, stride)]
        track = np.array([k for k, _ in pairs], np.int64)
        first = np.array([s for _, s in pairs], np.float64)
        return self.cut(track, first, np.ones(len(pairs)), np.zeros(len(pairs), bool))


class WindowSampler:
    """Endless random windows: category by its share, then uniform over the frames of the category."""

    def __init__(
        self,
        bank: WindowBank,
        seed: int,
        shares: Mapping[str, float] = CATEGORY_SHARES,
        flatten: float = 0.5,
        rates: tuple[float, float] = (0.8, 1.25),
        warp: float = 0.12,
    ) -> None:
        """
        Args:
            bank: what to cut from.
            seed: everything random follows from it.
            shares: weight of each category.
            flatten: 0 draws by shares alone, 1 by recorded time alone.
            rates: slowest and fastest playing.
            warp: within a window played at another rate, that rate goes up and down by up to this share of itself.
        """
        self.bank, self.rates, self.warp = bank, rates, warp
        self._random = np.random.default_rng(seed)
        room = np.maximum(bank.lengths - WINDOW + 1, 0).astype(np.float64)
        names = [track.category for track in bank.tracks]
        time = {name: sum(r for r, n in zip(room, names, strict=True) if n == name) for name in set(names)}
        total = sum(time.values())
        by_share = np.array(
            [shares.get(n, 0.005) * r / max(time[n], 1) for r, n in zip(room, names, strict=True)]
        )
        by_time = room / max(total, 1.0)
        weight = (1 - flatten) * by_share / max(by_share.sum(), 1e-12) + flatten * by_time
        self.weight = weight / weight.sum()
        """Chance of each track."""

    def reseed(self, seed: int) -> None:
        """Draw from another seed on."""
        self._random = np.random.default_rng(seed)

    def draw(self, count: int) -> MotionWindows:
        """The next windows."""
        random = self._random
        track = random.choice(len(self.weight), count, p=self.weight)
        length = self.bank.lengths[track]
        rate = np.exp(random.uniform(np.log(self.rates[0]), np.log(self.rates[1]), count))
        rate = np.where(random.random(count) < 0.4, 1.0, rate)
        rate = np.minimum(rate, (length - 1) / (WINDOW - 1))
        first = random.random(count) * (length - 1 - rate * (WINDOW - 1))
        mirror = random.random(count) < 0.5
        return self.bank.cut(track, first, rate, mirror, warp=self._warps(rate))

    def _warps(self, rate: Float[np.ndarray, "B"]) -> Float[np.ndarray, "B T"]:
        """One soft wave of the rate: faster and then slower, or the other way; windows at rate 1 stay as recorded.

        The wave's integral is nought at both ends, so that a window begins and ends where it did.
        """
        size = (rate != 1.0)[:, None] * self._random.uniform(-self.warp, self.warp, (len(rate), 1))
        u = np.arange(WINDOW) / (WINDOW - 1)
        return np.asarray(size * rate[:, None] * (WINDOW - 1) * np.sin(np.pi * u) ** 2 / np.pi)


def quat_to_rotmat(quats: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3 3"]:
    """Unit quaternions (w, x, y, z) to matrices."""
    w, x, y, z = quats.unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, -1).reshape(*w.shape, 3, 3)
