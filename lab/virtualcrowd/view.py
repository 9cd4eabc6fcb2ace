"""What one camera could see of a crowd: `look(motion, camera, name, t_ns)`.

Bodies are taken between their 30 Hz slots (rotations along the shortest arc, places straight), every frame is drawn
once into a z-buffer (`kernels.fused.crowd_view`), and each joint is judged at its own pixel:

    OUTSIDE        not in the picture, or behind the camera
    OCCLUDED       the nearest surface at its pixel is another body's or a thing's, and lies in front of the joint
    SELF_OCCLUDED  the own skin in front of it is another part's, or further off than the limb is thick
    VISIBLE        none of these

O(people x frames): about a third of a millisecond of processor time for a body of 200 px. Frames are shared among
threads; the result does not depend on how many.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import local

import numpy as np
from jaxtyping import Bool, Float, Int

from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.camera import CameraModel
from ...kernels.errors import ShapeError
from ...kernels.fused.crowd_view import Moment, Rules, Scratch, Seen, look_frame
from ...kernels.fused.zbuffer import Sheet, Skin
from ...kernels.rotation import slerp_rotvec_np
from ...stream.body_files import load_body
from .canvas import Canvas, make_canvas, new_scratch
from .plan import PLAN_RATE_HZ
from .silhouette import (
    COCO_PROBES,
    NUM_FACE_POINTS,
    NUM_JOINTS,
    NUM_PROBES,
    SKIN_SLACK_M,
    near_parts,
    skins_of,
    thickness_m,
)
from .truth import CrowdMotion, View

Array = np.ndarray

MAX_WIDTH_PX = 1920
"""Wider pictures are drawn smaller: an 8K person of 200 px still has 50 px."""
_CHUNK_BODIES = 2048
"""Bodies posed at a time by a thread: some 20 MB. (Never by the number of threads: batches may round differently.)"""
_CHUNK_FRAMES = 32


@dataclass(frozen=True)
class PosedCrowd:
    """Bodies at given times, float64."""

    present: Bool[Array, "N F"]
    pose_rotvec: Float[Array, "N F 24 3"]
    transl_m: Float[Array, "N F 3"]
    joints_m: Float[Array, "N F 24 3"]
    rotmats_world: Float[Array, "N F 24 3 3"]


def pose_crowd(motion: CrowdMotion, t_ns: Int[Array, "F"]) -> PosedCrowd:
    """Bodies at times that need not lie on slots.

    Somebody is there when they are in the nearest slot. Between two slots of presence rotations go along the
    shortest arc and places straight; where one of the two lacks the person, the nearest slot's pose holds. Nobody is
    there more than half a slot before the first slot or after the last.
    """
    slots = t_ns.astype(np.float64) * (PLAN_RATE_HZ / 1e9)
    nearest = np.floor(slots + 0.5).astype(np.int64)
    last = motion.present.shape[1] - 1
    in_time = (nearest >= 0) & (nearest <= last)
    nearest = np.clip(nearest, 0, last)
    before = np.clip(np.floor(slots).astype(np.int64), 0, last)
    after = np.minimum(before + 1, last)
    present = motion.present[:, nearest] & in_time
    share = np.clip(slots - before, 0.0, 1.0)
    share[np.abs(share - np.round(share)) < 1e-6] = np.round(share)[np.abs(share - np.round(share)) < 1e-6]
    between = motion.present[:, before] & motion.present[:, after]
    share = np.where(between, share, (nearest != before).astype(np.float64))
    pose = motion.pose_rotvec[:, before].astype(np.float64)
    on_way = (share > 0.0) & (share < 1.0) & present
    rows, frames = np.nonzero(on_way)
    part = np.broadcast_to(share[rows, frames, None], (len(rows), NUM_JOINTS))
    follows = motion.pose_rotvec[rows, after[frames]].astype(np.float64)
    pose[rows, frames] = slerp_rotvec_np(pose[rows, frames], follows, part)
    arrived = share == 1.0
    pose[arrived] = motion.pose_rotvec[:, after][arrived]
    first, second = (motion.transl_m[:, slot].astype(np.float64) for slot in (before, after))
    transl = first + share[..., None] * (second - first)
    body = load_body()
    joints, rotmats = forward_kinematics_np(
        pose, motion.betas[:, None].astype(np.float64), transl, body.joint_template_m, body.joint_shapedirs_m
    )
    return PosedCrowd(present, pose, transl, joints, rotmats)


def look(
    motion: CrowdMotion,
    camera: CameraModel,
    name: str,
    t_ns: Int[Array, "F"],
    progress: Callable[[int, int], None] | None = None,
    threads: int = 2,
    max_width_px: int = MAX_WIDTH_PX,
) -> View:
    """What `camera` could see of the crowd at the times `t_ns` (int64, 0 = slot 0).

    Args:
        name: of the camera.
        progress: told (frames done, frames in all) now and then.
        threads: that draw; the result is the same for any number.
        max_width_px: of the picture drawn in.

    Raises:
        ShapeError: times that do not rise.
    """
    t_ns = np.asarray(t_ns, np.int64)
    if t_ns.ndim != 1 or (np.diff(t_ns) <= 0).any():
        raise ShapeError(
            f"t_ns must be one row of rising times, got shape {t_ns.shape}; sort it and drop repeats"
        )
    looker = _Looker(motion, make_canvas(motion.scene, camera, max_width_px), camera)
    n, f = len(motion.person_ids), len(t_ns)
    out = _Rows.empty(n, f)
    step = max(1, min(_CHUNK_BODIES // max(n, 1), _CHUNK_FRAMES))
    parts = [slice(start, min(start + step, f)) for start in range(0, f, step)]
    with ThreadPoolExecutor(max(1, threads)) as pool:
        for part, _ in zip(parts, pool.map(lambda part: looker.look_at(t_ns, part, out), parts), strict=True):
            if progress is not None:
                progress(part.stop, f)
    return View(
        name=name, camera=camera, ground=motion.scene.ground, t_ns=t_ns, person_ids=motion.person_ids,
        present=out.present, keypoints_px=out.keypoints_px, visibility=out.codes[:, :, COCO_PROBES],
        joint_visibility=np.ascontiguousarray(out.codes[:, :, :NUM_JOINTS]), box_px=out.box_px, seen_share=out.share,
    )  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One frame as the z-buffer holds it, for looking at."""

    canvas: Canvas
    ids: Int[Array, "H W"]
    """int32: row of a person, -1 nothing, -2 an obstacle or a step of the ground."""
    depth_m: Float[Array, "H W"]
    """float32; inf where nothing is, 0 beyond the camera's picture."""
    probes_px: Float[Array, "N P 2"]
    """Pixels of the canvas of SMPL joints, nose, eyes and ears."""
    codes: Int[Array, "N P"]
    """uint8 `Visibility`."""


