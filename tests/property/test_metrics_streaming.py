"""Laws of the streaming metrics, and a slow twin that keeps everything and looks it up anew for every delay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.metrics.log_histogram import LogHistogram
from crowdstream.kernels.metrics.people import People
from crowdstream.kernels.metrics.streaming import PLACED_MM, StreamingScorer
from crowdstream.kernels.metrics.streaming_scores import StreamingScores
from crowdstream.kernels.metrics.versions import TIER_RANK, Versions

SEEDS = st.integers(0, 2**32 - 1)
PEOPLE, FRAMES = 3, 4
DELAYS_S = (0.05, 0.2, 0.7, 1.5)
T_NS = np.arange(FRAMES) * 100_000_000


def _truth(rng: np.random.Generator) -> People:
    ground = rng.normal(0, 3, (PEOPLE, FRAMES, 3))
    joints = ground[:, :, None] + rng.normal(0, 0.4, (PEOPLE, FRAMES, 24, 3))
    return People(
        10.0, np.arange(PEOPLE), rng.random((PEOPLE, FRAMES)) < 0.8, joints, ground, np.array([1.0, 0, 0]),
        np.zeros(3), np.zeros((PEOPLE, FRAMES, 4)), np.zeros((PEOPLE, FRAMES, 17, 2)),
    )  # fmt: skip


def _messages(truth: People, rng: np.random.Generator, count: int = 9) -> list[Versions]:
    """Live rows, windows and refinements in order of time; wrong places, wrong people, false people."""
    out = []
    for t_ns in np.sort(rng.integers(0, 2_000_000_000, count)):
        tier = list(TIER_RANK)[rng.integers(0, 4)]
        slots = np.arange(FRAMES) if TIER_RANK[tier] else rng.integers(0, FRAMES, 1)
        slot, ids, true = [], [], []
        for s in slots:
            k = rng.integers(1, PEOPLE + 1)
            slot += [s] * k
            ids += (rng.permutation(4)[:k] + 50).tolist()
            true += (rng.permutation(PEOPLE + 1)[:k] - 1).tolist()
        row = np.array(true)
        ground = truth.ground_m[row, slot] + rng.normal(0, 0.3, (len(row), 3))
        body = truth.joints_m[row, slot] + rng.normal(0, 0.1, (len(row), 24, 3))
        body = body if TIER_RANK[tier] else np.zeros((0, 24, 3))
        out.append(Versions(tier, int(t_ns), np.array(slot), np.array(ids), row, ground, body))
    return out


def _scores(truth: People, messages: Sequence[Versions]) -> StreamingScores:
    scorer = StreamingScorer(truth, T_NS, DELAYS_S)
    for message in messages:
        scorer.push(message)
    return scorer.finish()


def _slow_curve(truth: People, messages: Sequence[Versions]) -> dict[str, list[float]]:
    """The definition: for each delay and person-frame, all that had come by then, one row after the other."""
    out: dict[str, list[float]] = {
        k: [] for k in ("coverage", "coverage_bodies", "placed", "ground_mm", "ground_median_mm", "mpjpe_mm")
    }
    for delay in DELAYS_S:
        ground, joints = [], []
        for frame in range(FRAMES):
            held: dict[
                int, tuple[int, int, np.ndarray, np.ndarray | None]
            ] = {}  # true row -> id, rank, places
            for message in messages:
                if message.t_available_ns <= T_NS[frame] + round(delay * 1e9):
                    _take(held, message, frame, truth)
            for row, (_, _, place, body) in held.items():
                ground.append(1e3 * np.linalg.norm(place - truth.ground_m[row, frame]))
                if body is not None:
                    true = truth.joints_m[row, frame]
                    joints.append(1e3 * np.mean(np.linalg.norm((body - body[0]) - (true - true[0]), axis=1)))
        total = int(truth.present.sum())
        out["coverage"].append(len(ground) / total)
        out["coverage_bodies"].append(len(joints) / total)
        out["placed"].append(sum(e <= PLACED_MM for e in ground) / total)
        out["ground_mm"].append(float(np.mean(ground)) if ground else np.nan)
        out["ground_median_mm"].append(float(np.sort(ground)[(len(ground) - 1) // 2]) if ground else np.nan)
        out["mpjpe_mm"].append(float(np.mean(joints)) if joints else np.nan)
    return out


def _take(
    held: dict[int, tuple[int, int, np.ndarray, np.ndarray | None]],
    message: Versions,
    frame: int,
    truth: People,
) -> None:
    rank = TIER_RANK[message.tier]
    for k in np.flatnonzero(message.slot == frame):
        name, row = int(message.person_ids[k]), int(message.true_row[k])
        row = row if row >= 0 and truth.present[row, frame] else -1
        before = next((r for r, h in held.items() if h[0] == name), None)
        if before is not None and held[before][1] > rank:
            continue
        if row in held and held[row][1] > rank:
            continue
        if before is not None and before != row:
            del held[before]
        if row >= 0:
            held[row] = (
                name,
                rank,
                message.ground_m[k],
                message.joints_m[k] if len(message.joints_m) else None,
            )


def _there(truth: People) -> bool:
    return bool(truth.present.any())


@given(SEEDS)
@settings(max_examples=25, deadline=None)
def test_the_curve_is_that_of_the_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _truth(rng)
    if not _there(truth):
        return
    messages = _messages(truth, rng)
    curve, slow = _scores(truth, messages).curve, _slow_curve(truth, messages)
    for name, values in slow.items():
        rtol = 6e-3 if "median" in name else 1e-4  # a histogram; float32
        np.testing.assert_allclose(getattr(curve, name), values, rtol=rtol, err_msg=name)


@given(SEEDS, st.integers(0, 2_200_000_000))
@settings(max_examples=25, deadline=None)
def test_a_later_perfect_version_worsens_nothing(seed: int, extra_ns: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _truth(rng)
    messages = _messages(truth, rng)
    last = messages[-1].t_available_ns + extra_ns
    row, slot = np.nonzero(truth.present)
    perfect = Versions(
        "refined", last, slot, row + 900, row, truth.ground_m[row, slot], truth.joints_m[row, slot]
    )
    before, after = _scores(truth, messages).curve, _scores(truth, [*messages, perfect]).curve
    for name in ("coverage", "coverage_bodies", "placed"):
        assert (getattr(after, name) >= getattr(before, name) - 1e-12).all() or not _there(truth)
    for name in ("ground_mm", "ground_median_mm", "mpjpe_mm"):
        was, now = getattr(before, name), getattr(after, name)
        assert (now[np.isfinite(was)] <= was[np.isfinite(was)] + 1e-3).all()


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_saying_the_same_again_is_a_revision_of_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _truth(rng)
    window = next(m for m in iter(lambda: _messages(truth, rng, 1)[0], None) if m.tier == "window")
    again = Versions(
        "window", window.t_available_ns + 1, window.slot, window.person_ids, window.true_row, window.ground_m,
        window.joints_m,
    )  # fmt: skip
    once, twice = _scores(truth, [window]), _scores(truth, [window, again])
    matched = int(
        (window.true_row >= 0).sum()
        - (~truth.present[window.true_row, window.slot] & (window.true_row >= 0)).sum()
    )
    assert len(twice.revisions.step_joints) == matched
    if matched:
        assert twice.revisions.step_joints.quantile(1.0) == 0.0 == twice.revisions.whole_ground.quantile(1.0)
        assert twice.revisions.revised == 0.0 and twice.revisions.identity_changes == 0
    for name in ("coverage", "ground_mm", "mpjpe_mm"):
        np.testing.assert_array_equal(getattr(twice.curve, name)[-1], getattr(once.curve, name)[-1])


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_order_of_people_and_names_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth = _truth(rng)
    messages = _messages(truth, rng)
    order = rng.permutation(PEOPLE)
    place = np.append(np.argsort(order), -1)  # new row of an old one; the last for nobody
    shuffled = People(
        10.0, truth.person_ids[order], truth.present[order], truth.joints_m[order], truth.ground_m[order],
        truth.depth_axis, truth.centre_m, truth.box_px[order], truth.keypoints_px[order],
    )  # fmt: skip
    names = rng.permutation(100)
    moved = []
    for m in messages:
        p = rng.permutation(len(m.slot))
        body = m.joints_m[p] if len(m.joints_m) else m.joints_m
        moved.append(
            Versions(
                m.tier,
                m.t_available_ns,
                m.slot[p],
                names[m.person_ids[p]],
                place[m.true_row[p]],
                m.ground_m[p],
                body,
            )
        )
    one, other = _scores(truth, messages).as_dict(), _scores(shuffled, moved).as_dict()
    for part in ("at_delay", "revisions", "latency_ms", "first_ms"):
        assert _flat(one[part]) == pytest.approx(_flat(other[part]), rel=1e-4, nan_ok=True)


def _flat(table: object) -> dict[str, float]:
    assert isinstance(table, dict)
    out: dict[str, float] = {}
    for key, value in table.items():
        inner = _flat(value) if isinstance(value, dict) else {"": np.nan if value is None else value}
        out |= {f"{key}.{k}": v for k, v in inner.items()}
    return out


@given(st.lists(st.floats(0.011, 9e6), min_size=1, max_size=60), st.floats(0.0, 1.0))
@settings(max_examples=40, deadline=None)
def test_percentiles_are_right_to_half_a_percent(values: list[float], q: float) -> None:
    h = LogHistogram()
    h.add(np.array(values))
    exact = np.sort(values)[max(int(np.ceil(q * len(values) - 1e-9)), 1) - 1]
    assert h.quantile(q) == pytest.approx(exact, rel=5.1e-3)


@given(st.lists(st.floats(0, 1e8), max_size=40), st.integers(0, 40))
@settings(max_examples=40, deadline=None)
def test_histograms_of_parts_make_that_of_the_whole(values: list[float], cut: int) -> None:
    whole, parts = LogHistogram(), LogHistogram()
    whole.add(np.array(values))
    parts.add(np.array(values[:cut]))
    parts.add(np.array([*values[cut:], np.nan]))
    np.testing.assert_array_equal(whole.counts, parts.counts)
    edges, counts = whole.coarse()
    assert counts.sum() == len(values) == len(whole)
    assert len(edges) == len(counts) + 1 or len(values) == 0
