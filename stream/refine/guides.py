"""The segments that may guide: who was seen well, grouped by how they move; bounded, the oldest go first."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from ...kernels.grouping.bank import GroupBank, Groups
from ...kernels.grouping.bank_config import GroupConfig
from ...kernels.grouping.guide import GuideMotion, make_guide
from ...kernels.solve.gap_path import way
from .motion import PersonMotion

Array = np.ndarray
Key = tuple[int, int]


class GuideBank:
    """Guides and groups of one site."""

    def __init__(self, config: GroupConfig) -> None:
        self._config = config
        self._groups = GroupBank(config)
        self._guides: dict[Key, GuideMotion] = {}
        self._formed: Groups | None = None

    def __len__(self) -> int:
        return len(self._guides)

    @property
    def num_segments(self) -> int:
        """Segments that are grouped, guides or not."""
        return len(self._groups)

    def __contains__(self, key: Key) -> bool:
        return key in self._groups

    def has_guide(self, key: Key) -> bool:
        """The segment was seen well enough to guide."""
        return key in self._guides

    def guide(self, key: Key) -> GuideMotion:
        """One of those for which `has_guide` holds."""
        return self._guides[key]

    def groups(self) -> Groups:
        """Who moves alike now; formed anew only when the bank has changed."""
        if self._formed is None:
            self._formed = self._groups.groups()
        return self._formed

    def group_of(self, key: Key) -> int:
        """Group of a segment; -1 for none."""
        groups = self.groups()
        return int(groups.labels[groups.keys.index(key)]) if key in groups.keys else -1

    def place(self, key: Key, xy_m: Float[Array, "T 2"], present: Bool[Array, "T"]) -> None:
        """Takes a segment's way, or replaces it."""
        if present.sum() < 2:
            return
        self._groups.add(key, xy_m, present)
        self._formed = None
        for gone in [k for k in self._guides if k not in self._groups]:
            del self._guides[gone]

    def offer(self, key: Key, motion: PersonMotion, slots: slice, xy_m: Float[Array, "S 2"]) -> None:
        """Takes a well-seen segment as a guide; its way must have been placed."""
        heading, speed = way(xy_m)
        self._guides[key] = make_guide(key, motion.rotmats[slots], heading[slots], speed[slots])

    def withdraw(self, person: int) -> None:
        """Takes out what is filed under a person who turned out to be two, or another."""
        for key in [k for k in self._guides if k[0] == person]:
            del self._guides[key]
        groups = self.groups()
        for key in [k for k in groups.keys if k[0] == person]:
            self._groups.discard(key)
        self._formed = None

    def candidates(self, key: Key, own_only: bool, most: int) -> list[GuideMotion]:
        """Guides of a segment: the same person's, then members of its group; by key.

        Args:
            own_only: without the help of others.
        """
        own = [k for k in self._guides if k[0] == key[0] and k != key]
        others: list[Key] = []
        if not own_only and key in self._groups:
            others = [
                k for k, _ in self._groups.nearest(key, 4 * most) if k in self._guides and k[0] != key[0]
            ]
        return [self._guides[k] for k in [*sorted(own), *others[:most]]]
