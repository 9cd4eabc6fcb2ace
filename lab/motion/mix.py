"""What was learned from: minutes by category, by source and by licence; as recorded, and as drawn.

The drawn minutes are those of the sampler, whose shares lean towards what crowds do, scaled to the recorded total so
that the two columns compare. What the augmenter does is told as shares of the drawn windows; windows that it replaced
by stances are a column of their own, since a stance put together from a ball game is standing and no sport.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from .augment import CHANGES, Augmenter
from .track import MotionTrack
from .windows import WindowBank, WindowSampler

FRAMES_A_MINUTE = 1800
MISSING = ("stairs", "sitting for long", "children", "wheelchairs and prams", "umbrellas and sticks")
"""What neither recordings nor augmentation show."""
MADE = ("phones", "queues and waiting", "conversation", "bags, pockets, folded arms")
"""What no recording shows and augmentation makes."""


@dataclass(frozen=True)
class MixRow:
    """One category, source or licence."""

    name: str
    clips: int
    recorded_min: float
    drawn_min: float
    """After balancing."""
    standing_share: float
    """Of its drawn windows, how many became stances."""


@dataclass(frozen=True)
class Mix:
    """All of it."""

    by_category: tuple[MixRow, ...]
    by_source: tuple[MixRow, ...]
    by_licence: tuple[MixRow, ...]
    changed: Mapping[str, float]
    """Share of the drawn windows that each augmentation changed."""
    untouched: float
    """Share that no augmentation changed."""
    minutes: float
    subjects: int


def measure_mix(
    tracks: Sequence[MotionTrack], augmenter: Augmenter | None = None, count: int = 4096, seed: int = 0
) -> Mix:
    """The mix of the training tracks, by drawing from them.

    Args:
        tracks: of the training split.
        augmenter: as in training; None for none.
        count: windows to draw; shares are known to about 1 / sqrt(count).
        seed: of the draw.
    """
    sampler = WindowSampler(WindowBank(tracks), seed)
    drawn, stances = np.zeros(len(tracks)), np.zeros(len(tracks))
    changes: Counter[str] = Counter()
    untouched = 0
    for step, size in enumerate(_parts(count, 256)):
        windows = sampler.draw(size)
        np.add.at(drawn, windows.track.numpy(), 1.0)
        if augmenter is not None:
            augmenter.reseed(step)
            augmenter(windows)
            done = augmenter.done
            changes.update({name: int(rows.sum()) for name, rows in done.items()})
            untouched += int((~torch.stack(list(done.values())).any(0)).sum())
            np.add.at(stances, windows.track.numpy()[done["standing"].numpy()], 1.0)
    minutes = sum(track.num_frames for track in tracks) / FRAMES_A_MINUTE
    each = minutes / count

    def rows(of: Callable[[MotionTrack], str]) -> tuple[MixRow, ...]:
        return _rows([of(track) for track in tracks], tracks, each * drawn, each * stances)

    return Mix(
        by_category=rows(lambda track: track.category),
        by_source=rows(lambda track: track.source or "unnamed"),
        by_licence=rows(lambda track: track.licence or "not stated"),
        changed={name: changes[name] / count for name in CHANGES},
        untouched=untouched / count if augmenter is not None else 1.0,
        minutes=minutes,
        subjects=len({track.subject for track in tracks}),
    )


def mix_markdown(mix: Mix) -> str:
    """Tables for a model card or a page."""
    head = "clips | recorded (min) | drawn (min) | drawn, %"
    parts = []
    for title, rows in (
        ("content", mix.by_category),
        ("source", mix.by_source),
        ("licence", mix.by_licence),
    ):
        lines = [f"| {title} | {head} | of it made into stances, % |", "|---|---|---|---|---|---|"]
        lines += [
            f"| {row.name} | {row.clips} | {row.recorded_min:.1f} | {row.drawn_min:.1f} | "
            f"{100 * row.drawn_min / mix.minutes:.1f} | {100 * row.standing_share:.0f} |"
            for row in rows
        ]
        parts.append("\n".join(lines))
    changes = ", ".join(f"{name} {100 * share:.0f} %" for name, share in mix.changed.items())
    return "\n\n".join(
        [
            f"{mix.minutes:.1f} minutes of {mix.subjects} subjects. Every drawn window is seen in a mirror half of the "
            "time, and three in five at another pace.",
            *parts,
            f"Changed by augmentation, of all drawn windows: {changes}; not at all: {100 * mix.untouched:.0f} %.",
            f"Made, since no recording shows it: {', '.join(MADE)}. Missing all the same: {', '.join(MISSING)}.",
        ]
    )


def _rows(
    names: Sequence[str],
    tracks: Sequence[MotionTrack],
    drawn_min: Float[np.ndarray, "K"],
    stances: Float[np.ndarray, "K"],
) -> tuple[MixRow, ...]:
    """One row a name, the longest first."""
    rows = []
    for name in dict.fromkeys(names):
        at = np.array([other == name for other in names])
        clips = {track.name.partition("@")[0] for track, here in zip(tracks, at, strict=True) if here}
        recorded = sum(track.num_frames for track, here in zip(tracks, at, strict=True) if here)
        drawn = float(drawn_min[at].sum())
        rows.append(
            MixRow(
                name=name,
                clips=len(clips),
                recorded_min=recorded / FRAMES_A_MINUTE,
                drawn_min=drawn,
                standing_share=float(stances[at].sum()) / max(drawn, 1e-9),
            )
        )
    return tuple(sorted(rows, key=lambda row: (-row.recorded_min, row.name)))


def _parts(count: int, most: int) -> list[int]:
    return [most] * (count // most) + ([count % most] if count % most else [])
