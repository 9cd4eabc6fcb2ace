"""Long occlusions: who was lost from sight, came back, and is the same person for the engine.

A *gap* is a time in which a person stays in the picture but is not to be seen, between two stretches in which they are.
Misses of a moment are no gap, and a glimpse of a moment does not end one:

    stretch   sighted for `stretch_s` at least; holes of up to `bridge_s` in it do not count
    gap       from the last sighting of a stretch to the first of the next, if the person is in the picture throughout
              and sighted in at most `glimpses` of its frames

The person is *rejoined* if the identity that the engine gives them most often in the last second before the gap is the
one it gives them most often in the first second after it. A gap at one side of which nobody followed them says nothing
about joining, and is counted apart.

A *join* says of two pieces of track that they are one person: wrong if different true people were followed, by the same
rule, at the end of the one and at the beginning of the other. A piece that was nobody (a false track) makes a join
neither right nor wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float, Int

from .completeness import ratio
from .versions import NOBODY

Array = np.ndarray

LOOK_S = 1.0
"""How long before and after a gap one looks for who was followed."""


@dataclass(frozen=True)
class GapRule:
    """What counts as a gap; seconds."""

    min_s: float = 2.0
    max_s: float = 6.0
    stretch_s: float = 1.0
    bridge_s: float = 0.5
    glimpses: float = 0.2
    """Share of the gap's frames in which a sighting may be."""


@dataclass(frozen=True)
class Gaps:
    """G gaps, by person and then time."""

    person: Int[Array, "G"]
    """Row of the truth."""
    lost: Int[Array, "G"]
    """Frame of the last sighting before."""
    found: Int[Array, "G"]
    """Frame of the first sighting after."""

    def __len__(self) -> int:
        return len(self.person)

    def length_s(self, rate_hz: float) -> Float[Array, "G"]:
        """From the last sighting before to the first after."""
        return np.asarray((self.found - self.lost) / rate_hz)


def find_gaps(
    sighted: Bool[Array, "N F"], inside: Bool[Array, "N F"], rate_hz: float, rule: GapRule | None = None
) -> Gaps:
    """The gaps of a clip.

    Args:
        sighted: something of the person could be, or was, made out in the frame.
        inside: in the scene and in the picture, seen or not.

    A person in the picture for ten frames of 1 Hz, not to be seen from the third to the sixth:

    >>> seen = np.ones((1, 10), bool)
    >>> seen[0, 2:6] = False
    >>> gaps = find_gaps(seen, np.ones((1, 10), bool), 1.0)
    >>> gaps.lost.tolist(), gaps.found.tolist(), gaps.length_s(1.0).tolist()
    ([1], [6], [5.0])
    """
    rule = rule or GapRule()
    rows: list[tuple[int, int, int]] = []
    for person in range(len(sighted)):
        stretches = _stretches(sighted[person] & inside[person], rate_hz, rule)
        for (_, lost), (found, _) in pairwise(stretches):
            between = slice(lost + 1, found)
            if not rule.min_s <= (found - lost) / rate_hz <= rule.max_s:
                continue
            if inside[person, between].all() and sighted[person, between].mean() <= rule.glimpses:
                rows.append((person, lost, found))
    table = np.array(rows, np.int64).reshape(-1, 3)
    return Gaps(table[:, 0], table[:, 1], table[:, 2])


def _stretches(sighted: Bool[Array, "F"], rate_hz: float, rule: GapRule) -> list[tuple[int, int]]:
    """First and last frame of every stretch."""
    at = np.flatnonzero(sighted)
    if len(at) == 0:
        return []
    holes = np.flatnonzero(np.diff(at) > rule.bridge_s * rate_hz + 1)
    first, last = at[np.r_[0, holes + 1]], at[np.r_[holes, len(at) - 1]]
    long = (last - first + 1) >= rule.stretch_s * rate_hz
    return list(zip(first[long].tolist(), last[long].tolist(), strict=True))


@dataclass(frozen=True)
class Rejoining:
    """What became of G gaps."""

    before: Int[Array, "G"]
    """Whom the engine followed at the end of the stretch before; -1 for nobody."""
    after: Int[Array, "G"]

    @property
    def tracked(self) -> Bool[Array, "G"]:
        """Followed on both sides."""
        return np.asarray((self.before != NOBODY) & (self.after != NOBODY))

    @property
    def rejoined(self) -> Bool[Array, "G"]:
        """As one person."""
        return np.asarray(self.tracked & (self.before == self.after))


def rejoining(gaps: Gaps, named: Int[Array, "N F"], rate_hz: float) -> Rejoining:
    """Who was followed on both sides of each gap.

    Args:
        named: the engine's final identity of each true person in each frame in which it saw them; -1 for none.

    >>> gaps = Gaps(np.array([0, 0]), np.array([1, 5]), np.array([4, 8]))
    >>> got = rejoining(gaps, np.array([[7, 7, -1, -1, 7, 7, -1, -1, 9, 9]]), 2.0)
    >>> got.before.tolist(), got.after.tolist(), got.rejoined.tolist()
    ([7, 7], [7, 9], [True, False])
    """
    look = max(1, round(LOOK_S * rate_hz))
    before = [
        commonest(named[p, max(0, f - look + 1) : f + 1]) for p, f in zip(gaps.person, gaps.lost, strict=True)
    ]
    after = [commonest(named[p, f : f + look]) for p, f in zip(gaps.person, gaps.found, strict=True)]
    return Rejoining(np.array(before, np.int64), np.array(after, np.int64))


def commonest(ids: Int[Array, "K"]) -> int:
    """The identity that stands there most often, -1 left out; of several the smallest; -1 for none.

    >>> commonest(np.array([4, -1, -1, -1, 4, 3])), commonest(np.array([-1])), commonest(np.array([5, 2]))
    (4, -1, 2)
    """
    known, counts = np.unique(ids[ids != NOBODY], return_counts=True)
    return int(known[counts.argmax()]) if len(known) else NOBODY


@dataclass(frozen=True)
class Joins:
    """J pieces of track that were said to go on as another piece."""

    true_before: Int[Array, "J"]
    """True person followed at the end of the first piece; -1 for nobody (a false track)."""
    true_after: Int[Array, "J"]

    def __len__(self) -> int:
        return len(self.true_before)

    @property
    def judged(self) -> Bool[Array, "J"]:
        """Somebody on both sides."""
        return np.asarray((self.true_before != NOBODY) & (self.true_after != NOBODY))

    @property
    def wrong(self) -> Bool[Array, "J"]:
        """Two different people."""
        return np.asarray(self.judged & (self.true_before != self.true_after))

    @property
    def wrong_share(self) -> float:
        """Of those judged; NaN of none.

        >>> Joins(np.array([3, 3, 5, -1]), np.array([3, 4, 5, 5])).wrong_share == 1 / 3
        True
        """
        return ratio(int(self.wrong.sum()), int(self.judged.sum()))
