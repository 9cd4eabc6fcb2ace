"""The segments that may help one another: a bounded bank of relative paths, compared as they come.

Each new segment is measured against the bank once, all new ones together when somebody asks (one row of SSPD each);
groups are formed anew from the distances at hand, in the order of the keys: what comes out does not depend on the
order of adding or discarding. O(new S P^2) to compare, O(iterations S^2) a `groups()`; memory 9 S^2 bytes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..errors import ShapeError
from ..fused.sspd import sspd_pairs, sspd_rows
from .affinity import SINGLE, affinity_groups
from .bank_config import GroupConfig
from .relative_path import heading_agreement, relative_path
from .standing import stands

Array = np.ndarray
Key = tuple[int, int]
"""Person and first slot of a segment."""


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


class GroupBank:
    """Segments by key, with their distances."""

    def __init__(self, config: GroupConfig) -> None:
        self.config = config
        self._places: dict[Key, int] = {}
        self._new: list[int] = []
        self._free = list(range(config.max_segments))[::-1]
        size = config.max_segments
        self._paths = np.zeros((size, config.points, 2), np.float32)
        self._speed = np.zeros(size)
        self._standing = np.zeros(size, bool)
        self._distance = np.zeros((size, size))
        self._allowed = np.zeros((size, size), bool)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: Key) -> bool:
        return key in self._places

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
            self.discard(min(self._places, key=lambda k: (k[1], k[0])))
        place = self._free.pop()
        standing = stands(path, self.config.standing_reach_m, self.config.standing_speed_mps)
        self._paths[place] = path.points_m
        self._speed[place], self._standing[place] = path.speed_mps, standing
        self._places[key] = place
        self._new.append(place)

    def discard(self, key: Key) -> None:
        """Takes a segment out; one that is not there does no harm."""
        place = self._places.pop(key, None)
        if place is not None:
            self._free.append(place)
            if place in self._new:
                self._new.remove(place)

    def groups(self) -> Groups:
        """Who moves alike now."""
        self._compare_new()
        keys = sorted(self._places)
        places = np.array([self._places[key] for key in keys], np.int64)
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
        if key not in self._places:
            raise ShapeError(
                f"no segment {key} in a bank of {len(self)}; add it before asking for its neighbours"
            )
        self._compare_new()
        place = self._places[key]
        found = [
            (float(self._distance[place, there]), other)
            for other, there in self._places.items()
            if other != key and self._allowed[place, there]
        ]
        return [(other, distance) for distance, other in sorted(found)[:k]]

    def _compare_new(self) -> None:
        """Distances, and who may be together, of segments that came since the last time."""
        if not self._new:
            return
        fresh = set(self._new)
        new = np.array(self._new, np.int64)
        old = np.array([place for place in self._places.values() if place not in fresh], np.int64)
        self._put(new, new, sspd_pairs(self._paths[new]))
        self._put(new, old, sspd_rows(self._paths[new], self._paths[old]))
        self._new.clear()

    def _put(self, a: Int[Array, "A"], b: Int[Array, "B"], distance: Float[Array, "A B"]) -> None:
        """What is known of two sets of places."""
        alike = heading_agreement(self._paths[a], self._paths[b]) >= self.config.min_heading_cosine
        alike &= self._speed_ratio(a[:, None], b) <= self.config.max_speed_ratio
        still = self._standing[a][:, None]
        allowed = (still == self._standing[b]) & (alike | still)
        grid, mirrored = np.ix_(a, b), np.ix_(b, a)
        self._distance[grid], self._distance[mirrored] = distance, distance.T
        self._allowed[grid], self._allowed[mirrored] = allowed, allowed.T

    def _speed_ratio(self, a: Int[Array, "*a"], b: Int[Array, "*b"]) -> Float[Array, "*c"]:
        """How much faster the faster of two places is, at least 1; a millimetre a second is as good as none."""
        one, two = self._speed[a] + 1e-3, self._speed[b] + 1e-3
        return np.asarray(np.maximum(one, two) / np.minimum(one, two))
