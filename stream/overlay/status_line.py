"""The slim line at the bottom: what made the picture, when, how many people, and how they are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from .lettering import DARK, GREY, WHITE, letters, rounded, tint, write
from .palette import TIER_BGR

Array = np.ndarray


@dataclass(frozen=True)
class Counts:
    """People of one frame by how they are known."""

    refined: int = 0
    window: int = 0
    ground: int = 0
    """A place, no body."""
    flat: int = 0
    """Only in the picture."""
    guessed: int = 0
    """Of the bodies, those nothing was seen of."""

    @property
    def people(self) -> int:
        return self.refined + self.window + self.ground + self.flat


def height_of(picture_height: int) -> int:
    """Of the line, px."""
    return max(15, round(0.036 * picture_height))


def draw_status(picture: UInt8[Array, "H W 3"], time_s: float, counts: Counts, by_tier: bool) -> None:
    """The line over the lower border of a picture."""
    high, wide = height_of(picture.shape[0]), picture.shape[1]
    top = picture.shape[0] - high
    bar = picture[top:]
    bar[:] = (bar * 0.20 + np.array(DARK, np.float32) * 0.80).astype(np.uint8)
    cap = max(7, round(0.40 * high))
    line = top + (high - cap) / 2
    x: float = 0.6 * high
    x += write(picture, "crowdstream", x, line, cap, WHITE, bold=True) + 1.2 * cap
    x += write(picture, clock(time_s), x, line, cap, GREY) + 1.2 * cap
    x += write(picture, f"{counts.people} {'person' if counts.people == 1 else 'people'}", x, line, cap) + cap
    _tiers(picture, x, line, cap, wide - 0.6 * high, counts, by_tier)


def clock(time_s: float) -> str:
    """Minutes and seconds, hours where there are any."""
    tenths = round(max(time_s, 0.0) * 10)
    minutes, tenths = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:{minutes:02d}" if hours else f"{minutes:02d}"
    return f"{head}:{tenths // 10:02d}.{tenths % 10}"


def _tiers(
    picture: UInt8[Array, "H W 3"],
    left: float,
    line: float,
    cap: int,
    right: float,
    counts: Counts,
    by_tier: bool,
) -> None:
    """How they are known, from the right; what does not fit is left out."""
    words = [
        (f"refined {counts.refined}", TIER_BGR["refined"], counts.refined),
        (f"window {counts.window}", TIER_BGR["window"], counts.window),
        (f"live, place only {counts.ground}", TIER_BGR["ground"], counts.ground),
        (f"hatched: not seen {counts.guessed}", None, counts.guessed),
        (f"2D only: no calibration {counts.flat}", None, counts.flat),
    ]
    x = right
    for text, colour, count in reversed(words):
        if not count:
            continue
        width = _width(text, cap)
        mark = round(0.8 * cap) if by_tier and colour else 0
        if x - width - 1.6 * mark < left:
            return
        x -= width
        write(picture, text, x, line, cap, GREY)
        if mark and colour:
            x -= 1.75 * mark
            shade = (float(colour[0]), float(colour[1]), float(colour[2]))
            tint(picture, rounded(mark, mark, mark / 2), round(x), round(line + (cap - mark) / 2), shade)
        x -= 1.1 * cap


def _width(text: str, cap: int) -> int:
    return int(letters(text, cap).shape[1]) - 2
