"""Laws of identity scores: what must not change them, and what must."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.kernels.metrics.identity import score_identity, score_identity_on_ground
from crowdstream.kernels.metrics.track_rows import TrackRows

SEEDS = st.integers(0, 2**32 - 1)


def _crowd(seed: int, people: int = 5, frames: int = 8) -> tuple[TrackRows, TrackRows]:
    """A result and its truth: people close together, shaken boxes, misses, exchanged names."""
    rng = np.random.default_rng(seed)
    frame, person = (a.ravel() for a in np.meshgrid(np.arange(frames), np.arange(people), indexing="ij"))
    place = np.cumsum(rng.normal(0, 2, (frames, people, 2)), 0) + rng.uniform(0, 60, (people, 2))
    place = place.reshape(-1, 2)
    names = np.where(frame >= rng.integers(1, frames), rng.permutation(people)[person], person)
    return (
        _keep(frame, names, place + rng.normal(0, 4, place.shape), rng.random(len(frame)) < 0.85),
        _keep(frame, person, place, rng.random(len(frame)) < 0.9),
    )


def _keep(frame: np.ndarray, person: np.ndarray, place: np.ndarray, keep: np.ndarray) -> TrackRows:
    box = np.concatenate([place, place + np.array([30.0, 70.0])], axis=1)
    return TrackRows(frame[keep], person[keep], box[keep], (place / 20.0)[keep])


def _change(rows: TrackRows, order: np.ndarray | slice = slice(None), **new: np.ndarray) -> TrackRows:
    held = {
        "frame": rows.frame,
        "person_ids": rows.person_ids,
        "box_px": rows.box_px,
        "ground_m": rows.ground_m,
    }
    return TrackRows(**{k: np.asarray(v)[order] for k, v in (held | new).items()})


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_neither_order_nor_names_nor_scale_matter(seed: int) -> None:
    found, truth = _crowd(seed)
    rng = np.random.default_rng(seed + 1)
    names = rng.permutation(50)
    moved = [
        _change(
            rows,
            rng.permutation(len(rows.frame)),
            person_ids=names[rows.person_ids],
            frame=rows.frame + 100,
            box_px=rows.box_px * 3.0 - 7.0,
            ground_m=rows.ground_m[:, ::-1],
        )
        for rows in (found, truth)
    ]
    for score in (score_identity, score_identity_on_ground):
        assert score(*moved).as_dict() == pytest.approx(score(found, truth).as_dict())


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_backwards_in_time_identity_and_hota_are_the_same(seed: int) -> None:
    found, truth = _crowd(seed)
    there, back = (
        score_identity(found, truth),
        score_identity(*(_change(r, frame=-r.frame) for r in (found, truth))),
    )
    assert back.idf1 == there.idf1
    assert back.hota.hota == pytest.approx(there.hota.hota)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_counts_add_up_and_scores_stay_in_range(seed: int) -> None:
    found, truth = _crowd(seed)
    for scores in (score_identity(found, truth), score_identity_on_ground(found, truth)):
        c, i, h = scores.clear, scores.idf1, scores.hota
        assert c.matches + c.misses == len(truth.frame)
        assert c.matches + c.false_positives == len(found.frame)
        assert c.mota <= 1 and 0.5 <= c.motp <= 1
        assert 0 <= i.idf1 <= 1 and i.true_positives <= min(len(truth.frame), len(found.frame))
        assert 0 <= h.hota <= 1 and h.hota_of_alpha == pytest.approx(np.sort(h.hota_of_alpha)[::-1], abs=0.05)


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_who_need_not_be_found_takes_at_most_one_finding_away(seed: int) -> None:
    found, truth = _crowd(seed)
    hidden = np.random.default_rng(seed).random(len(truth.frame)) < 0.3
    clear = score_identity(found, truth, hidden).clear
    assert clear.matches + clear.misses == int((~hidden).sum())
    assert 0 <= len(found.frame) - clear.matches - clear.false_positives <= hidden.sum()
    nobody_hidden = score_identity(found, truth, np.zeros(len(truth.frame), bool))
    assert nobody_hidden.as_dict() == score_identity(found, truth).as_dict()


@given(SEEDS)
@settings(max_examples=15, deadline=None)
def test_exchanged_names_cost_identity_and_nothing_else(seed: int) -> None:
    """True boxes of people who stand apart; from the fifth frame on each has the name of the next."""
    _, truth = _crowd(seed)
    truth = _change(truth, box_px=truth.box_px + 1000.0 * truth.person_ids[:, None])
    late = truth.frame >= 4
    scores = score_identity(
        _change(truth, person_ids=np.where(late, (truth.person_ids + 1) % 5, truth.person_ids)), truth
    )
    assert scores.hota.deta == pytest.approx(1.0)
    assert (scores.clear.misses, scores.clear.false_positives) == (0, 0)
    assert scores.clear.switches == len(np.intersect1d(truth.person_ids[late], truth.person_ids[~late]))
    assert scores.idf1.idf1 < 1 and scores.hota.assa < 1
