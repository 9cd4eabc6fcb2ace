"""Simulated sightings: exact without noise, and each flaw of a network does what it says."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.camera import CameraModel
from crowdstream.kernels.ground import Ground
from crowdstream.lab.virtualcrowd.detector_model import simulate
from crowdstream.lab.virtualcrowd.sighting_boxes import overlapping_pairs, unsuppressed, visible_box
from crowdstream.lab.virtualcrowd.sighting_clips import MIRRORED
from crowdstream.lab.virtualcrowd.sighting_compare import compare_sightings, markdown
from crowdstream.lab.virtualcrowd.sighting_false import STANDING
from crowdstream.lab.virtualcrowd.sighting_fit_boxes import ClipAtSize, fit_boxes, fit_false, tail_of
from crowdstream.lab.virtualcrowd.sighting_match import match_sightings, on_people, with_people
from crowdstream.lab.virtualcrowd.sighting_model import (
    FITTED,
    LEVELS,
    STATES,
    BoxModel,
    FalseBoxModel,
    KeypointModel,
    SightingModel,
    SightingModelError,
    read_model,
)
from crowdstream.lab.virtualcrowd.sighting_pets import pets_view
from crowdstream.lab.virtualcrowd.sightings import Sightings
from crowdstream.lab.virtualcrowd.truth import View, Visibility

EXACT = SightingModel()


def people_in_a_row(
    people: int = 8,
    frames: int = 300,
    height_px: float = 100.0,
    spacing_px: float = 120.0,
    rate_hz: float = 30.0,
) -> View:
    """Standing figures side by side, all in full view, drifting slowly to the right."""
    start = 40.0 + spacing_px * np.arange(people)
    left = start[:, None] + 0.05 * np.arange(frames)
    top = 180.0
    wide = 0.5 * height_px
    box = np.stack([left, np.full_like(left, top), left + wide, np.full_like(left, top + height_px)], axis=-1)
    points = box[..., None, :2] + STANDING * [wide, height_px]
    camera = CameraModel(
        K=np.eye(3), R_cam_world=np.eye(3), t_cam_world_m=np.zeros(3),
        size_px=(int(left.max() + 2 * wide + 40), int(2 * top + height_px)),
    )  # fmt: skip
    return View(
        name="row", camera=camera, ground=Ground(), t_ns=np.round(np.arange(frames) * 1e9 / rate_hz).astype(np.int64),
        person_ids=np.arange(1, people + 1), present=np.ones((people, frames), bool),
        keypoints_px=points.astype(np.float32), visibility=np.full((people, frames, 17), Visibility.VISIBLE, np.uint8),
        joint_visibility=np.full((people, frames, 24), Visibility.VISIBLE, np.uint8),
        box_px=box.astype(np.float32), seen_share=np.ones((people, frames), np.float32),
    )  # fmt: skip


def with_keypoints(**settings: object) -> SightingModel:
    return SightingModel(keypoints=KeypointModel.model_validate(settings))


def same_for_all(value: float) -> tuple[tuple[float, ...], ...]:
    return tuple((value,) * 17 for _ in STATES)


def errors_px(view: View, model: SightingModel, seed: int = 0) -> np.ndarray:
    """(N, F, 17, 2) found minus true; everybody must be found."""
    seen = simulate(view, model, seed)
    row = match_sightings(seen, view).row_of_person
    assert (row >= 0).all()
    return seen.keypoints_px[row] - view.keypoints_px


def test_without_noise_the_truth_comes_out() -> None:
    view = people_in_a_row(frames=20)
    seen = simulate(view, EXACT, 3)
    assert len(seen.frame) == 8 * 20
    row = match_sightings(seen, view).row_of_person
    np.testing.assert_array_equal(seen.boxes_px[row], view.box_px)
    np.testing.assert_array_equal(seen.keypoints_px[row], view.keypoints_px)
    np.testing.assert_array_equal(seen.person[row], np.broadcast_to(view.person_ids[:, None], row.shape))
    assert (seen.confidence == 1.0).all() and (seen.scores > 0.89).all()


def test_a_hidden_or_absent_person_is_not_seen() -> None:
    view = people_in_a_row(frames=20)
    share, there = view.seen_share.copy(), view.present.copy()
    share[2, :10], there[5, 5:] = 0.0, False
    for model in (EXACT, SightingModel.fitted()):
        seen = simulate(replace(view, seen_share=share, present=there), model, 0)
        assert not ((seen.person == 3) & (seen.frame < 10)).any()
        assert not ((seen.person == 6) & (seen.frame >= 5)).any()
        assert ((seen.person == 3) & (seen.frame >= 10)).any()


def test_people_behind_the_camera_or_outside_do_no_harm() -> None:
    view = people_in_a_row(frames=5)
    points, box = view.keypoints_px.copy(), view.box_px.copy()
    points[0, :, 3], box[1] = np.nan, [-500.0, 0.0, -400.0, 100.0]
    seen = simulate(replace(view, keypoints_px=points, box_px=box), SightingModel.fitted(), 0)
    assert np.isfinite(seen.keypoints_px).all() and np.isfinite(seen.boxes_px).all()
    assert not (seen.person == 2).any()
    lost = seen.confidence[seen.person == 1][:, 3]
    assert len(lost) and (lost == 0.0).all()


def test_an_empty_view_gives_no_people() -> None:
    view = people_in_a_row(people=3, frames=4)
    none = replace(view, present=np.zeros_like(view.present), box_px=np.zeros_like(view.box_px))
    assert len(simulate(none, EXACT, 0).frame) == 0
    assert (simulate(none, SightingModel.fitted(), 0).person == 0).all()


def test_small_and_hidden_people_are_missed_more_often() -> None:
    model = SightingModel.fitted()
    rates = []
    for height in (14.0, 22.0, 160.0):
        view = people_in_a_row(height_px=height)
        rates.append(len(np.unique(_keys(simulate(view, model, 1)))) / view.present.sum())
    assert rates[0] < rates[1] - 0.1 < rates[2]
    view = people_in_a_row()
    half = replace(view, seen_share=np.full_like(view.seen_share, 0.3))
    assert len(np.unique(_keys(simulate(half, model, 1)))) < 0.8 * len(
        np.unique(_keys(simulate(view, model, 1)))
    )


def _keys(seen: object) -> np.ndarray:
    keys = seen.person * 100_000 + seen.frame  # type: ignore[attr-defined]
    return np.asarray(keys[seen.person > 0])  # type: ignore[attr-defined]


def test_misses_are_clumped() -> None:
    boxes = BoxModel(evidence=0.0, score_floor=0.3, slow_std=1.5, slow_s=1.0, score_ceiling=1.0)
    view = people_in_a_row(people=20, frames=600)
    seen = simulate(view, SightingModel(boxes=boxes), 0)
    missed = match_sightings(seen, view).row_of_person < 0
    rate = missed.mean()
    runs = np.diff(np.pad(missed.astype(int), ((0, 0), (1, 1))), axis=1)
    length = missed.sum() / (runs > 0).sum()
    assert 0.1 < rate < 0.9
    assert length > 3.0 / (1.0 - rate)  # 1 / (1 - rate) by independent draws


def test_error_grows_with_height_and_confidence_says_less_when_small() -> None:
    model = with_keypoints(std=same_for_all(0.02), std_px=0.5)
    small = np.abs(errors_px(people_in_a_row(height_px=40.0), model)).mean()
    large = np.abs(errors_px(people_in_a_row(height_px=160.0), model)).mean()
    assert small < large < 4.0 * small  # in pixels; relative to the body the far one is worse
    fitted = SightingModel.fitted().keypoints
    exact_boxes = SightingModel(keypoints=fitted)
    far, near = (
        simulate(people_in_a_row(height_px=h), exact_boxes, 0).confidence.mean() for h in (40.0, 160.0)
    )
    assert far < near


def test_hidden_joints_err_more() -> None:
    table = tuple((value,) * 17 for value in (0.01, 0.02, 0.04, 0.08))
    view = people_in_a_row(frames=100)
    shown = view.visibility.copy()
    shown[:, :, 11:] = Visibility.OCCLUDED
    size = np.abs(errors_px(replace(view, visibility=shown), with_keypoints(std=table)))
    assert size[:, :, 11:].mean() / size[:, :, :11].mean() == pytest.approx(4.0, rel=0.15)


def test_errors_have_a_memory() -> None:
    model = with_keypoints(std=same_for_all(0.02), error_s=0.5, error_fast=0.2)
    off = errors_px(people_in_a_row(frames=900), model).reshape(8, 900, -1)
    step = 1 / 30
    for lag in (1, 15):
        found = (off[:, lag:] * off[:, :-lag]).mean() / (off**2).mean()
        assert found == pytest.approx(0.8 * np.exp(-lag * step / 0.5), abs=0.05)


def test_heavy_tails() -> None:
    model = with_keypoints(std=same_for_all(0.02), log_std=(0.7,) * 4)
    size = np.abs(errors_px(people_in_a_row(frames=900), model))
    assert np.quantile(size, 0.5) == pytest.approx(0.6745 * 0.02 * 100, rel=0.1)
    assert np.quantile(size, 0.99) > 6.0 * np.quantile(size, 0.5)  # a Gaussian has 3.8
    ratio = float(np.quantile(size, 0.95) / np.quantile(size, 0.5))
    assert tail_of(ratio) == pytest.approx(0.7, abs=0.12)


def test_confidence_falls_with_the_error_but_does_not_reveal_it() -> None:
    levels = tuple(float(v) for v in LEVELS)
    model = with_keypoints(
        std=same_for_all(0.02), log_std=(0.6,) * 4, honesty=(0.6,) * 4,
        confidence=tuple((levels,) * 17 for _ in STATES),
    )  # fmt: skip
    view = people_in_a_row(frames=600)
    seen = simulate(view, model, 0)
    row = match_sightings(seen, view).row_of_person
    size = np.linalg.norm(seen.keypoints_px[row] - view.keypoints_px, axis=-1)
    sure = seen.confidence[row]
    correlation = np.corrcoef(np.log(size.ravel()), sure.ravel())[0, 1]
    assert -0.6 < correlation < -0.15
    assert np.median(size[sure < 0.2]) > 1.3 * np.median(size[sure > 0.8])
    wrong = size > np.quantile(size, 0.9)
    assert (sure[wrong] > 0.8).mean() > 0.02  # some are wrong and sure
    assert np.quantile(sure, [0.15, 0.5, 0.85]) == pytest.approx([0.15, 0.5, 0.85], abs=0.03)


@pytest.mark.parametrize(("kind", "first"), [(0, 11), (1, 5), (2, 0)])
def test_a_swap_exchanges_left_and_right(kind: int, first: int) -> None:
    rates, stays = [0.0, 0.0, 0.0], [0.1, 0.1, 0.1]
    rates[kind], stays[kind] = 1.0, 0.2
    view = people_in_a_row(frames=600)
    seen = simulate(view, with_keypoints(swap_per_s=rates, swap_s=stays), 0)
    points = seen.keypoints_px[match_sightings(seen, view).row_of_person]
    moved = (points != view.keypoints_px).any(axis=(2, 3))
    assert moved.mean() == pytest.approx(0.2, abs=0.06)
    crossed = view.keypoints_px[:, :, MIRRORED]
    last = 11 if kind == 1 else 17
    np.testing.assert_array_equal(points[moved][:, first:last], crossed[moved][:, first:last])
    np.testing.assert_array_equal(points[moved][:, :first], view.keypoints_px[moved][:, :first])
    starts = (np.diff(moved.astype(int), axis=1) > 0).sum()
    assert moved.sum() / starts > 3.0  # lasts several frames


def test_swaps_come_more_often_from_behind() -> None:
    view = people_in_a_row(frames=600)
    behind = replace(view, keypoints_px=np.ascontiguousarray(view.keypoints_px[:, :, MIRRORED]))
    model = with_keypoints(swap_per_s=(0.3, 0.0, 0.0), swap_s=(0.2, 0.2, 0.2), swap_behind=4.0)
    front = (errors_px(view, model) != 0).any(axis=(2, 3)).mean()
    back = (errors_px(behind, model) != 0).any(axis=(2, 3)).mean()
    assert back > 2.0 * front > 0.0


def test_a_hidden_joint_jumps_to_the_neighbour_in_front() -> None:
    view = people_in_a_row(people=2, frames=50, spacing_px=20.0)
    shown, share = view.visibility.copy(), view.seen_share.copy()
    shown[0, :, 15], share[0] = Visibility.OCCLUDED, 0.6
    view = replace(view, visibility=shown, seen_share=share)
    seen = simulate(view, with_keypoints(jump=0.999, jump_s=1.0), 0)
    points = seen.keypoints_px[match_sightings(seen, view).row_of_person]
    jumped = (points[0, :, 15] == view.keypoints_px[1, :, 15]).all(axis=-1)
    assert jumped.mean() > 0.9
    np.testing.assert_array_equal(
        np.delete(points[0], 15, axis=1), np.delete(view.keypoints_px[0], 15, axis=1)
    )
    np.testing.assert_array_equal(points[1], view.keypoints_px[1])


def test_bias_lies_along_the_persons_own_axes() -> None:
    bias = [[0.0, 0.0, 0.0] for _ in range(17)]
    bias[11][0], bias[15][1] = 0.25, 0.5
    view = people_in_a_row(frames=3)
    off = errors_px(view, with_keypoints(bias=bias))
    hips = view.keypoints_px[:, :, 11] - view.keypoints_px[:, :, 12]
    np.testing.assert_allclose(off[:, :, 11], 0.25 * hips, atol=1e-3)
    trunk = view.keypoints_px[:, :, [5, 6]].mean(axis=2) - view.keypoints_px[:, :, [11, 12]].mean(axis=2)
    np.testing.assert_allclose(off[:, :, 15], 0.5 * trunk, atol=1e-3)
    assert (off[:, :, 0] == 0.0).all()


def test_keypoints_stay_in_the_crop() -> None:
    view = people_in_a_row(frames=50)
    seen = simulate(view, with_keypoints(std=same_for_all(0.5), stay_in_crop=True), 0)
    centre = 0.5 * (seen.boxes_px[:, :2] + seen.boxes_px[:, 2:])
    tall = 1.25 * (seen.boxes_px[:, 3] - seen.boxes_px[:, 1])
    reach = np.abs(seen.keypoints_px - centre[:, None])
    assert (reach[..., 1] <= 0.5 * tall[:, None] + 1e-2).all()
    assert (reach[..., 0] <= 0.375 * tall[:, None] + 1e-2).all()


def test_false_boxes_come_at_their_rate_and_at_their_places() -> None:
    view = people_in_a_row(frames=2000)
    view = replace(view, present=np.zeros_like(view.present))
    model = SightingModel(false_boxes=FalseBoxModel(per_frame=3.0, places=5, place_share=1.0, stay_s=0.3))
    seen = simulate(view, model, 0)
    nobody = seen.person == 0
    assert nobody.sum() / 2000 == pytest.approx(3.0, rel=0.15)
    centre = seen.boxes_px[nobody][:, [0, 2]].mean(axis=1)
    filled = (np.histogram(centre, bins=80, range=(0, seen.size_px[0]))[0] > 0).sum()
    assert filled < 50  # the rest of the picture never shows any
    assert (seen.scores[nobody] < 0.2).all()
    assert float(np.median(seen.confidence[nobody])) == pytest.approx(0.2, rel=0.05)


def test_things_at_fixed_places_never_become_sure() -> None:
    """Else every bench would make a track, which real ones do not."""
    view = people_in_a_row(frames=400)
    view = replace(view, present=np.zeros_like(view.present))
    fitted = SightingModel.fitted().false_boxes

    def only(share: float) -> Sightings:
        kind = fitted.model_copy(update={"place_share": share, "per_frame": 3.0})
        return simulate(view, SightingModel(false_boxes=kind), 0)

    things, likenesses = only(1.0), only(0.0)
    tall = [np.median(seen.boxes_px[:, 3] - seen.boxes_px[:, 1]) for seen in (things, likenesses)]
    assert things.scores.max() < 0.5 <= likenesses.scores.min()
    assert tall[0] < 0.7 * tall[1]
    assert np.median(things.confidence) < 0.7 * np.median(likenesses.confidence)


def test_of_two_boxes_that_overlap_too_much_the_weaker_is_lost() -> None:
    boxes = np.array([[0, 0, 10, 20], [1, 0, 11, 20], [40, 0, 50, 20], [0, 0, 10, 20]], float)
    frame = np.array([0, 0, 0, 1])
    keep = unsuppressed(frame, boxes, np.array([0.5, 0.8, 0.3, 0.2]), 0.6)
    assert keep.tolist() == [False, True, True, True]
    i, j, iou = overlapping_pairs(frame, boxes)
    assert [{*pair} for pair in zip(i.tolist(), j.tolist(), strict=True)] == [{0, 1}]
    assert iou[0] == pytest.approx(9 / 11)


def test_the_box_of_a_half_hidden_person_draws_back() -> None:
    view = people_in_a_row(people=2, frames=4, spacing_px=200.0)
    shown, share = view.visibility.copy(), view.seen_share.copy()
    shown[0, :, 13:], share[0] = Visibility.OCCLUDED, 0.6
    view = replace(view, visibility=shown, seen_share=share)
    inner = visible_box(view)
    assert (inner[:, 0, 3] < view.box_px[0, :, 3] - 25.0).all()
    np.testing.assert_allclose(inner[:, 0, :3], view.box_px[0, :, :3], atol=1e-3)
    np.testing.assert_allclose(inner[:, 1], view.box_px[1], atol=1e-3)
    seen = simulate(view, SightingModel(boxes=BoxModel(shrink=1.0)), 0)
    bottom = seen.boxes_px[seen.person == 1][:, 3]
    assert (bottom < view.box_px[0, :, 3] - 1.0).all()


def test_second_boxes_lie_on_people_and_score_less() -> None:
    view = people_in_a_row(frames=400)
    boxes = BoxModel(double_rate=0.2, double_s=0.3, merge_iou=0.6)
    seen = simulate(view, SightingModel(boxes=boxes), 0)
    second = match_sightings(seen, view).second_of
    assert (second >= 0).sum() / (8 * 400) == pytest.approx(0.2, abs=0.05)
    assert (seen.scores[second >= 0] < 0.5).all()
    np.testing.assert_array_equal(seen.person[second >= 0], view.person_ids[second[second >= 0]])


def test_matching_knows_its_own_people() -> None:
    view = people_in_a_row(frames=100)
    seen = simulate(view, SightingModel.fitted(), 0)
    blind = with_people(replace(seen, person=np.full(len(seen.frame), -1)), view)
    assert (blind.person == seen.person)[seen.person > 0].mean() > 0.9


def test_a_comparison_with_itself_shows_no_difference() -> None:
    view = people_in_a_row(frames=60)
    seen = simulate(view, SightingModel.fitted(), 0)
    figures = compare_sightings(seen, seen, view, true_keypoints=True)
    assert all(pair["real"] == pair["simulated"] for pair in figures.values())
    assert {"miss rate", "score q50", "confidence knee q50", "jitter knee q50", "error visible q50"} <= set(
        figures
    )
    text = markdown("row", figures)
    assert text.count("\n| ") == len(figures) + 2


def test_the_committed_models_read_and_say_where_they_come_from() -> None:
    for name in FITTED:
        model = SightingModel.fitted(name)
        assert model.keypoints.std[0][5] > 0.0 and model.boxes.merge_iou < 1.0
    large, small = (
        np.median(SightingModel.fitted(n).keypoints.std[0]) for n in ("tinypose_256", "tinypose_128")
    )
    assert large < small  # larger crops, smaller errors


def test_a_wrong_model_is_refused_with_a_reason() -> None:
    with pytest.raises(SightingModelError, match="tinypose_128"):
        SightingModel.fitted("nothing")
    with pytest.raises(SightingModelError, match="run fit_sightings"):
        read_model("{}")
    text = json.dumps({"model": {"keypoints": {"std": [[0.0] * 16] * 4}}})
    with pytest.raises(SightingModelError, match="4 rows of 17"):
        read_model(text)


BANDS = {"tinypose_128": (0.027, 0.65, 0.80), "tinypose_256": (0.023, 0.65, 0.82)}
"""Most that the median error may be, share of the height, and between what the median confidence lies."""


@pytest.mark.parametrize("name", FITTED)
def test_a_committed_model_says_what_it_rests_on_and_sees_as_measured(name: str) -> None:
    text = files("crowdstream.lab.virtualcrowd").joinpath(f"sightings_{name}.json").read_text("utf-8")
    provenance = json.loads(text)["provenance"]
    wanted = {
        "networks",
        "boxes",
        "false_boxes",
        "keypoints",
        "confidence",
        "hall",
        "set_not_measured",
        "networks_run",
    }
    assert wanted <= set(provenance)
    model = read_model(text)
    view = people_in_a_row(people=12, frames=600, height_px=70.0)
    seen = simulate(view, model, 0)
    matched = match_sightings(seen, view)
    row = matched.row_of_person
    score = np.where(row >= 0, seen.scores[np.maximum(row, 0)], 0.0)
    assert (score < 0.3).mean() < 0.01  # 0.003 of clear people on the annotated clip
    assert ((matched.second_of >= 0) & (seen.scores >= 0.5)).sum() / row.size < 0.015  # 0.005 there
    most, low, high = BANDS[name]
    own = row[row >= 0]
    error = np.linalg.norm(seen.keypoints_px[own] - view.keypoints_px[row >= 0], axis=-1) / 70.0
    assert 0.6 * most < np.median(error) < most
    assert low < np.median(seen.confidence[own]) < high


def test_a_box_keeps_to_its_person_however_wild_its_edges() -> None:
    view = people_in_a_row(people=10, frames=300)
    boxes = BoxModel(edge_std=(0.05, 0.02, 0.02), edge_tail=1.0, side_correlation=-0.3, evidence=20.0)
    seen = simulate(view, SightingModel(boxes=boxes), 0)
    wide = seen.boxes_px[:, 2] - seen.boxes_px[:, 0]
    assert (wide > 50.0 * 0.49).all() and (wide < 50.0 * 2.02).all()


def test_the_sides_of_a_box_move_together_as_told() -> None:
    view = people_in_a_row(people=10, frames=600)
    boxes = BoxModel(edge_std=(0.03, 0.0, 0.0), side_correlation=-0.6, evidence=20.0)
    seen = simulate(view, SightingModel(boxes=boxes), 0)
    row = match_sightings(seen, view).row_of_person
    out = (seen.boxes_px[row] - view.box_px)[..., [0, 2]] * [-1.0, 1.0]
    assert np.corrcoef(out.reshape(-1, 2).T)[0, 1] == pytest.approx(-0.6, abs=0.1)


def test_boxes_of_nobody_lie_on_nobody() -> None:
    view = people_in_a_row(people=8, frames=300, height_px=160.0, spacing_px=100.0)
    seen = simulate(view, SightingModel(false_boxes=FalseBoxModel(per_frame=8.0, place_share=0.5)), 0)
    rows = seen.person == 0
    assert rows.sum() > 100
    assert not on_people(seen.frame[rows], seen.boxes_px[rows], view).any()


@pytest.mark.data
def test_boxes_can_be_fitted_to_the_annotated_clip_as_simulated(data_dir: Path) -> None:
    """The fit's cheap half on the real annotation, with sightings whose model is known: it must come back."""
    view = pets_view(data_dir / "video")
    fitted = SightingModel.fitted()
    sizes = (640 / 480, 320 / 480)
    clips = []
    for k, gain in enumerate(sizes):
        boxes = fitted.boxes.model_copy(update={"detector_gain": gain})
        clips.append(ClipAtSize(simulate(view, fitted.model_copy(update={"boxes": boxes}), k), gain))
    again, false = fit_boxes(view, clips, fitted.boxes.score_floor), fit_false(view, clips[0], 0.2)
    assert again.evidence == pytest.approx(fitted.boxes.evidence, abs=0.4)
    assert again.small_px == pytest.approx(fitted.boxes.small_px, rel=0.25)
    assert again.edge_std[0] == pytest.approx(fitted.boxes.edge_std[0], rel=0.2)
    assert false.per_frame == pytest.approx(fitted.false_boxes.per_frame, rel=0.15)
