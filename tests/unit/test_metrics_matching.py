"""Matching: who is taken for whom, and what happens in a crush."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from crowdstream.kernels.metrics.examples import standing_people
from crowdstream.kernels.metrics.matching import Matches, match_author, match_people, match_tracks


def test_the_authors_take_anything_in_reach_and_we_do_not() -> None:
    truth = standing_people([[0.0, 8.0, 0.0]])
    beside = standing_people([[0.35, 8.0, 0.0]])  # half a body aside: OKS and overlap well under a half
    assert match_author(beside, truth).predicted_of_true.tolist() == [[0]]
    assert match_people(beside, truth).predicted_of_true.tolist() == [[-1]]


def test_a_collision_leaves_the_less_similar_without_a_match() -> None:
    truth = standing_people([[0.0, 8.0, 0.0], [0.3, 8.0, 0.0]])
    one = standing_people([[0.2, 8.0, 0.0]])
    assert match_author(one, truth).predicted_of_true.tolist() == [[-1], [0]]
    both = standing_people([[0.12, 8.0, 0.0], [0.9, 8.0, 0.0]])  # everybody likes the first best
    assert match_author(both, truth).predicted_of_true.tolist() == [[0], [-1]]


def test_assignment_gives_everybody_a_match_where_greed_would_not() -> None:
    truth = standing_people([[0.0, 8.0, 0.0], [0.12, 8.0, 0.0]])
    found = standing_people([[0.08, 8.0, 0.0], [0.2, 8.0, 0.0]])
    assert match_people(found, truth).predicted_of_true.tolist() == [[0], [1]]


def test_wholly_hidden_people_can_be_matched() -> None:
    truth = standing_people([[0.0, 8.0, 0.0], [0.1, 12.0, 0.0]])
    hidden = replace(truth, visible=np.zeros_like(truth.visible))
    assert match_people(truth, hidden).predicted_of_true.tolist() == [[0], [1]]


def test_a_wrong_depth_is_still_the_same_person() -> None:
    truth = standing_people([[0.0, 8.0, 0.0]])
    deep = replace(truth, joints_m=truth.joints_m + np.array([0.0, 3.0, 0.0]))
    assert match_people(deep, truth).num_matched == 1


def test_boxes_alone_match_where_keypoints_are_none() -> None:
    truth = standing_people([[0.0, 8.0, 0.0], [2.0, 8.0, 0.0]])
    blank = replace(truth, keypoints_px=np.full_like(truth.keypoints_px, np.nan))
    assert match_people(blank, truth).predicted_of_true.tolist() == [[0], [1]]
    assert match_author(blank, truth).num_matched == 0


def test_absent_people_are_nobodys_match() -> None:
    crowd = standing_people([[0.0, 8.0, 0.0], [2.0, 8.0, 0.0]], num_frames=2)
    present = np.array([[True, False], [True, True]])
    for match in (match_author, match_people):
        got = match(replace(crowd, present=present), crowd)
        assert got.predicted_of_true.tolist() == [[0, -1], [1, 1]]
        assert (got.num_true, got.num_predicted, got.num_matched) == (4, 3, 3)


def test_one_identity_per_person_with_most_frames_in_all() -> None:
    # the first person likes 0 best, the second has nothing else; together 0-1, 1-0 share the most frames
    found = np.array([[0, 0, 0, 1, 1], [-1, -1, -1, 0, 0]])
    found[0, 3:] = 1
    got = match_tracks(Matches(found, 10, 7)).predicted_of_true
    assert got.tolist() == [[-1, -1, -1, 1, 1], [-1, -1, -1, 0, 0]]
    assert match_tracks(Matches(np.full((2, 3), -1), 6, 0)).num_matched == 0
