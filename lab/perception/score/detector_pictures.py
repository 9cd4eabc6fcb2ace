"""What a detector got right and wrong, to be looked at: whole frames, then its false boxes and its misses close up.

Green: own boxes that are somebody. Red: own boxes that are nobody's. Yellow: people who were not found.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .clips import HALL, PETS, Clip, chosen_pictures
from .detector_report import DetectorAnswer, DetectorQuestion
from .detector_score import Verdicts, judge
from .sheet import GREEN, RED, WHITE, YELLOW, close_up, draw_boxes, sheet, text, write_picture

Array = np.ndarray

_FRAMES = 6
_COLUMNS = {"pets": 3, "hall": 2}
_GAIN = {"pets": 1.5, "hall": 1.0}
CLOSE_UPS = 32
_TILE_PX = (120, 160)
_SURROUNDINGS = 2.2


def write_detector_pictures(folder: Path, question: DetectorQuestion, answer: DetectorAnswer) -> list[Path]:
    """Sheets of every clip and input of the network that was scored; the files written."""
    written: list[Path] = []
    for clip in (PETS, HALL):
        for name, who, shown in answer.boxes:
            if name != clip.name or who != "network":
                continue
            verdicts = judge(
                answer.boxes[name, who, shown], answer.boxes[name, "people", ""],
                answer.boxes[name, "allowed", ""], question.threshold,
            )  # fmt: skip
            written += _sheets(folder, question.data / "video" / clip.video, clip, shown, verdicts)
    return written


def _sheets(folder: Path, video: Path, clip: Clip, shown: str, verdicts: Verdicts) -> list[Path]:
    frames = verdicts.said.frames
    whole = [
        frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, _FRAMES).round().astype(int)).tolist()
    ]
    false, missed = _pick_false(verdicts), _pick_missed(verdicts)
    images = chosen_pictures(video, sorted({*whole, *(f for f, _, _ in (*false, *missed))}))
    stem = f"detector_{clip.name}_{shown}"
    title = f"{clip.name}, input {shown}: green right, red false, yellow missed"
    tiles = [_whole(images[frame], frame, verdicts, _GAIN[clip.name]) for frame in whole]
    written = [write_picture(folder / f"{stem}.png", sheet(tiles, _COLUMNS[clip.name], title))]
    for what, boxes, colour in (("false", false, RED), ("missed", missed, YELLOW)):
        if boxes:
            close = [_close(images[frame], frame, box, words, colour) for frame, box, words in boxes]
            head = f"{clip.name}, input {shown}: {what}, {len(boxes)} of {_total(verdicts, what)}"
            written.append(write_picture(folder / f"{stem}_{what}.png", sheet(close, 8, head)))
    return written


def _whole(image: Array, frame: int, verdicts: Verdicts, gain: float) -> Array:
    k = verdicts.said.frames.index(frame)
    large = np.asarray(cv2.resize(image, None, fx=gain, fy=gain, interpolation=cv2.INTER_CUBIC))
    boxes, scores, false = verdicts.said.boxes_px[k], verdicts.said.scores[k], verdicts.false[k]
    draw_boxes(large, boxes[~false], GREEN, gain, scores[~false])
    draw_boxes(large, verdicts.people.boxes_px[k][verdicts.missed[k]], YELLOW, gain)
    draw_boxes(large, boxes[false], RED, gain, scores[false])
    text(large, f"{frame}", (6, large.shape[0] - 8), WHITE)
    return large


def _close(image: Array, frame: int, box: Array, words: str, colour: tuple[int, int, int]) -> Array:
    tile, shift, gain = close_up(image, box, _TILE_PX, _SURROUNDINGS)
    corners = box.reshape(1, 2, 2) - 0.5  # from pixel edges to pixel centres, where the crop's map lives
    draw_boxes(tile, (corners * gain + shift).reshape(1, 4) + 0.5, colour, 1.0)
    text(tile, f"{frame} {words}", (3, _TILE_PX[1] - 4), WHITE, 0.35)
    return tile


def _pick_false(verdicts: Verdicts) -> list[tuple[int, Array, str]]:
    """The surest false boxes first: frame, box, score."""
    said = verdicts.said
    rows = [
        (frame, boxes[k], float(scores[k]))
        for frame, boxes, scores, false in zip(
            said.frames, said.boxes_px, said.scores, verdicts.false, strict=True
        )
        for k in np.flatnonzero(false)
    ]
    rows.sort(key=lambda row: -row[2])
    return [(frame, box, f"{score:.2f}") for frame, box, score in rows[:CLOSE_UPS]]


def _pick_missed(verdicts: Verdicts) -> list[tuple[int, Array, str]]:
    """Missed people spread over the clip: frame, box, height."""
    rows = [
        (frame, boxes[k], f"{boxes[k][3] - boxes[k][1]:.0f} px")
        for frame, boxes, missed in zip(
            verdicts.people.frames, verdicts.people.boxes_px, verdicts.missed, strict=True
        )
        for k in np.flatnonzero(missed)
    ]
    return _spread(rows)


def _spread(rows: Sequence[tuple[int, Array, str]]) -> list[tuple[int, Array, str]]:
    if len(rows) <= CLOSE_UPS:
        return list(rows)
    return [rows[k] for k in np.linspace(0, len(rows) - 1, CLOSE_UPS).round().astype(int).tolist()]


def _total(verdicts: Verdicts, what: str) -> int:
    return sum(int(flags.sum()) for flags in (verdicts.false if what == "false" else verdicts.missed))
