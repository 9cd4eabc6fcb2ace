"""The segments that may help one another: a bounded bank of relative paths, compared as they come.

Each new segment is measured against the bank once (one row of SSPD); groups are formed anew when asked for, from the
distances at hand, in the order of the keys: what comes out does not depend on the order of adding or discarding.
O(S P^2) an `add`, O(iterations S^2) a `groups()`; memory 9 S^2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from pydantic import Field

from ..errors import ShapeError
from ..fused.sspd import sspd_rows
from ..settings import StageConfig
from .affinity import SINGLE, affinity_groups
from .relative_path import RelativePath, heading_agreement, relative_path
from .standing import stands

Array = np.ndarray
Key = tuple[int, int]
"""Person and first slot of a segment."""


class GroupConfig(StageConfig):
    """Which segments move alike; docs/grouping.md says by which numbers this was chosen."""

    max_segments: int = Field(default=400, ge=2, le=4096)
    """Segments kept; the oldest (by first slot, then person) go first."""
    points: int = Field(default=12, ge=2, le=64)
    """Points of a path that are compared; 12 in 2.1 s are one every 0.18 s."""
    turned: bool = True
    """Compare ways regardless of the direction in which they were walked."""
    standing_reach_m: float = Field(default=0.4, ge=0)
    """Who got no farther from their start stands, unless they moved faster than:"""
    standing_speed_mps: float = Field(default=0.35, ge=0)
    """Mean speed along the path below which somebody stands."""
    min_heading_cosine: float = Field(default=0.5, ge=-1, le=1)
    """Agreement of the directions along two ways of one group; SSPD alone takes a way back for the way there."""
    max_speed_ratio: float = Field(default=1.35, ge=1)
    """The faster of two people who move alike is at most so much faster: a runner is no guide for a walker."""
    max_distance_m: float = Field(default=0.5, gt=0)
    """SSPD from its exemplar beyond which a segment is single."""
    preference_quantile: float = Field(default=0.1, ge=0, le=1)
    """Of the similarities; higher: more and smaller groups."""


@dataclass(frozen=True)
class Groups:
    """Who moves alike, sorted by key."""

    keys: tuple[Key, ...]
    labels: Int[Array, "S"]
    """Group of each segment; -1: single."""
    standing: Bool[Array, "S"]
    """Stood all the time; always single."""
    converged: bool
    """False: affinity propagation did not settle, so all are single."""


@dataclass
class _Row:
    place: int
    path: RelativePath
    standing: bool


class GroupBank:
    """Segments by key, with their distances."""

    def __init__(self, config: GroupConfig) -> None:
        self.config = config
        self._rows: dict[Key, _Row] = {}
        self._free = list(range(config.max_segments))[::-1]
        size = config.max_segments
        self._paths = np.zeros((size, config.points, 2), np.float32)
        self._speed = np.zeros(size)
        self._standing = np.zeros(size, bool)
        self._distance = np.zeros((size, size))
        self._allowed = np.zeros((size, size), bool)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    def add(self, key: Key, ground_m: Float[Array, "T 2"], present: Bool[Array, "T"]) -> None:
        """Takes a segment, or replaces the one of the same key. The oldest goes when the bank is full.

        Args:
            key: person and first slot.
            ground_m: where the person was in every slot, metres; meaningless where not present.
            present: slots with a position.

        Raises:
            ShapeError: fewer than two slots with a finite position.
        """
        path = relative_path(ground_m, present, self.config.points, self.config.turned)
        self.discard(key)
        if not self._free:
            self.discard(min(self._rows, key=lambda k: (k[1], k[0])))
        place = self._free.pop()
        standing = stands(path, self.config.standing_reach_m, self.config.standing_speed_mps)
        others = np.array([row.place for row in self._rows.values()], np.int64)
        self._paths[place], self._speed[place], self._standing[place] = (
            path.points_m,
            path.speed_mps,
            standing,
        )
        if len(others):
            self._compare(place, others)
        self._distance[place, place], self._allowed[place, place] = 0.0, True
        self._rows[key] = _Row(place, path, standing)

    def discard(self, key: Key) -> None:
        """Takes a segment out; one that is not there does no harm."""
        row = self._rows.pop(key, None)
        if row is not None:
            self._free.append(row.place)

    def groups(self) -> Groups:
        """Who moves alike now."""
        keys = sorted(self._rows)
        places = np.array([self._rows[key].place for key in keys], np.int64)
        standing = self._standing[places]
        labels = np.full(len(keys), SINGLE, np.int64)
        moving = places[~standing]
        grid = np.ix_(moving, moving)
        # everybody of a group is this near to its exemplar's speed, so any two are within the whole ratio
        close = self._speed_ratio(moving[:, None], moving) <= self.config.max_speed_ratio**0.5
        found = affinity_groups(
            self._distance[grid], self._allowed[grid] & close, self.config.preference_quantile,
            self.config.max_distance_m,
        )  # fmt: skip
        labels[~standing] = found.labels
        return Groups(tuple(keys), labels, standing, found.converged)

    def nearest(self, key: Key, k: int) -> list[tuple[Key, float]]:
        """Up to `k` segments that move most alike, nearest first, with their distance in metres; ties by key.

        Only such as may be in one group: of people who walk, with like heading and speed; of who stands, who stands.

        Raises:
            ShapeError: the bank does not hold the segment.
        """
        if key not in self._rows:
            raise ShapeError(
                f"no segment {key} in a bank of {len(self)}; add it before asking for its neighbours"
            )
        place = self._rows[key].place
        found = [
            (float(self._distance[place, row.place]), other)
            for other, row in self._rows.items()
            if other != key and self._allowed[place, row.place]
        ]
        return [(other, distance) for distance, other in sorted(found)[:k]]

    def _compare(self, place: int, others: Int[Array, "S"]) -> None:
        """One row and column of distances and of what may be grouped."""
        paths = self._paths[others]
        distance = sspd_rows(self._paths[place : place + 1], paths)[0]
        moving = heading_agreement(self._paths[place], paths) >= self.config.min_heading_cosine
        moving &= self._speed_ratio(np.array(place), others) <= self.config.max_speed_ratio
        same = self._standing[others] == self._standing[place]
        allowed = same & (moving | self._standing[place])
        self._distance[place, others] = self._distance[others, place] = distance
        self._allowed[place, others] = self._allowed[others, place] = allowed

    def _speed_ratio(self, a: Int[Array, "*a"], b: Int[Array, "*b"]) -> Float[Array, "*c"]:
        """How much faster the faster of two places is, at least 1; a millimetre a second is as good as none."""
        one, two = self._speed[a] + 1e-3, self._speed[b] + 1e-3
        return np.asarray(np.maximum(one, two) / np.minimum(one, two))
