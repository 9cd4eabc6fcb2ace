"""Selections: what counts as hidden, and what a selection changes in the scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from crowdstream.kernels.metrics.author import score_author
from crowdstream.kernels.metrics.corrected import score_corrected
from crowdstream.kernels.metrics.examples import standing_people
from crowdstream.kernels.metrics.matching import match_author, match_people
from crowdstream.kernels.metrics.people import People
from crowdstream.kernels.metrics.selection import hidden_share, occluded, severity_bins

SPOTS = [[0.0, 8.0, 0.0], [2.0, 9.0, 0.0], [-1.5, 12.0, 0.0]]


def _half_hidden(num_frames: int = 6) -> People:
    """The first person is hidden from the waist down in all frames but the first; the others are seen."""
    crowd = standing_people(SPOTS, num_frames, step_m=(0.03, 0.0, 0.0))
    seen = crowd.visible.copy()
    seen[0, 1:, 5:] = False
    return replace(crowd, visible=seen)


def _worse_where_hidden(truth: People) -> People:
    joints = truth.joints_m.copy()
    joints[0, 1:, 20] += [0.0, 0.0, 0.24]
    return replace(truth, joints_m=joints)


def test_half_and_more_is_occluded() -> None:
    crowd = standing_people(SPOTS[:1])
    for hidden, wanted in ((8, False), (9, True), (17, True)):
        seen = crowd.visible.copy()
        seen[0, 0, :hidden] = False
        assert occluded(replace(crowd, visible=seen)).tolist() == [[wanted]]


def test_what_the_border_cuts_off_is_not_hidden() -> None:
    crowd = standing_people(SPOTS[:1])
    px, seen = crowd.keypoints_px.copy(), crowd.visible.copy()
    px[0, 0, 5:, 1] = 1300.0
    seen[0, 0, 5:] = False
    cut = replace(crowd, keypoints_px=px, visible=seen)
    assert hidden_share(cut).tolist() == [[0.0]]
    assert hidden_share(replace(cut, size_px=(0, 0)))[0, 0] == pytest.approx(12 / 17)
    outside = replace(crowd, keypoints_px=px - 5000.0)
    assert np.isnan(hidden_share(outside)).all() and not occluded(outside).any()


def test_unknown_visibility_hides_nobody() -> None:
    crowd = replace(standing_people(SPOTS), visible=np.ones((0, 0, 17), bool))
    assert not occluded(crowd).any()
    assert np.isnan(score_corrected(crowd, crowd, occluded_only=True).mpjpe_mm)


def test_bins_are_disjoint_and_complete() -> None:
    crowd = standing_people([[0.4 * i - 4.0, 9.0, 0.0] for i in range(18)])
    seen = np.arange(17) >= np.arange(18)[:, None, None]  # person i hides i keypoints
    bins = severity_bins(replace(crowd, visible=seen))
    assert np.sum(list(bins.values()), axis=0).tolist() == [[1]] * 18
    assert [int(b.sum()) for b in bins.values()] == [5, 4, 4, 4, 1]


def test_errors_of_the_hidden_alone() -> None:
    truth = _half_hidden()
    found = _worse_where_hidden(truth)
    everyone, hidden = score_corrected(found, truth), score_corrected(found, truth, occluded_only=True)
    assert hidden.num_true == hidden.num_matched == 5
    assert hidden.mpjpe_mm == pytest.approx(10.0)
    assert everyone.mpjpe_mm == pytest.approx(10.0 * 5 / 18)
    assert np.isnan(hidden.precision) and np.isnan(hidden.rp) and hidden.recall == 1.0
    author = score_author(found, truth, select=occluded(truth))
    assert author.num_true == 5
    assert author.mpjpe_mm == pytest.approx(240.0 / 14)  # a wrist, of the 14 joints
    assert np.isnan(author.rp) and np.isnan(author.score)


def test_a_selection_of_everybody_changes_nothing_but_redundancy() -> None:
    truth = _half_hidden()
    found = _worse_where_hidden(truth)
    all_of_them = np.ones_like(truth.present)
    for score in (score_author, score_corrected):
        whole, chosen = score(found, truth).as_dict(), score(found, truth, select=all_of_them).as_dict()
        for name in ("rp", "score", "precision", "f1"):
            chosen.pop(name, None)
        assert chosen == {name: whole[name] for name in chosen}


def test_a_selection_and_its_rest_make_the_whole() -> None:
    truth = _half_hidden()
    found = _worse_where_hidden(truth)
    chosen = occluded(truth)
    a, b = score_corrected(found, truth, select=chosen), score_corrected(found, truth, select=~chosen)
    whole = score_corrected(found, truth)
    for name in ("mpjpe_mm", "pa_mpjpe_mm", "world_mpjpe_mm", "wa_mpjpe_mm", "w_track_mpjpe_mm", "oks_all"):
        parts = a.num_matched * getattr(a, name) + b.num_matched * getattr(b, name)
        assert parts / whole.num_matched == pytest.approx(getattr(whole, name)), name


def test_matches_given_are_matches_used() -> None:
    truth = _half_hidden()
    found = _worse_where_hidden(truth)
    assert score_author(found, truth, matches=match_author(found, truth)) == score_author(found, truth)
    nobody = replace(match_people(found, truth), predicted_of_true=np.full(truth.present.shape, -1))
    assert score_corrected(found, truth, matches=nobody).recall == 0.0
