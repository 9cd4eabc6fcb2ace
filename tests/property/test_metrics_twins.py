"""Fast metrics equal their plain-loop definitions."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.metrics.author import MISSING_MM, score_author
from crowdstream.kernels.metrics.corrected import score_corrected
from crowdstream.kernels.metrics.depth_order import OrderRule, order_frames
from crowdstream.kernels.metrics.examples import at_joints, standing_people
from crowdstream.kernels.metrics.joint_sets import H36M_14
from crowdstream.kernels.metrics.matching import (
    MIN_SIMILARITY,
    Matches,
    match_author,
    match_people,
    match_tracks,
)
from crowdstream.kernels.metrics.motion import difference_errors, run_starts
from crowdstream.kernels.metrics.oks import OKS_FLOOR, oks_matrix
from crowdstream.kernels.metrics.people import People
from crowdstream.kernels.metrics.placement import place_frames
from crowdstream.kernels.skeleton import COCO_SIGMAS

SEED = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=6, deadline=None)
MANY = settings(max_examples=20, deadline=None)


def _crowds(rng: np.random.Generator, people: int = 5, frames: int = 4) -> tuple[People, People]:
    """A crush in the picture: truth, and predictions some of which are wrong or missing."""
    both = []
    spots = np.stack([rng.uniform(-1.5, 1.5, people), rng.uniform(8, 14, people), np.zeros(people)], 1)
    for noise in (0.0, 0.15):
        at = spots + rng.normal(0, 1.0, spots.shape) * [noise, noise, 0.0]
        base = standing_people(at.tolist(), frames, step_m=(0.02, 0.0, 0.0))
        made = at_joints(base.joints_m + rng.normal(0, 0.02 + noise / 10, base.joints_m.shape), base.ground_m)
        both.append(replace(made, present=rng.random((people, frames)) < 0.85))
    return both[1], both[0]


def _slow_oks(predicted: np.ndarray, true: np.ndarray, box: np.ndarray) -> float:
    area = max(box[2] - box[0], 0.0) * max(box[3] - box[1], 0.0)
    terms = []
    for k in range(17):
        if not np.isfinite(true[k]).all():
            continue
        if area <= 0 or not np.isfinite(predicted[k]).all():
            terms.append(0.0)
            continue
        d2 = (predicted[k, 0] - true[k, 0]) ** 2 + (predicted[k, 1] - true[k, 1]) ** 2
        terms.append(float(np.exp(-d2 / ((2 * COCO_SIGMAS[k]) ** 2 * area * 2))))
    return sum(terms) / len(terms) if terms else 0.0


def _slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(w, 0.0) * max(h, 0.0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@MANY
@given(SEED, st.sampled_from([OKS_FLOOR, MIN_SIMILARITY]))
def test_oks_matrix(seed: int, floor: float) -> None:
    rng = np.random.default_rng(seed)
    true = rng.uniform(0, 400, (6, 1, 2)) + rng.normal(0, 25, (6, 17, 2))
    predicted = true[[0, 1, 2, 3, 3]] + rng.normal(0, 12, (5, 17, 2))
    predicted[rng.random((5, 17)) < 0.1] = np.nan
    true[rng.random((6, 17)) < 0.1] = np.nan
    true[5] = np.nan
    box = np.concatenate([rng.uniform(0, 50, (6, 2)), rng.uniform(40, 150, (6, 2))], axis=1)
    got = oks_matrix(predicted, true, box, floor)
    for t in range(6):
        for p in range(5):
            want = _slow_oks(predicted[p], true[t], box[t])
            assert got[t, p] == pytest.approx(want, abs=1e-12) or (got[t, p] == 0.0 and want <= floor)


@FEW
@given(SEED)
def test_match_author(seed: int) -> None:
    found, truth = _crowds(np.random.default_rng(seed))
    got = match_author(found, truth).predicted_of_true
    n, f = truth.present.shape
    want = np.full((n, f), -1)
    for k in range(f):
        claims: dict[int, tuple[float, int]] = {}
        for t in np.flatnonzero(truth.present[:, k]):
            scores = [
                _slow_oks(found.keypoints_px[p, k], truth.keypoints_px[t, k], truth.box_px[t, k])
                if found.present[p, k]
                else -1.0
                for p in range(n)
            ]
            best = int(np.argmax(scores))
            if scores[best] > 1e-6 and scores[best] > claims.get(best, (0.0, -1))[0]:
                claims[best] = (scores[best], int(t))
        for p, (_, t) in claims.items():
            want[t, k] = p
    np.testing.assert_array_equal(got, want)


@FEW
@given(SEED)
def test_match_people(seed: int) -> None:
    """The assignment is admissible and no other is worth more (all of them are tried)."""
    found, truth = _crowds(np.random.default_rng(seed), people=4, frames=2)
    got = match_people(found, truth).predicted_of_true
    for k in range(2):
        value = np.zeros((4, 4))
        for t in np.flatnonzero(truth.present[:, k]):
            for p in np.flatnonzero(found.present[:, k]):
                similar = _slow_oks(found.keypoints_px[p, k], truth.keypoints_px[t, k], truth.box_px[t, k])
                overlap = _slow_iou(found.box_px[p, k], truth.box_px[t, k])
                value[t, p] = overlap + similar if max(overlap, similar) >= 0.5 else 0.0
        best = max(sum(value[t, p] for t, p in enumerate(order)) for order in permutations(range(4)))
        rows = np.flatnonzero(got[:, k] >= 0)
        chosen = value[rows, got[rows, k]]
        assert (chosen >= 0.5).all() and len(set(got[rows, k])) == len(rows)
        assert chosen.sum() == pytest.approx(
            best, abs=0.05
        )  # a similarity under the floor of 0.5 may be left out


@MANY
@given(SEED)
def test_match_tracks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    found = np.stack([rng.permutation(4) for _ in range(6)], axis=1)
    found[rng.random(found.shape) < 0.3] = -1
    got = match_tracks(Matches(found, 24, 24)).predicted_of_true
    most = max(sum(int((found[t] == p).sum()) for t, p in enumerate(o)) for o in permutations(range(4)))
    assert (got >= 0).sum() == most
    assert ((got == found) | (got == -1)).all()
    assert all(len(set(row[row >= 0])) <= 1 for row in got)


@MANY
@given(SEED, st.booleans())
def test_placement_and_order(seed: int, chosen_only: bool) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(6, 3, 3)) * 5, rng.normal(size=(6, 3, 3)) * 5
    y[1] = y[0]  # two people on one spot: no distance to judge
    matched, chosen = rng.random((6, 3)) < 0.7, rng.random((6, 3)) < 0.5
    select = chosen if chosen_only else None
    got = place_frames(x, y, matched, select)
    deep, true = x[..., 1], y[..., 1]
    order = {rule: order_frames(deep, true, matched, rule, select=select) for rule in OrderRule}
    for f in range(3):
        pairs = [
            (i, j)
            for i, j in combinations(np.flatnonzero(matched[:, f]).tolist(), 2)
            if not chosen_only or chosen[i, f] or chosen[j, f]
        ]
        apart = [(i, j) for i, j in pairs if np.linalg.norm(y[i, f] - y[j, f]) > 0]
        assert got.pairs[f] == len(apart)
        for scores, scale in ((got.ppds, 1.0), (got.pa_ppds, got.scale[f])):
            terms = []
            for i, j in apart:
                p, q = scale * np.linalg.norm(x[i, f] - x[j, f]), np.linalg.norm(y[i, f] - y[j, f])
                terms.append(max(0.0, 1.0 - abs(p - q) / q))
            assert scores[f] == pytest.approx(np.mean(terms) if terms else np.nan, nan_ok=True)
        right = dict.fromkeys(OrderRule, 0)
        for i, j in pairs:
            p, q = deep[i, f] - deep[j, f], true[i, f] - true[j, f]
            right[OrderRule.STRICT] += p * q > 0
            right[OrderRule.SIGN_OR_NEAR] += p * q > 0 or (abs(p) < 0.3 and abs(q) < 0.3)
            right[OrderRule.THREE_CLASS] += (p > 0.3, p < -0.3) == (q > 0.3, q < -0.3)
        for rule in OrderRule:
            assert (order[rule].right[f], order[rule].pairs[f]) == (right[rule], len(pairs)), rule


@MANY
@given(SEED, st.integers(1, 3))
def test_differences_over_consecutive_frames(seed: int, order: int) -> None:
    rng = np.random.default_rng(seed)
    person, frame = np.nonzero(rng.random((3, 15)) < 0.75)
    num = len(person)
    row = np.where(rng.random(num) < 0.1, 7, 1)
    x, y = rng.normal(size=(2, num, 4, 3))
    starts = run_starts(person, frame, row, order)
    got = difference_errors(x, y, starts, order)
    want = {}
    for k in range(num - order):
        run = range(k, k + order + 1)
        if (
            len({person[i] for i in run}) == len({row[i] for i in run}) == 1
            and frame[run[-1]] == frame[k] + order
        ):
            off = x[k : k + order + 1] - y[k : k + order + 1]
            for _ in range(order):
                off = off[1:] - off[:-1]
            want[k] = float(np.mean([np.linalg.norm(off[0, j]) for j in range(4)]))
    assert starts.tolist() == list(want)
    np.testing.assert_allclose(got, list(want.values()), rtol=1e-9)


@FEW
@given(SEED)
def test_author_charges(seed: int) -> None:
    """MPJPE and ACCEL of the authors, by loops over people."""
    found, truth = _crowds(np.random.default_rng(seed), people=4, frames=6)
    matches = match_author(found, truth)
    got, of = score_author(found, truth, matches=matches), matches.predicted_of_true
    errors = []
    for t, f in zip(*np.nonzero(truth.present), strict=True):
        if of[t, f] < 0:
            errors.append(MISSING_MM)
            continue
        x, y = found.joints_m[of[t, f], f], truth.joints_m[t, f]
        errors.append(1e3 * np.mean([np.linalg.norm(x[j] - x[0] - y[j] + y[0]) for j in H36M_14]))
    assert got.mpjpe_mm == pytest.approx(np.mean(errors))
    kept = match_tracks(matches).predicted_of_true
    tracks = []
    for t in range(4):
        frames = np.flatnonzero(kept[t] >= 0)
        sides = found.joints_m[kept[t, frames], frames], truth.joints_m[t, frames]
        x, y = (z[:, H36M_14] - z[:, :1] for z in sides)
        steps = []
        for k in range(1, len(frames) - 1):
            a, b = (np.linalg.norm(z[k + 1] - 2 * z[k] + z[k - 1], axis=1) for z in (x, y))
            steps.append(1e3 * np.sqrt(((a - b) ** 2).sum()))
        tracks += [np.mean(steps)] if steps else []
    assert got.accel == pytest.approx(np.mean(tracks) if tracks else np.nan, nan_ok=True)


@FEW
@given(SEED)
def test_pooled_pose_errors(seed: int) -> None:
    found, truth = _crowds(np.random.default_rng(seed))
    matches = match_people(found, truth)
    got, of = score_corrected(found, truth, matches=matches), matches.predicted_of_true
    world, pelvis = [], []
    for t, f in zip(*np.nonzero(of >= 0), strict=True):
        x, y = found.joints_m[of[t, f], f], truth.joints_m[t, f]
        world.append(1e3 * np.mean([np.linalg.norm(a - b) for a, b in zip(x, y, strict=True)]))
        pelvis.append(1e3 * np.mean([np.linalg.norm(a - x[0] - b + y[0]) for a, b in zip(x, y, strict=True)]))
    assert got.world_mpjpe_mm == pytest.approx(np.mean(world) if world else np.nan, nan_ok=True)
    assert got.mpjpe_mm == pytest.approx(np.mean(pelvis) if pelvis else np.nan, nan_ok=True)
