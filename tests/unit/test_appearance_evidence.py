"""Evidence of appearance: monotone, bounded, fair to codes that say nothing."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.perception.appearance_code import COLOUR_SIZE, CodeKind
from crowdstream.kernels.tracking.appearance_evidence import EVIDENCE, appearance_llr, code_llr

Array = np.ndarray
KINDS = list(EVIDENCE)
DISTANCES = np.concatenate([[0.0], np.geomspace(1e-4, 1.0, 200)])


def _full(value: float) -> Array:
    return np.full(len(DISTANCES), value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [1.0, 5.0, 50.0])
def test_further_apart_is_never_more_likely_the_same(kind: CodeKind, count: float) -> None:
    llr = appearance_llr(DISTANCES, _full(count), _full(count), kind)
    assert (np.diff(llr) < 1e-6).all()
    assert llr[0] > 1.5
    assert llr[-1] < -1.5


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_is_believed_without_end(kind: CodeKind) -> None:
    llr = appearance_llr(DISTANCES, _full(100.0), _full(100.0), kind)
    assert llr.max() <= -np.log(EVIDENCE[kind].alike) + 1e-9
    assert llr.min() >= np.log(EVIDENCE[kind].lost) - 1e-9


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_distance_speaks_more_against_when_many_codes_agree(kind: CodeKind) -> None:
    apart = np.array([np.exp(EVIDENCE[kind].other_mean)])
    few = appearance_llr(apart, np.ones(1), np.ones(1), kind)
    many = appearance_llr(apart, np.full(1, 30.0), np.full(1, 30.0), kind)
    assert many[0] < few[0] < 0.0


@pytest.mark.parametrize("kind", KINDS)
def test_draws_of_the_model_are_worth_more_for_the_same_than_for_others(kind: CodeKind) -> None:
    e, rng = EVIDENCE[kind], np.random.default_rng(1)
    same, other = (
        np.exp(rng.normal(mean, std, 4000))
        for mean, std in ((e.same_mean, e.same_std), (e.other_mean, e.other_std))
    )
    ones = np.full(4000, 100.0)
    assert appearance_llr(same, ones, ones, kind).mean() > 0.5
    assert appearance_llr(np.minimum(other, 1.0), ones, ones, kind).mean() < -0.5


def test_unknown_codes_say_nothing() -> None:
    rng = np.random.default_rng(2)
    known = np.abs(rng.normal(size=(3, COLOUR_SIZE)))
    known /= np.linalg.norm(known, axis=1, keepdims=True)
    unknown = np.zeros((3, COLOUR_SIZE))
    assert not code_llr(known, unknown, np.ones(3), np.zeros(3)).any()
    assert appearance_llr(np.array([np.nan]), np.ones(1), np.ones(1))[0] == 0.0
    assert not code_llr(np.zeros((3, 0)), np.zeros((3, 0)), np.ones(3), np.ones(3)).any()


def test_evidence_is_symmetric_and_half_a_code_has_half_a_voice() -> None:
    rng = np.random.default_rng(3)
    a, b = (np.abs(rng.normal(size=(4, COLOUR_SIZE))) for _ in range(2))
    ones, many = np.ones(4), np.full(4, 9.0)
    np.testing.assert_allclose(code_llr(a, b, ones, many), code_llr(b, a, many, ones))
    whole = code_llr(a, a, many, many)
    half = a.copy()
    half[:, COLOUR_SIZE // 2 :] = 0.0
    np.testing.assert_allclose(code_llr(half, a, many, many), 0.5 * whole, rtol=1e-6)
