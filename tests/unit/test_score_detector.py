"""Scores of detectors: matching is one to one and greedy by score, and made-up detectors get what they deserve."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from rich.console import Console

from crowdstream.kernels.perception.detector import Boxes
from crowdstream.lab.perception.score.costs import detector_costs, in_turns, made_up_picture
from crowdstream.lab.perception.score.curve import precision_recall
from crowdstream.lab.perception.score.detections import detect_picture, engine_side_px
from crowdstream.lab.perception.score.detector_pictures import write_detector_pictures
from crowdstream.lab.perception.score.detector_report import DetectorQuestion, evaluate_detector
from crowdstream.lab.perception.score.detector_score import (
    by_class,
    count_shared,
    hidden_share,
    judge,
    list_false,
    score_against_truth,
    score_against_yardstick,
)
from crowdstream.lab.perception.score.errors import ScoreError
from crowdstream.lab.perception.score.matching import ClipBoxes, match_clip, match_frame
from crowdstream.lab.perception.score.networks import Contender
from crowdstream.lab.perception.score.table import print_detector
from crowdstream.stream.observe_config import PerceptionConfig

SIZE = (480, 360)


def clip(*frames: tuple[Sequence[Sequence[float]], Sequence[float]]) -> ClipBoxes:
    boxes = tuple(np.array(b, np.float64).reshape(-1, 4) for b, _ in frames)
    return ClipBoxes(
        SIZE, tuple(range(len(frames))), boxes, tuple(np.array(s, np.float64) for _, s in frames)
    )


def crowd(
    rng: np.random.Generator, frames: int = 5, people: int = 8, score: float | None = None
) -> ClipBoxes:
    """People who overlap each other."""
    rows = []
    for _ in range(frames):
        corner = rng.uniform(0, 150, (people, 2))
        side = rng.uniform(20, 60, (people, 1)) * [0.4, 1.0]
        scores = rng.random(people) if score is None else np.full(people, score)
        rows.append((np.hstack([corner, corner + side]), scores))
    return clip(*rows)


def shaken(truth: ClipBoxes, rng: np.random.Generator, px: float) -> ClipBoxes:
    boxes = tuple(b + rng.normal(0, px, b.shape) for b in truth.boxes_px)
    return ClipBoxes(truth.size_px, truth.frames, boxes, tuple(rng.random(len(b)) for b in boxes))


def test_a_perfect_detector_scores_one() -> None:
    truth = crowd(np.random.default_rng(0), score=0.9)
    figures = score_against_truth(truth, truth, 0.4)
    assert figures["at"]["precision"] == figures["at"]["recall"] == figures["ap"] == 1.0
    assert figures["false_of_nobody"] == figures["false_on_somebody"] == 0
    assert figures["at"]["boxes"] == figures["people"] == 40


def test_without_half_of_the_boxes_recall_is_half_and_nothing_is_false() -> None:
    truth = crowd(np.random.default_rng(1), score=0.9)
    half = ClipBoxes(
        SIZE, truth.frames, tuple(b[::2] for b in truth.boxes_px), tuple(s[::2] for s in truth.scores)
    )
    figures = score_against_truth(half, truth, 0.4)
    assert figures["at"]["recall"] == figures["ap"] == 0.5 and figures["at"]["precision"] == 1.0
    beside = score_against_yardstick(half, truth, 0.4)
    assert beside["at"]["found"] == 0.5 and beside["at"]["false"] == 0.0


def test_two_boxes_on_one_person_are_one_hit_and_the_surer_one_has_it() -> None:
    person = np.array([[100.0, 100, 120, 160]])
    both = np.concatenate([person, person + 2.0])
    taken, nearest = match_frame(both, np.array([0.5, 0.8]), person)
    assert taken.tolist() == [-1, 0] and nearest[0] == 1.0
    figures = score_against_truth(clip((both, [0.5, 0.8])), clip((person, [1.0])), 0.4)
    assert figures["false_on_somebody"] == 1 and figures["false_of_nobody"] == 0


def test_a_surer_box_takes_the_person_it_overlaps_most() -> None:
    people = np.array([[0.0, 0, 20, 60], [6, 0, 26, 60]])
    found = np.array([[5.0, 0, 25, 60], [1, 0, 21, 60]])
    assert match_frame(found, np.array([0.9, 0.8]), people)[0].tolist() == [1, 0]
    assert match_frame(found[:1], np.array([0.9]), people)[0].tolist() == [1]


def test_nobody_is_matched_twice_and_pairs_overlap_enough() -> None:
    rng = np.random.default_rng(2)
    truth = crowd(rng)
    match = match_clip(shaken(truth, rng, 4.0), truth)
    rows = match.truth_of_found[match.hit]
    assert 0 < len(rows) == len(set(rows.tolist())) < 40
    assert (match.nearest_iou[match.hit] >= 0.5).all()


def test_one_matching_serves_every_threshold() -> None:
    rng = np.random.default_rng(3)
    truth = crowd(rng)
    found = shaken(truth, rng, 4.0)
    whole = match_clip(found, truth)
    for threshold in (0.2, 0.5, 0.8):
        alone = match_clip(found.at_least(threshold), truth)
        assert alone.hit.tolist() == whole.hit[whole.scores >= threshold].tolist()
        point = precision_recall(whole).at(threshold)
        assert point.recall == pytest.approx(alone.hit.sum() / 40)
        assert point.precision == pytest.approx(alone.hit.mean())


def test_average_precision_by_hand() -> None:
    person, other = [0.0, 0, 20, 60], [200.0, 0, 220, 60]
    found = clip(([person, [100, 0, 120, 60], other], [0.9, 0.8, 0.7]))
    curve = precision_recall(match_clip(found, clip(([person, other], [1, 1]))))
    assert curve.average_precision == pytest.approx(0.5 * 1.0 + 0.5 * 2 / 3)
    assert curve.best().f1 == pytest.approx(0.8) and curve.best().threshold == pytest.approx(0.7)
    assert curve.at(0.95).recall == 0.0 and curve.at(0.95).precision == 1.0


def test_precision_never_gains_from_the_order_of_equal_scores() -> None:
    rng = np.random.default_rng(4)
    truth = crowd(rng, people=4)
    said = shaken(truth, rng, 5.0)
    coarse = ClipBoxes(SIZE, said.frames, said.boxes_px, tuple(np.round(s * 3) / 3 for s in said.scores))
    curve = precision_recall(match_clip(coarse, truth))
    assert len(curve.thresholds) <= 4 and (np.diff(curve.thresholds) < 0).all()
    assert (np.diff(curve.recall) >= 0).all() and curve.found[-1] == 20


def test_who_stands_behind_is_hidden_by_who_stands_before() -> None:
    truth = clip(([[0.0, 0, 20, 60], [0, 30, 20, 90], [300, 0, 320, 60]], [1, 1, 1]))
    assert hidden_share(truth).tolist() == [0.5, 0.0, 0.0]


def test_classes_hold_everybody_once() -> None:
    value = np.array([5.0, 35, 45, 45, 200])
    rows = by_class(np.array([True, False, True, False, True]), value, (0.0, 30.0, 40.0, 60.0, 90.0, np.inf))
    assert [row["count"] for row in rows] == [1, 1, 2, 1] and [row["share"] for row in rows] == [1, 0, 0.5, 1]
    assert "to" not in rows[-1]


def test_what_the_yardstick_hardly_says_need_not_be_found_and_is_not_false() -> None:
    sure, unsure, nobody = [0.0, 0, 20, 60], [100.0, 0, 120, 60], [200.0, 0, 220, 60]
    yardstick = clip(([sure, unsure], [0.8, 0.1]))
    figures = score_against_yardstick(clip(([unsure, nobody], [0.9, 0.9])), yardstick, 0.4)
    assert figures["people"] == 1
    assert figures["at"] == {"threshold": 0.4, "found": 0.0, "false": 0.5, "of_nobody": 0.5, "boxes": 2}


def test_false_boxes_and_misses_are_named() -> None:
    people = clip(([[0.0, 0, 20, 60], [50, 0, 70, 60]], [1, 1]), ([[0.0, 0, 20, 60]], [1]))
    found = clip(([[0.0, 0, 20, 60], [200, 0, 220, 60]], [0.9, 0.6]), ([[100.0, 0, 120, 60]], [0.7]))
    verdicts = judge(found, people, people, 0.4)
    assert [row.tolist() for row in verdicts.false] == [[False, True], [True]]
    assert [row.tolist() for row in verdicts.missed] == [[False, True], [True]]
    assert [row["score"] for row in list_false(verdicts)] == [0.7, 0.6]
    assert count_shared(found, people, clip(([[201.0, 0, 221, 60]], [0.9]), ([], [])), 0.4) == 1


def test_boxes_of_other_frames_are_refused() -> None:
    one = clip(([], []))
    with pytest.raises(ScoreError, match="same frames"):
        match_clip(one, clip(([], []), ([], [])))
    with pytest.raises(ScoreError, match="one score a box"):
        clip(([[0, 0, 1, 1]], []))


def test_a_silent_detector_and_an_empty_place_are_no_error() -> None:
    nobody, somebody = clip(([], [])), clip(([[0.0, 0, 20, 60]], [1.0]))
    silent = score_against_truth(nobody, somebody, 0.4)
    assert (silent["at"]["recall"], silent["at"]["precision"], silent["ap"]) == (0.0, 1.0, 0.0)
    assert score_against_truth(somebody, nobody, 0.4)["false_of_nobody"] == 1
    assert score_against_yardstick(nobody, nobody, 0.4)["at"]["boxes"] == 0


class Bright:
    """Finds the bright rectangle of a dark picture."""

    max_side_px = 960

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[Boxes]:
        out = []
        for image in images_bgr:
            self.seen.append((image.shape[1], image.shape[0]))
            y, x = np.nonzero(image[..., 1] > 128)
            box = [[x.min(), y.min(), x.max() + 1, y.max() + 1]] if len(x) else []
            out.append((np.array(box, np.float32).reshape(-1, 4), np.full(len(box), 0.9, np.float32)))
        return out


class Blind(Bright):
    """Sees nobody."""

    def detect(self, images_bgr: Sequence[np.ndarray]) -> list[Boxes]:
        return [(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in images_bgr]


def write_clips(folder: Path, frames: int = 5) -> Path:
    """A clip under both names: a bright rectangle that goes right by 8 px a frame; MOT truth of it."""
    video = folder / "video"
    video.mkdir(parents=True)
    rows = []
    for name, size in (("pets09_s2l1_a_480x360.mp4", (192, 128)), ("hall_overhead_1280x720.mp4", (192, 96))):
        with av.open(str(video / name), "w") as container:
            stream = container.add_stream("libx264", rate=10, options={"preset": "ultrafast", "crf": "10"})
            stream.width, stream.height = size
            stream.pix_fmt = "yuv420p"
            for k in range(frames):
                picture = np.full((size[1], size[0], 3), 30, np.uint8)
                cv2.rectangle(picture, (40 + 8 * k, 20), (59 + 8 * k, 75), (230, 230, 230), -1)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
                frame.pts, frame.time_base = k, Fraction(1, 10)
                container.mux(stream.encode(frame))
                rows.append(f"{k + 1},1,{40 + 8 * k},20,20,56,1,-1,-1,-1")
            container.mux(stream.encode(None))
    (video / "pets09_s2l1_a_gt.txt").write_text("\n".join(rows[:frames]) + "\n")
    return folder


def printed(figures: dict[str, Any]) -> str:
    run = {"network": {"name": "bright", "why": "made up"}, "every": 2}
    console = Console(file=io.StringIO(), width=200)
    print_detector(figures | {"costs": {"absent": "not asked for"}, "run": run}, console)
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def test_a_clip_from_end_to_end(tmp_path: Path) -> None:
    data = write_clips(tmp_path)
    bright, blind = Contender("bright", "made up", Bright()), Contender("blind", "made up", Blind())
    question = DetectorQuestion(data, every=2)
    answer = evaluate_detector(question, bright, bright)
    assert answer.figures["pets"]["frames"] == 3
    for row in answer.figures["pets"]["rows"]:
        assert row["at"]["precision"] == row["at"]["recall"] == 1.0 and row["false_boxes"] == []
    inputs = {row["input"] for row in answer.figures["pets"]["rows"]}
    assert inputs == {"256x171", "640x427"}  # the engine enlarges by 4/3 at most; the fixed one as asked
    hall = [row["at"] for row in answer.figures["hall"]["rows"] if row["who"] == "network"]
    assert [(at["found"], at["false"]) for at in hall] == [(1.0, 0.0), (1.0, 0.0)]

    told = printed(answer.figures)
    assert "640x427" in told and "100.0" in told and "not asked for" in told and "bright (made up)" in told

    missed = evaluate_detector(question, blind, bright)
    assert {row["at"]["recall"] for row in missed.figures["pets"]["rows"] if row["who"] == "network"} == {0.0}
    for name, seen in (("right", answer), ("missed", missed)):
        written = write_detector_pictures(tmp_path / name, question, seen)
        assert all(cv2.imread(str(path)) is not None for path in written)
        assert any("missed" in path.name for path in written) == (name == "missed")


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    (tmp_path / "video").mkdir()
    bright = Contender("bright", "made up", Bright())
    figures = evaluate_detector(DetectorQuestion(tmp_path), bright, None).figures
    assert "not scored, no video/pets09" in printed(figures)
    assert "no video/pets09" in figures["pets"]["absent"] and "no video/hall" in figures["hall"]["absent"]
    data = write_clips(tmp_path / "more", frames=1)
    assert "no yardstick" in evaluate_detector(DetectorQuestion(data), bright, None).figures["hall"]["absent"]
    with pytest.raises(ScoreError, match="--data expects"):
        evaluate_detector(DetectorQuestion(tmp_path / "nowhere"), bright, None)


def test_pictures_are_shown_at_the_size_asked_for_and_boxes_come_back() -> None:
    image = np.zeros((120, 160, 3), np.uint8)
    image[30:90, 40:60] = 255
    bright = Bright()
    for side in (160, 320, 80):
        boxes, _ = detect_picture(bright, image, side)
        assert np.abs(boxes[0] - [40, 30, 60, 90]).max() <= 1.0
    assert [max(size) for size in bright.seen] == [160, 320, 80]
    config = PerceptionConfig()
    assert engine_side_px(bright, (480, 360), config) == 640  # 4/3
    assert engine_side_px(bright, (1920, 1080), config) == 960


def test_costs_are_taken_in_turns() -> None:
    now = [0.0]
    order: list[str] = []

    def work(name: str, seconds: float) -> None:
        order.append(name)
        now[0] += seconds

    seconds = in_turns([lambda: work("a", 0.5), lambda: work("b", 0.125)], 2, lambda: now[0])
    assert "".join(order) == "ababab" and seconds.tolist() == [[0.5, 0.125], [0.5, 0.125]]
    costs = detector_costs({"network": Blind(), "yardstick": Blind()}, made_up_picture((64, 32)), rounds=1)
    assert [cost.what for cost in costs] == ["frame_640x384"] * 2 + ["frame_960x544"] * 2
    assert all(cost.ratio == 1.0 for cost in costs if cost.who == "yardstick")
