"""What an appearance code is: unit rows made of blocks, a block of zeros where that part was not seen.

A colour code has four blocks (kernels.perception.appearance), an embedding of a network is one block:

    [ torso: brightness 8 | torso: chroma 25 | legs: brightness 8 | legs: chroma 25 ]

Codes are compared on the blocks that both know, by the cosine of what is left of them there:

    d(a, b) = 1 - a_m . b_m / (|a_m| |b_m|)

so legs that a bench hides, or the colours that a grey camera has not, speak neither for nor against anybody. Where all
blocks are known this is the plain cosine distance.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int

Array = np.ndarray

BRIGHTNESS_BINS = 8
CHROMA_BINS = 25
BLOCK_SIZES = (BRIGHTNESS_BINS, CHROMA_BINS, BRIGHTNESS_BINS, CHROMA_BINS)
COLOUR_SIZE = sum(BLOCK_SIZES)
"""Length of a colour code; codes of another length are embeddings."""
CHROMA_SHARE = 0.4
"""Share of a half's squared length that its chroma has. On PETS09 all from 0.35 to 0.5 tell people apart alike."""
_BLOCK_SHARE = (0.5 * (1 - CHROMA_SHARE), 0.5 * CHROMA_SHARE) * 2


class CodeKind(IntEnum):
    """What two codes were compared by."""

    NONE = 0
    """They know nothing in common."""
    COLOUR = 1
    """Brightness and chroma."""
    GREY = 2
    """Brightness alone: the camera, or one of the codes, has no colours."""
    EMBEDDING = 3
    """Codes of a network."""


def block_shares(size: int) -> Float[Array, "B"]:
    """Share of the squared length that each block of a code of this size has where all are known."""
    return np.array(_BLOCK_SHARE if size == COLOUR_SIZE else (1.0,))


def known_blocks(codes: Float[Array, "N A"]) -> Bool[Array, "N B"]:
    """Which blocks of each code are known."""
    return np.add.reduceat(codes != 0.0, _starts(codes.shape[1]), axis=1) > 0


def codes_meet(a: Float[Array, "P A"], b: Float[Array, "P A"]) -> Bool[Array, "P"]:
    """Pairs that know something in common."""
    return np.asarray((known_blocks(a) & known_blocks(b)).any(axis=1))


def compare_codes(
    a: Float[Array, "P A"], b: Float[Array, "P A"]
) -> tuple[Float[Array, "P"], Int[Array, "P"], Float[Array, "P"]]:
    """Pairs of codes.

    Returns:
        cosine distance on what both know, 0..2, NaN where that is nothing; `CodeKind`; share of a whole code that
        was compared, 0..1.
    """
    if a.shape[1] == 0:
        none = np.zeros(len(a))
        return np.full(len(a), np.nan), none.astype(np.int64), none
    both = known_blocks(a) & known_blocks(b)
    mask = np.repeat(both, _sizes(a.shape[1]), axis=1)
    a, b = np.where(mask, a, 0.0), np.where(mask, b, 0.0)
    length = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.where(length > 0, 1.0 - (a * b).sum(axis=1) / length, np.nan)
    kind = np.full(len(a), int(CodeKind.EMBEDDING))
    if a.shape[1] == COLOUR_SIZE:
        kind = np.where(both[:, 1::2].any(axis=1), int(CodeKind.COLOUR), int(CodeKind.GREY))
    kind = np.where(both.any(axis=1), kind, int(CodeKind.NONE)).astype(np.int64)
    return distance, kind, np.asarray(both @ block_shares(a.shape[1]))


def blend_codes(
    old: Float[Array, "N A"], new: Float[Array, "N A"], rate: Float[Array, "N"]
) -> Float[Array, "N A"]:
    """Unit codes moved towards new ones block by block; a block that only one side knows is taken from there.

    Args:
        rate: share of the new code, 0..1.
    """
    if old.shape[1] == 0:
        return new.copy()
    shares, sizes = block_shares(old.shape[1]), _sizes(old.shape[1])
    a, b = _unit_blocks(old), _unit_blocks(new)
    known_a, known_b = known_blocks(old), known_blocks(new)
    part = np.where(known_a & known_b, rate[:, None], np.where(known_b, 1.0, 0.0))
    wide = np.repeat(part, sizes, axis=1)
    mean = _unit_blocks((1.0 - wide) * a + wide * b) * np.sqrt(np.repeat(shares, sizes))
    return unit_rows(mean)


def unit_rows(codes: Float[Array, "N A"]) -> Float[Array, "N A"]:
    """Rows of length 1; rows of zeros stay."""
    return np.asarray(codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-12))


def _unit_blocks(codes: Float[Array, "N A"]) -> Float[Array, "N A"]:
    length = np.sqrt(np.add.reduceat(codes * codes, _starts(codes.shape[1]), axis=1))
    return np.asarray(codes / np.maximum(np.repeat(length, _sizes(codes.shape[1]), axis=1), 1e-12))


def _sizes(size: int) -> list[int]:
    return list(BLOCK_SIZES) if size == COLOUR_SIZE else [size]


def _starts(size: int) -> list[int]:
    return [sum(_sizes(size)[:k]) for k in range(len(_sizes(size)))]
