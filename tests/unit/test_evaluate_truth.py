"""Who counts, on which slots, and where the result is put beside them."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.lab.evaluate.errors import EvaluateError
from crowdstream.lab.evaluate.perfect import perfect_sightings, published_truth
from crowdstream.lab.evaluate.predicted import judged, merged, only_present, people_at, world_motion
from crowdstream.lab.evaluate.truth import MIN_INSIDE, inside_share, slots_of, truth_of
from crowdstream.lab.virtualcrowd.truth import View, Visibility
from crowdstream.stream.body_files import load_body

sys.path.insert(0, str(Path(__file__).parents[1] / "engine"))
from walkers import make_walkers

sys.path.pop(0)

BODY = load_body()
CROWD = make_walkers(people=3, slots=40)


def _every(view: View, step: int) -> View:
    """The same camera at a fraction of the rate."""
    frames = np.arange(0, view.num_frames, step)
    fields = ("present", "keypoints_px", "visibility", "joint_visibility", "box_px", "seen_share")
    return replace(view, t_ns=view.t_ns[frames], **{name: getattr(view, name)[:, frames] for name in fields})


def test_share_of_a_box_in_the_picture() -> None:
    boxes = np.array(
        [[0, 0, 10, 10], [-5, 0, 5, 10], [-5, -5, 5, 5], [30, 0, 40, 10], [5, 5, 5, 9], [np.nan] * 4]
    )
    assert inside_share(boxes.astype(float), (20, 20)).tolist() == [1.0, 0.5, 0.25, 0.0, 0.0, 0.0]


def test_the_hidden_count_and_those_out_of_view_do_not() -> None:
    view = CROWD.view
    boxes = view.box_px.copy()
    width = boxes[0, :, 2] - boxes[0, :, 0]
    boxes[0, :, [0, 2]] -= boxes[0, :, 0] + 0.8 * width  # one fifth of it inside
    hidden = view.visibility.copy()
    hidden[1] = Visibility.OCCLUDED
    seen = view.seen_share.copy()
    seen[1] = 0.0
    truth = truth_of(CROWD.motion, replace(view, box_px=boxes, visibility=hidden, seen_share=seen), BODY)
    assert 0.2 < MIN_INSIDE
    assert truth.people.present.tolist() == [[False] * 40, [True] * 40, [True] * 40]
    counts = truth.counts()
    assert (counts["person_frames"], counts["ignored_person_frames"]) == (80, 40)
    assert (counts["hidden_person_frames"], counts["occluded_person_frames"]) == (40, 40)
    assert (counts["people"], counts["people_never_seen"]) == (2, 1)


def test_a_slow_camera_has_the_same_truth_between_its_frames() -> None:
    fast, slow = (truth_of(CROWD.motion, view, BODY) for view in (CROWD.view, _every(CROWD.view, 3)))
    assert slow.people.present.shape == (3, 40)
    assert np.array_equal(slow.people.joints_m, fast.people.joints_m)
    assert np.abs(slow.people.box_px - fast.people.box_px).mean() < 1.0  # arms swing between its frames


def test_seconds_cut_slots() -> None:
    part, t_ns = slots_of(CROWD.view, 40, seconds=0.5)
    assert (part.start, part.stop, len(t_ns)) == (0, 15, 15)
    late = replace(CROWD.view, t_ns=CROWD.view.t_ns + 10**12)
    with pytest.raises(EvaluateError, match="no frame within"):
        slots_of(late, 40)


def test_another_crowds_view_is_refused() -> None:
    with pytest.raises(EvaluateError, match="not of one crowd"):
        truth_of(CROWD.motion, make_walkers(people=2, slots=40).view, BODY)


def test_merged_truth_is_the_truth() -> None:
    truth = truth_of(CROWD.motion, CROWD.view, BODY)
    track = merged(published_truth(CROWD.motion, CROWD.view).solutions(), BODY, CROWD.view.camera)
    found = people_at(track, truth.t_ns, CROWD.view.camera)
    assert np.array_equal(found.present, truth.people.present)
    assert np.abs(found.joints_m - truth.people.joints_m).max() < 1e-6
    assert np.abs(found.keypoints_px - truth.people.keypoints_px).max() < 1e-2
    assert np.abs(found.soles_m - truth.people.soles_m).max() < 1e-5


def test_between_slots_bodies_move_evenly() -> None:
    truth = truth_of(CROWD.motion, CROWD.view, BODY)
    track = merged(published_truth(CROWD.motion, CROWD.view).solutions(), BODY, CROWD.view.camera)
    half = truth.t_ns[:-1] + 16_666_667
    found = people_at(track, half, CROWD.view.camera)
    middle = 0.5 * (truth.people.joints_m[:, :-1] + truth.people.joints_m[:, 1:])
    assert found.present.all()
    assert np.abs(found.joints_m - middle).max() < 1e-5
    beyond = people_at(track, truth.t_ns[-1:] + 50_000_000, CROWD.view.camera)
    assert not beyond.present.any()


def test_worlds_meet_in_the_camera() -> None:
    true = CROWD.view.camera
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    away = np.array([5.0, -3.0, 0.5])
    # the same camera, named in a world that is turned and shifted: x_other = turn x + away
    other = CameraModel(
        true.K, true.R_cam_world @ turn.T, true.t_cam_world_m - true.R_cam_world @ turn.T @ away, true.size_px
    )
    points = np.random.default_rng(0).normal(size=(7, 3))
    assert np.allclose(world_motion(other, true).apply(points @ turn.T + away), points)


def test_who_is_found_out_of_view_is_neither_right_nor_wrong() -> None:
    truth = truth_of(CROWD.motion, CROWD.view, BODY)
    counted = truth.people.present.copy()
    counted[0] = False
    ignoring = replace(truth, people=replace(truth.people, present=counted))
    found = truth.people
    assert judged(found, truth).num_person_frames == found.num_person_frames
    kept = judged(found, ignoring)
    assert kept.person_ids.tolist() == [2, 3]


def test_people_without_a_frame_left_go() -> None:
    truth = truth_of(CROWD.motion, CROWD.view, BODY).people
    keep = np.zeros_like(truth.present)
    keep[1, 4] = True
    left = only_present(truth, keep)
    assert left.person_ids.tolist() == [2] and left.num_person_frames == 1


def test_perfect_sightings_show_what_is_to_be_seen() -> None:
    view = CROWD.view
    visible = view.visibility.copy()
    visible[0, :, 2:] = Visibility.OCCLUDED  # two keypoints make no sighting
    visible[1, :, 0] = Visibility.SELF_OCCLUDED
    seen = perfect_sightings(replace(view, visibility=visible))
    assert set(seen.person.tolist()) == {2, 3}
    assert (seen.confidence[seen.person == 2][:, 0] == 0).all()
    assert (seen.confidence[seen.person == 3] == 1).all()
    assert np.array_equal(seen.keypoints_px[seen.person == 3], view.keypoints_px[2])
