"""Perception of frames: picture -> tiles -> boxes -> crops -> keypoints -> `Observation`.

Steps of one frame:
    1. convert to BGR where the picture is needed at all,
    2. on every `detect_stride`-th frame run the detector on the tiles of the camera and merge them;
       on the others take the boxes the caller predicts, if any,
    3. choose who gets a pose (threshold, budget) and run the pose network on all of them at once,
    4. now and then give those an appearance code (`stream.appearance`),
    5. say what was left out in `drops`: `detect_stride` frames not detected on, `pose_rate` people of
       frames between poses, `pose_budget` people who deserved a pose and got none; what the settings would have
       given and a lowered effort (`set_effort`) did not, as `effort_detect` frames and `effort_pose` people.

What is found depends on the frames alone, never on thread timing. Several frames (cameras of one node, or a
replay that reads ahead) may go through together: `step_many` detects them side by side, one core each, which
uses two cores better than two threads inside one pass do, and gives the same records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import cv2
import numpy as np
from jaxtyping import Float, Int

from ..kernels.camera import CameraModel
from ..kernels.errors import ShapeError
from ..kernels.ground import Ground
from ..kernels.perception.appearance_coder import AppearanceCoder
from ..kernels.perception.detector import Boxes, Detector
from ..kernels.perception.merge import merge_tiles
from ..kernels.perception.pose import NUM_KEYPOINTS, PoseEstimator
from ..kernels.perception.tiling import Tile, cut_tile, plan_tiles, whole_frame
from ..kernels.solve.problem import MODEL_RATE_HZ
from .appearance import AppearanceTurns
from .observe_config import PerceptionConfig, Tiling
from .pixels import frame_bgr
from .pressure.records import FULL_EFFORT, Effort
from .records import Frame, Observation

PerceptionMemory = dict[str, dict[str, int]]
"""Camera -> counters of whose turn it is."""


@dataclass(frozen=True)
class _Found:
    """Boxes of one frame before poses."""

    image_bgr: np.ndarray | None
    boxes_px: Float[np.ndarray, "N 4"]
    scores: Float[np.ndarray, "N"]
    detected: bool
    chosen: Int[np.ndarray, "P"]
    """Rows that get a pose, rising."""
    drops: dict[str, int]


class PerceptionStage:
    """Turns frames into observations. One caller at a time; several cameras may share it."""

    def __init__(
        self,
        config: PerceptionConfig,
        detector: Detector,
        pose: PoseEstimator,
        coder: AppearanceCoder | None = None,
    ) -> None:
        """
        Args:
            detector, pose: as `kernels.perception.adapters` builds them.
            coder: gives appearance codes; None: there are none, whatever the settings.
        """
        self._config = config
        self._turns = AppearanceTurns(coder, config.appearance_rate_hz) if coder is not None else None
        self._detector = detector
        self._pose = pose
        self._geometry: dict[str | None, tuple[CameraModel | None, Ground | None]] = {}
        self._tiles: dict[tuple[str, tuple[int, int]], tuple[Tile, ...]] = {}
        self._last_detected: dict[str, int] = {}
        self._last_posed_ns: dict[str, int] = {}
        self._effort = FULL_EFFORT
        self._pool: ThreadPoolExecutor | None = None
        cv2.setNumThreads(1)  # threads are spent on whole crops and passes, never inside a small resize

    def set_geometry(
        self, camera: CameraModel | None, ground: Ground | None, camera_id: str | None = None
    ) -> None:
        """Derive the tiles anew from a calibration.

        Args:
            camera: None: forget the calibration.
            ground: None: the same.
            camera_id: whose frames; None: every camera that has no geometry of its own.
        """
        self._geometry[camera_id] = (camera, ground)
        self._tiles.clear()

    def set_effort(self, effort: Effort) -> None:
        """Spend this much on every frame from the next one on. Keeps no memory: back at the top, all is as before."""
        self._effort = effort

    def set_options(self, options: Mapping[str, object]) -> None:
        """Settings that may change while frames come: strides, rates, budgets.

        Raises:
            ValueError: an unknown setting, or one out of range.
        """
        self._config = PerceptionConfig.model_validate({**self._config.model_dump(), **options})

    def tiles_of(self, camera_id: str, size_px: tuple[int, int]) -> tuple[Tile, ...]:
        """The tiles that frames of a camera are cut into now."""
        key = (camera_id, size_px)
        if key not in self._tiles:
            side = min(self._detector.max_side_px, round(self._config.max_upscale * max(size_px)))
            if self._config.tiling is Tiling.OFF:
                self._tiles[key] = (whole_frame(size_px, side),)
            else:
                geometry = self._geometry.get(camera_id, self._geometry.get(None, (None, None)))
                self._tiles[key] = plan_tiles(size_px, *geometry, self._config.tiles, side)
        return self._tiles[key]

    def step(self, frame: Frame, predicted_boxes_px: np.ndarray | None = None) -> Observation:
        """Observe one frame.

        Args:
            frame: any pixel format; not kept.
            predicted_boxes_px: (N,4) where the tracker expects people. Used only on frames without detection:
                they become the rows of the observation, in order, each scored by its pose's mean confidence.
        """
        return self.step_many([frame], [predicted_boxes_px])[0]

    def step_many(
        self, frames: Sequence[Frame], predicted_boxes_px: Sequence[np.ndarray | None] | None = None
    ) -> list[Observation]:
        """Observe several frames, of one camera in order or of several; equal to `step` on each in turn."""
        predicted = [None] * len(frames) if predicted_boxes_px is None else list(predicted_boxes_px)
        if len(predicted) != len(frames):
            raise ShapeError(f"step_many: got {len(frames)} frames and {len(predicted)} sets of boxes")
        skipped = [self._why_no_detection(frame) for frame in frames]
        found = self._find(frames, predicted, skipped)
        posing = [f for f in found if f.image_bgr is not None and len(f.chosen)]
        poses = iter(
            self._pose.estimate_many(
                [f.image_bgr for f in posing if f.image_bgr is not None],
                [f.boxes_px[f.chosen] for f in posing],
            )
        )
        return [
            self._with_codes(
                frame, f, _observation(frame, f, next(poses) if any(f is p for p in posing) else None)
            )
            for frame, f in zip(frames, found, strict=True)
        ]

    def memory(self, cameras: Sequence[str] | None = None) -> PerceptionMemory:
        """What the next frames depend on, beside geometry; plain values, for `recall`.

        Args:
            cameras: None: all of them.
        """
        of = {"detected": self._last_detected, "posed_ns": self._last_posed_ns}
        if self._turns is not None:
            of |= self._turns.counters
        names = dict.fromkeys(name for counter in of.values() for name in counter)
        return {
            camera: {name: counter[camera] for name, counter in of.items() if camera in counter}
            for camera in names
            if cameras is None or camera in cameras
        }

    def recall(self, memory: PerceptionMemory) -> None:
        """Goes on where another stage was, camera by camera; cameras that are not in the memory stay as they are."""
        of = {"detected": self._last_detected, "posed_ns": self._last_posed_ns}
        if self._turns is not None:
            of |= self._turns.counters
        for camera, values in memory.items():
            for name, counter in of.items():
                counter.pop(camera, None)
                if name in values:
                    counter[camera] = int(values[name])

    def close(self) -> None:
        """Stop the worker threads; detector and pose stay the caller's."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None

    def _with_codes(self, frame: Frame, found: _Found, seen: Observation) -> Observation:
        """The observation with appearance codes, zeros where it is nobody's turn."""
        if self._turns is None:
            return seen
        if found.image_bgr is None:
            return replace(seen, appearance=self._turns.nobody(len(seen.boxes_px)))
        codes = self._turns.codes(
            frame, found.image_bgr, seen.boxes_px, seen.keypoints_px, seen.confidence, found.chosen
        )
        return replace(seen, appearance=codes)

    def _why_no_detection(self, frame: Frame) -> str:
        """Nothing on the first frame of a camera, then each time a stride of indices has passed; else the cause."""
        last, stride = self._last_detected.get(frame.camera), self._config.detect_stride
        if last is not None and last < frame.index < last + stride * self._effort.detect_stride:
            return "detect_stride" if frame.index < last + stride else "effort_detect"
        self._last_detected[frame.camera] = frame.index
        return ""

    def _why_no_poses(self, frame: Frame) -> str:
        """Nothing when a pose interval has passed by capture time (a tenth less counts, for stamps that jitter);
        else the cause. Where every frame gets poses, an effort's share is that of the model's own rate."""
        rate, share = self._config.pose_rate_hz, self._effort.pose_rate
        last_ns = self._last_posed_ns.get(frame.camera)
        since_ns = 0 if last_ns is None else frame.t_capture_ns - last_ns
        if since_ns > 0:
            if rate is not None and since_ns < 0.9e9 / rate:
                return "pose_rate"
            if share < 1.0 and since_ns < 0.9e9 / (share * (rate or MODEL_RATE_HZ)):
                return "effort_pose"
        self._last_posed_ns[frame.camera] = frame.t_capture_ns
        return ""

    def _find(
        self, frames: Sequence[Frame], predicted: Sequence[np.ndarray | None], skipped: Sequence[str]
    ) -> list[_Found]:
        images = [
            frame_bgr(frame) if not why or (boxes is not None and len(boxes)) else None
            for frame, boxes, why in zip(frames, predicted, skipped, strict=True)
        ]
        boxes_of = self._detect(
            frames, [None if w else image for image, w in zip(images, skipped, strict=True)]
        )
        found = []
        for frame, image, given, boxes, why in zip(frames, images, predicted, boxes_of, skipped, strict=True):
            if boxes is not None:
                found.append(self._detected(image, boxes, self._why_no_poses(frame)))
            else:
                found.append(self._predicted(image, given, why))
        return found

    def _detect(self, frames: Sequence[Frame], images: Sequence[np.ndarray | None]) -> list[Boxes | None]:
        """Merged boxes of every frame that has an image; the tiles of all of them run side by side."""
        tiles = [
            self.tiles_of(f.camera, f.size_px) if i is not None else ()
            for f, i in zip(frames, images, strict=True)
        ]
        work = [
            (image, tile)
            for image, own in zip(images, tiles, strict=True)
            if image is not None
            for tile in own
        ]
        results = iter(self._run_detector([cut_tile(image, tile) for image, tile in work]))
        boxes: list[Boxes | None] = []
        for frame, own in zip(frames, tiles, strict=True):
            parts = [next(results) for _ in own]
            boxes.append(merge_tiles(parts, own, frame.size_px, self._config.merge_iou) if own else None)
        return boxes

    def _run_detector(self, parts: list[np.ndarray]) -> list[Boxes]:
        lanes = min(self._config.threads, len(parts))
        if lanes <= 1:
            return self._detector.detect(parts) if parts else []
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._config.threads, thread_name_prefix="detect")
        by_lane = list(self._pool.map(self._detector.detect, [parts[i::lanes] for i in range(lanes)]))
        return [by_lane[i % lanes][i // lanes] for i in range(len(parts))]

    def _detected(self, image: np.ndarray | None, boxes: Boxes, no_poses: str) -> _Found:
        keep = boxes[1] >= self._config.score_threshold
        boxes_px, scores = boxes[0][keep], boxes[1][keep]
        deserving = np.flatnonzero(scores >= self._config.pose_threshold)
        if no_poses:
            skipped = {no_poses: len(deserving)} if len(deserving) else {}
            return _Found(image, boxes_px, scores, True, deserving[:0].astype(np.int64), skipped)
        chosen, drops = self._within_budget(boxes_px, scores, deserving)
        return _Found(image, boxes_px, scores, True, chosen, drops)

    def _predicted(self, image: np.ndarray | None, given: np.ndarray | None, no_detection: str) -> _Found:
        boxes_px = np.zeros((0, 4), np.float32) if given is None else np.asarray(given, np.float32)
        scores = np.zeros(len(boxes_px), np.float32)
        chosen, drops = self._within_budget(boxes_px, scores, np.arange(len(boxes_px)))
        return _Found(image, boxes_px, scores, False, chosen, {no_detection: 1, **drops})

    def _within_budget(
        self, boxes_px: np.ndarray, scores: np.ndarray, deserving: np.ndarray
    ) -> tuple[np.ndarray, dict[str, int]]:
        """Who gets a pose, and who does not by the settings' budget and by the effort's."""
        budgets = [b for b in (self._config.pose_budget, self._effort.pose_budget) if b is not None]
        chosen = choose_poses(boxes_px, scores, deserving, min(budgets, default=None))
        settings = self._config.pose_budget
        configured = len(deserving) if settings is None else min(len(deserving), settings)
        drops = {"pose_budget": len(deserving) - configured, "effort_pose": configured - len(chosen)}
        return chosen, {cause: count for cause, count in drops.items() if count}


def choose_poses(
    boxes_px: Float[np.ndarray, "N 4"],
    scores: Float[np.ndarray, "N"],
    deserving: Int[np.ndarray, "D"],
    budget: int | None,
) -> Int[np.ndarray, "P"]:
    """Who gets a pose this frame: surest first (to a tenth: less is noise), then largest, then first; rising."""
    if budget is None or len(deserving) <= budget:
        return deserving.astype(np.int64)
    sides = boxes_px[deserving, 2:] - boxes_px[deserving, :2]
    order = np.lexsort((deserving, -sides[:, 0] * sides[:, 1], -np.round(scores[deserving], 1)))
    return np.sort(deserving[order[:budget]]).astype(np.int64)


def _observation(frame: Frame, found: _Found, poses: tuple[np.ndarray, np.ndarray] | None) -> Observation:
    count = len(found.boxes_px)
    keypoints = np.zeros((count, NUM_KEYPOINTS, 2), np.float32)
    confidence = np.zeros((count, NUM_KEYPOINTS), np.float32)
    posed = np.zeros(count, bool)
    scores = found.scores
    if poses is not None:
        keypoints[found.chosen], confidence[found.chosen] = poses
        posed[found.chosen] = True
        if not found.detected:
            scores = confidence.mean(axis=1)
    return Observation(
        frame.camera, frame.index, frame.t_capture_ns, frame.clock, frame.size_px, found.boxes_px, scores,
        found.detected, keypoints, confidence, posed, drops=found.drops, skew_ns=frame.skew_ns,
    )  # fmt: skip