def draw_frame(
    motion: CrowdMotion,
    camera: CameraModel,
    t_ns: int,
    max_width_px: int = MAX_WIDTH_PX,
    num_faces: int | None = None,
) -> Drawn:
    """The buffers of one frame; `num_faces` draws another skin than the usual one."""
    looker = _Looker(motion, make_canvas(motion.scene, camera, max_width_px), camera, num_faces)
    out = _Rows.empty(len(motion.person_ids), 1)
    moments = looker.moments(np.array([t_ns], np.int64), slice(0, 1), out)
    sheet = looker.draw(moments[0], out.row(0), keep=True)
    with np.errstate(divide="ignore"):
        depth = 1.0 / sheet.inv_depth
    return Drawn(looker.canvas, sheet.ids, depth, moments[0].probes_px, out.codes[:, 0])


@dataclass(frozen=True)
class _Rows:
    """What is written, frame by frame: people, frames, ..."""

    present: Array
    keypoints_px: Array
    codes: Array
    box_px: Array
    share: Array

    @classmethod
    def empty(cls, n: int, f: int) -> _Rows:
        return cls(
            present=np.zeros((n, f), bool),
            keypoints_px=np.zeros((n, f, len(COCO_PROBES), 2), np.float32),
            codes=np.zeros((n, f, NUM_PROBES), np.uint8),
            box_px=np.zeros((n, f, 4), np.float32),
            share=np.zeros((n, f), np.float32),
        )

    def row(self, frame: int) -> Seen:
        """Views of one frame's part."""
        return Seen(self.codes[:, frame], self.box_px[:, frame], self.share[:, frame])


class _Looker:
    """A crowd before a camera, with buffers for each thread."""

    def __init__(
        self, motion: CrowdMotion, canvas: Canvas, camera: CameraModel, num_faces: int | None = None
    ) -> None:
        self.motion = motion
        self.canvas = canvas
        self.size_px = camera.size_px
        self.skin: Skin = skins_of(motion.betas, num_faces)
        self.rules = Rules(near_parts(), thickness_m(self.skin, num_faces), SKIN_SLACK_M)
        self._own = local()

    def look_at(self, t_ns: Int[Array, "F"], frames: slice, out: _Rows) -> None:
        """Fill some frames."""
        for frame, moment in zip(
            range(frames.start, frames.stop), self.moments(t_ns, frames, out), strict=True
        ):
            self.draw(moment, out.row(frame), keep=False)

    def moments(self, t_ns: Int[Array, "F"], frames: slice, out: _Rows) -> list[Moment]:
        """Bodies and probes of some frames; presence and keypoints go to `out`."""
        posed = pose_crowd(self.motion, t_ns[frames])
        keypoints = coco_keypoints_np(posed.joints_m, posed.rotmats_world)
        probes = np.concatenate([posed.joints_m, keypoints[:, :, :NUM_FACE_POINTS]], axis=2)
        drawn_px, px, depth = self.canvas.project(probes)
        w, h = self.size_px
        low, high = np.array([-0.5, -0.5]), np.array([w - 0.5, h - 0.5])
        drawn_size = np.array(self.canvas.size_px)
        with np.errstate(invalid="ignore"):
            inside = ((px >= low) & (px < high)).all(-1)
            inside &= ((drawn_px >= -1.0) & (drawn_px <= drawn_size)).all(-1)
        inside &= posed.present[:, :, None]
        out.present[:, frames] = posed.present
        shown = np.where(posed.present[..., None, None], px[:, :, COCO_PROBES], 0.0)
        out.keypoints_px[:, frames] = shown
        drawn_px = np.nan_to_num(drawn_px, nan=-1e6)
        arrays = (posed.present, posed.rotmats_world, posed.joints_m, drawn_px, depth, inside)
        frame_first = [np.ascontiguousarray(np.moveaxis(array, 1, 0)) for array in arrays]
        return [Moment(*each) for each in zip(*frame_first, strict=True)]

    def draw(self, moment: Moment, seen: Seen, keep: bool) -> Sheet:
        """One frame on this thread's buffers."""
        if not hasattr(self._own, "scratch"):
            self._own.scratch = new_scratch(
                self.canvas, len(moment.present), NUM_PROBES, self.skin.rest.shape[1]
            )
        scratch: Scratch = self._own.scratch
        look_frame(
            self.skin, self.canvas.lens, self.canvas.optics, moment, self.rules, self.canvas.inv_depth,
            self.canvas.ids, scratch, seen, keep,
        )  # fmt: skip
        return scratch.sheet
