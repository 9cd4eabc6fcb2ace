"""Cut-outs of rendered people and things, and the bank file that keeps many of them.

A sprite is what one camera sees of one person (or thing) in front of nothing. A scene lays sprites over a backdrop,
far ones first, so one rendering serves in thousands of pictures. Pixels of a whole bank lie end to end in one `.npy`
file that is mapped, not read; the rest is in `index.npz` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from ...kernels.errors import CrowdstreamError
from ...kernels.skeleton import COCO_KEYPOINTS

Array = np.ndarray

NUM_KEYPOINTS = len(COCO_KEYPOINTS)
_PIXELS, _INDEX = "pixels.npy", "index.npz"
_PLANES = 5
_VERSION = 1


class BankError(CrowdstreamError):
    """A folder that is not a bank of sprites, or not a whole one."""


@dataclass(frozen=True)
class Sprite:
    """One person or thing in front of nothing. Pixel centres are whole numbers, as everywhere."""

    colour: UInt8[Array, "H W 3"]
    """BGR of what is drawn, not multiplied by `alpha`; where nothing is, the colour of the nearest drawn pixel."""
    alpha: UInt8[Array, "H W"]
    """Cover of all that is drawn, 255: full."""
    body: UInt8[Array, "H W"]
    """Cover of the person in their clothes, without what they carry or push; nothing for a thing."""
    keypoints_px: Float[Array, "17 2"]
    """COCO-17 in pixels of the sprite; not a number for a thing."""
    seen: UInt8[Array, "17"]
    """1: nothing of the person themselves or of what they carry lies in front of the keypoint."""
    foot_px: Float[Array, "2"]
    """The point of the ground under the pelvis (things: under the middle)."""
    px_per_m: float
    """Pixels that one metre across the view takes at the pelvis (things: at the middle)."""
    elevation_rad: float
    """How far down the camera looks at it: 0 level, pi/2 from straight above."""
    kind: str
    """walk, run, ... of the recording for a person; lamp, car, tree, ... for a thing."""

    @property
    def is_person(self) -> bool:
        return bool(np.isfinite(self.keypoints_px).all())


class SpriteBank:
    """Sprites of a folder, read when asked for.

    Raises:
        BankError: no bank in the folder, or one that was cut short.
    """

    def __init__(self, folder: Path) -> None:
        try:
            with np.load(folder / _INDEX, allow_pickle=False) as index:
                self._index = {key: index[key] for key in index.files}
            self._pixels = np.load(folder / _PIXELS, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, KeyError) as exc:
            raise BankError(
                f"no bank of sprites in {folder} ({exc}); remove the folder to have it made anew"
            ) from exc
        size = int((self._index["size"].prod(axis=1) * _PLANES).sum())
        if int(self._index["version"]) != _VERSION or self._pixels.shape != (size,):
            raise BankError(
                f"the bank of sprites in {folder} is of another version or cut short; remove it to have it made anew"
            )
        self._start = np.concatenate([[0], np.cumsum(self._index["size"].prod(axis=1) * _PLANES)])

    def __len__(self) -> int:
        return len(self._index["size"])

    @property
    def elevation_rad(self) -> Float[Array, "N"]:
        """Of every sprite."""
        return np.asarray(self._index["elevation_rad"])

    @property
    def kind(self) -> list[str]:
        """Of every sprite."""
        return [str(kind) for kind in self._index["kind"]]

    def __getitem__(self, row: int) -> Sprite:
        index = self._index
        height, width = index["size"][row].tolist()
        flat = self._pixels[self._start[row] : self._start[row + 1]]
        area = height * width
        return Sprite(
            colour=np.asarray(flat[: 3 * area]).reshape(height, width, 3),
            alpha=np.asarray(flat[3 * area : 4 * area]).reshape(height, width),
            body=np.asarray(flat[4 * area :]).reshape(height, width),
            keypoints_px=index["keypoints_px"][row], seen=index["seen"][row], foot_px=index["foot_px"][row],
            px_per_m=float(index["px_per_m"][row]), elevation_rad=float(index["elevation_rad"][row]),
            kind=str(index["kind"][row]),
        )  # fmt: skip


def save_bank(folder: Path, sprites: Iterable[Sprite]) -> int:
    """Write a bank; the index, which makes it one, comes last. Returns the number of sprites.

    Raises:
        BankError: nothing to write, or the disk refuses.
    """
    meta: list[Sprite] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        flat = folder / f".{_PIXELS}.part"
        with open(flat, "wb") as out:
            for sprite in sprites:
                out.write(np.ascontiguousarray(sprite.colour).tobytes())
                out.write(np.ascontiguousarray(sprite.alpha).tobytes())
                out.write(np.ascontiguousarray(sprite.body).tobytes())
                meta.append(_without_pixels(sprite))
        if not meta:
            raise BankError(f"nothing to write to {folder}: got no sprites, expected at least one")
        _to_npy(flat, folder / _PIXELS)
        flat.unlink()
        _write_index(folder / _INDEX, meta)
    except OSError as exc:
        raise BankError(f"cannot write a bank of sprites to {folder}: {exc.strerror or exc}") from exc
    return len(meta)


def _without_pixels(sprite: Sprite) -> Sprite:
    """Its numbers, and empty planes of its size (a view of one byte)."""
    shape = sprite.alpha.shape
    empty = np.broadcast_to(np.uint8(0), shape)
    return Sprite(
        np.broadcast_to(np.uint8(0), (*shape, 3)), empty, empty, sprite.keypoints_px, sprite.seen, sprite.foot_px,
        sprite.px_per_m, sprite.elevation_rad, sprite.kind,
    )  # fmt: skip


def _to_npy(flat: Path, target: Path) -> None:
    source = np.memmap(flat, np.uint8, "r")
    mapped = np.lib.format.open_memmap(str(target), "w+", np.uint8, source.shape)
    for start in range(0, len(source), 1 << 26):
        mapped[start : start + (1 << 26)] = source[start : start + (1 << 26)]
    mapped.flush()


def _write_index(target: Path, meta: list[Sprite]) -> None:
    part = target.with_name(f".{target.name}.part")
    with open(part, "wb") as out:
        np.savez(
            out, version=np.int64(_VERSION),
            size=np.array([s.alpha.shape for s in meta], np.int64),
            keypoints_px=np.stack([s.keypoints_px for s in meta]).astype(np.float32),
            seen=np.stack([s.seen for s in meta]).astype(np.uint8),
            foot_px=np.stack([s.foot_px for s in meta]).astype(np.float32),
            px_per_m=np.array([s.px_per_m for s in meta], np.float32),
            elevation_rad=np.array([s.elevation_rad for s in meta], np.float32),
            kind=np.array([s.kind for s in meta]),
        )  # fmt: skip
    part.replace(target)
