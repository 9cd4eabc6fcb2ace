"""What a consumer holds of one frame: the newest version of every true person, and what it was at each delay.

The consumer's rule, from the protocol: per person and frame keep one version; a row of a higher tier replaces one of a
lower, of the same tier the later the earlier; a lower never replaces a higher. What a tier takes back is held no more,
and stays away until that tier or a higher one gives it again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from .versions import NOBODY

Array = np.ndarray
Distances = Float[Array, "R"]


@dataclass(frozen=True)
class Arrivals:
    """Rows of one slot that arrive together; fields as in `Versions`."""

    rank: int
    person_ids: Int[Array, "R"]
    true_row: Int[Array, "R"]
    ground_m: Float[Array, "R 3"]
    joints_m: Float[Array, "R 24 3"]
    """NaN without a body."""
    provenance: UInt8[Array, "R"]


@dataclass(frozen=True)
class Revisions:
    """How far the rows moved that replaced another; NaN where one of the two versions lacks it."""

    ground_mm: Float[Array, "R"]
    joints_mm: Float[Array, "R"]
    """Mean over the joints, in the world."""
    renamed: Bool[Array, "R"]
    """Under another identity than before."""


class NewestVersions:
    """One slot, N true people, K delays. Positions are float32: 600 bytes a person and the errors of K delays."""

    def __init__(
        self, ground_m: Float[Array, "N 3"], joints_m: Float[Array, "N 24 3"], num_delays: int
    ) -> None:
        n = len(ground_m)
        self.true_ground_m, self.true_joints_m = ground_m, joints_m
        self.holder = np.full(n, NOBODY, np.int64)
        """Who is held as each true person; -1 for none."""
        self.rank = np.full(n, -1)
        self.named = np.full(n, NOBODY, np.int64)
        """Under which identity each was held last, also after that one turned out to be somebody else."""
        self._barred: dict[int, int] = {}
        """Found person -> rank of the tier that took them back."""
        self.num_versions = np.zeros(n, np.int64)
        self.moved = np.zeros(n, bool)
        self.provenance = np.zeros(n, np.uint8)
        self.ground_m, self.first_ground_m = (np.full((n, 3), np.nan, np.float32) for _ in range(2))
        self.joints_m, self.first_joints_m = (np.full((n, 24, 3), np.nan, np.float32) for _ in range(2))
        self.ground_error_mm = np.full((n, num_delays), np.nan, np.float32)
        """Of the version held at each delay; NaN for none."""
        self._given_by: dict[str, Bool[Array, "N"]] = {}
        self.joint_error_mm = np.full((n, num_delays), np.nan, np.float32)

    def put(self, new: Arrivals, from_delay: int) -> tuple[Bool[Array, "R"], Revisions]:
        """Takes the rows in that replace what is held, from the given delay on.

        Returns:
            Which rows became the newest version of a true person, and the revisions among them.
        """
        accepted = self._make_room(new, from_delay)
        to = new.true_row[accepted]
        ground, joints = new.ground_m[accepted], new.joints_m[accepted]
        revisions = self._compare(to, new.person_ids[accepted], ground, joints)
        fresh = np.isnan(self.first_ground_m[to, 0])
        self.first_ground_m[to[fresh]] = ground[fresh]
        fresh = np.isnan(self.first_joints_m[to, 0, 0])
        self.first_joints_m[to[fresh]] = joints[fresh]
        self.ground_m[to], self.joints_m[to] = ground, joints
        self.holder[to] = self.named[to] = new.person_ids[accepted]
        self.rank[to], self.provenance[to] = new.rank, new.provenance[accepted]
        self.num_versions[to] += 1
        self.ground_error_mm[to, from_delay:] = distance_mm(ground, self.true_ground_m[to])[:, None]
        self.joint_error_mm[to, from_delay:] = pose_error_mm(joints, self.true_joints_m[to])[:, None]
        return accepted, revisions

    def take_back(self, rank: int, person_ids: Int[Array, "G"], from_delay: int) -> int:
        """Lets go of people from the given delay on; of bodies a tier with bodies, of tracks one without.

        Returns:
            How many of them were held.
        """
        self._barred.update((person, rank) for person in person_ids.tolist())
        alike = (self.rank > 0) == (rank > 0)
        rows = np.flatnonzero(self.held & alike & (self.rank <= rank) & np.isin(self.holder, person_ids))
        self._let_go(rows, from_delay)
        return len(rows)

    def count_first(self, tier: str, rows: Int[Array, "A"]) -> int:
        """How many of the true people this tier gives for the first time."""
        given = self._given_by.setdefault(tier, np.zeros(len(self.holder), bool))
        count = int((~given[rows]).sum())
        given[rows] = True
        return count

    def _make_room(self, new: Arrivals, from_delay: int) -> Bool[Array, "R"]:
        """Which rows may enter; people held as somebody they no longer are, are let go."""
        same = self.holder[:, None] == new.person_ids[None]
        held, at = same.any(axis=0), same.argmax(axis=0)
        known = new.true_row != NOBODY
        outranked = self._taken_back(new)
        outranked |= held & (self.rank[at] > new.rank)
        outranked |= known & (self.holder[new.true_row] != NOBODY) & (self.rank[new.true_row] > new.rank)
        left = at[held & ~outranked & (at != new.true_row)]
        self._let_go(left, from_delay)
        return np.asarray(known & ~outranked)

    def _let_go(self, rows: Int[Array, "A"], from_delay: int) -> None:
        self.holder[rows], self.rank[rows] = NOBODY, -1
        self.ground_error_mm[rows, from_delay:] = np.nan
        self.joint_error_mm[rows, from_delay:] = np.nan

    def _taken_back(self, new: Arrivals) -> Bool[Array, "R"]:
        """Whose rows a higher tier has taken back; whom the same tier gives again is free."""
        out = np.zeros(len(new.person_ids), bool)
        if not self._barred:
            return out
        for row, person in enumerate(new.person_ids.tolist()):
            rank = self._barred.get(person, -1)
            out[row] = rank > new.rank > 0
            if 0 <= rank <= new.rank:
                del self._barred[person]
        return out

    def _compare(
        self,
        to: Int[Array, "A"],
        names: Int[Array, "A"],
        ground_m: Float[Array, "A 3"],
        joints_m: Float[Array, "A 24 3"],
    ) -> Revisions:
        again = self.num_versions[to] > 0
        ground = distance_mm(ground_m[again], self.ground_m[to[again]])
        joints = distance_mm(joints_m[again], self.joints_m[to[again]]).mean(axis=-1)
        self.moved[to[again]] |= (ground > REVISED_MM) | (joints > REVISED_MM)
        return Revisions(ground, joints, names[again] != self.named[to[again]])

    @property
    def held(self) -> Bool[Array, "N"]:
        return np.asarray(self.holder != NOBODY)


REVISED_MM = 1.0
"""A person-frame that never moved by more than this is not called revised."""


def distance_mm(a_m: Float[Array, "*b 3"], b_m: Float[Array, "*b 3"]) -> Float[Array, "*b"]:
    """Distance in space."""
    gap = a_m - b_m
    return np.asarray(1e3 * np.sqrt(np.einsum("...k,...k->...", gap, gap)))


def pose_error_mm(found_m: Float[Array, "R 24 3"], true_m: Float[Array, "R 24 3"]) -> Float[Array, "R"]:
    """Mean distance of the joints after the pelvises are put together (MPJPE of each body)."""
    found, true = found_m - found_m[:, :1], true_m - true_m[:, :1]
    return np.asarray(distance_mm(found, true).mean(axis=-1))
