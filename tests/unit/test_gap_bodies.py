"""Bodies in a gap: both sides are met, long gaps are covered, walkers face along their way."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.grouping.guide import about_z
from crowdstream.kernels.rotation import rotmat_to_rotvec_np
from crowdstream.kernels.solve.gap_bodies import Stretch, face_along, facing, fill_gap
from crowdstream.stream.body_files import load_body
from crowdstream.stream.prior_files import load_motion_prior
from tests.gaits import gait, rotations

BODY = load_body()
PRIOR = load_motion_prior()


def walk(slots: int = 240) -> Stretch:
    root = np.zeros((slots, 3))
    root[:, 0] = np.arange(slots) / 30.0 * 1.2
    root[:, 2] = 0.93
    return Stretch(rotations(gait(slots, swing=0.35), 0.0), root, np.ones((slots, 22), bool), np.zeros(slots))


def hidden(stretch: Stretch, last: int, first: int) -> Stretch:
    seen = stretch.seen.copy()
    seen[last + 1 : first] = False
    wild = stretch.rotmats.copy()
    wild[last + 1 : first] = np.eye(3)
    return Stretch(wild, stretch.root_m, seen, stretch.ground_z)


def turn_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.linalg.norm(rotmat_to_rotvec_np(np.swapaxes(a, -1, -2) @ b), axis=-1))


@pytest.mark.parametrize("length", [10, 40, 60, 110])
def test_a_gap_of_any_length_is_filled_with_rotations_that_meet_both_sides(length: int) -> None:
    whole = walk()
    last, first = 60, 61 + length
    told = fill_gap(PRIOR, hidden(whole, last, first), last, first, 1.0)
    assert told.shape == (length, 22, 3, 3)
    assert np.allclose(told @ np.swapaxes(told, -1, -2), np.eye(3), atol=1e-4)
    assert turn_deg(told[0, 1:10], whole.rotmats[last, 1:10]).mean() < 8.0
    assert turn_deg(told[-1, 1:10], whole.rotmats[first, 1:10]).mean() < 8.0


def test_what_lies_in_the_gap_is_not_looked_at() -> None:
    whole = walk()
    one = fill_gap(PRIOR, hidden(whole, 60, 100), 60, 100, 1.0)
    other = hidden(whole, 60, 100)
    other.rotmats[61:100] = about_z(np.array(1.0))
    assert np.allclose(one, fill_gap(PRIOR, other, 60, 100, 1.0), atol=1e-6)


def test_facing_is_the_bodys_forward_axis() -> None:
    for heading in (-2.5, 0.0, 1.0):
        assert float(facing(rotations(gait(1), heading)[0, 0])) == pytest.approx(heading)


def test_walkers_face_along_their_way_and_standers_turn_from_end_to_end() -> None:
    bodies = rotations(gait(30), 0.0)
    way = np.linspace(0.5, 1.5, 30)
    walking = face_along(bodies, way, 1.3, (0.5, 1.5), (0.5, 1.5))
    assert np.allclose(facing(walking[:, 0]), way, atol=1e-6)
    standing = face_along(bodies, way, 0.1, (3.0, -3.0), (0.0, 0.0))  # the short way round is through pi
    turned = np.unwrap(facing(standing[:, 0]))
    assert np.ptp(turned) < 0.3 and np.allclose(walking[:, 1:], bodies[:, 1:])
