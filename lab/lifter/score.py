"""How well a lifter does: joint errors of held-back motion seen through the measured noise, beside simple baselines.

    pa_mpjpe_mm    after the best similarity of each frame, 22 body joints
    mpjpe_mm       pelvises put together: which way somebody faces counts
    root_m         pelvis against the truth, world

Each recorded window gets a body, a camera and sightings from the seed. Slots that do not belong to the person are
not judged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ...kernels.lifter.lifter import LiftedFrames, Lifter
from ...kernels.metrics.pose import pelvis_errors, similarity_errors
from ...kernels.rotation import rotvec_to_rotmat
from ...stream.body_files import load_body
from ..motion.track import MotionTrack
from ..motion.windows import MotionWindows, WindowBank
from ..virtualcrowd.sighting_model import FITTED, SightingModel
from .bodies import BodyPool, body_pool
from .lesson import Lesson, LessonConfig, make_lesson
from .loss import local_joints
from .sightings import SightingLaw

Array = np.ndarray

BODY = np.arange(22)
SCORE_STRIDE = 32
FRAME_STRIDE = 4
"""Every so many slots are judged: neighbours are alike."""
AT_ONCE = 128
POOL = 256

Answer = Callable[[Lesson], LiftedFrames]


@dataclass(frozen=True)
class LifterScore:
    """W windows."""

    pa_mpjpe_mm: Float[Array, "W"]
    mpjpe_mm: Float[Array, "W"]
    root_m: Float[Array, "W"]
    category: tuple[str, ...]
    """Of the recording each window is from."""
    elevation_deg: Float[Array, "W"]
    distance_m: Float[Array, "W"]
    height_px: Float[Array, "W"]

    def __repr__(self) -> str:
        return (
            f"LifterScore(W={len(self.category)}, pa_mpjpe_mm={np.nanmean(self.pa_mpjpe_mm):.1f}, "
            f"mpjpe_mm={np.nanmean(self.mpjpe_mm):.1f}, root_m={np.nanmean(self.root_m):.3f})"
        )


def score_lifter(
    lifter: Lifter,
    tracks: Sequence[MotionTrack],
    seed: int = 0,
    config: LessonConfig | None = None,
    stride: int = SCORE_STRIDE,
) -> LifterScore:
    """Errors of a lifter on recordings it has not seen.

    Args:
        lifter: in evaluation mode.
        tracks: recordings; shorter ones than a window are left out.
        seed: bodies, cameras and noise follow from it.
        config: circumstances; None for people in full view (`LessonConfig.in_view`).
        stride: frames between the beginnings of two windows.
    """
    with torch.inference_mode():
        return score_answers(lifter, tracks, seed, config, stride)


def score_answers(
    answer: Answer | Lifter,
    tracks: Sequence[MotionTrack],
    seed: int,
    config: LessonConfig | None = None,
    stride: int = SCORE_STRIDE,
) -> LifterScore:
    """`score_lifter` for anything that answers a lesson: baselines too."""
    lessons = score_lessons(tracks, seed, config or LessonConfig.in_view(), stride)
    rest = load_body()
    template, dirs = (
        torch.from_numpy(np.asarray(a, np.float32)) for a in (rest.joint_template_m, rest.joint_shapedirs_m)
    )
    parts: list[list[Array]] = []
    names: list[str] = []
    for windows, lesson in lessons:
        said = answer(lesson.features) if isinstance(answer, Lifter) else answer(lesson)
        bones = template + torch.einsum("bk,jck->bjc", said.betas, dirs)
        parts.append(window_errors(said, bones, lesson))
        names += [tracks[k].category for k in windows.track.tolist()]
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    pa, mpjpe, root, elevation, distance, height = columns
    return LifterScore(pa, mpjpe, root, tuple(names), elevation, distance, height)


def score_lessons(
    tracks: Sequence[MotionTrack], seed: int, config: LessonConfig, stride: int
) -> list[tuple[MotionWindows, Lesson]]:
    """Windows with their lessons, a hundred or so at a time."""
    windows = WindowBank(tracks).in_order(stride)
    pool, laws = score_pool(seed), fitted_laws()
    generator = torch.Generator().manual_seed(seed)
    out = []
    for start in range(0, len(windows), AT_ONCE):
        part = windows.part(slice(start, start + AT_ONCE))
        out.append((part, make_lesson(part, pool, laws, config, generator)))
    return out


def score_pool(seed: int) -> BodyPool:
    """Bodies to judge on."""
    return body_pool(load_body(), POOL, seed)


def fitted_laws() -> list[SightingLaw]:
    """Both measured networks."""
    return [SightingLaw(SightingModel.fitted(name)) for name in FITTED]


def window_errors(said: LiftedFrames, rest_m: Float[Tensor, "B 24 3"], lesson: Lesson) -> list[Array]:
    """PA-MPJPE, MPJPE (mm), root (m) of each window, and its elevation, distance and size."""
    some = slice(FRAME_STRIDE // 2, None, FRAME_STRIDE)
    rotmats, present = said.rotmats[:, some], lesson.present[:, some]
    joints = local_joints(rotmats, rest_m) @ rotmats[:, :, 0].transpose(-1, -2)
    truth = lesson.joints_m[:, some] - lesson.joints_m[:, some, :1]
    off = (said.root_m[:, some] - lesson.joints_m[:, some, 0]).norm(dim=-1)
    predicted, true = (_padded(x) for x in (joints, truth))
    shape = present.shape
    mean = [
        _mean(error.reshape(shape), present.numpy())
        for error in (
            similarity_errors(predicted, true, BODY),
            pelvis_errors(predicted, true, BODY),
            off.numpy().astype(np.float64),
        )
    ]
    cameras = lesson.cameras
    height = cameras.height_px.numpy()
    return [*mean, np.rad2deg(cameras.elevation_rad.numpy()), cameras.distance_m.numpy(), height]


def _padded(joints: Float[Tensor, "B T 22 3"]) -> Float[Array, "M 24 3"]:
    """The metrics take 24 joints and look at the chosen 22."""
    return torch.nn.functional.pad(joints.flatten(0, 1), (0, 0, 0, 2)).numpy()


def _mean(error: Float[Array, "B T"], present: Array) -> Float[Array, "B"]:
    """Over the slots that count; not a number where none does."""
    with np.errstate(invalid="ignore"):
        return np.asarray((error * present).sum(1) / present.sum(1))


def mean_pose_answer(pose_rotvec: Float[Tensor, "63"]) -> Answer:
    """Baseline: one pose, upright, facing where the tracked point goes (the camera, where it hardly moves)."""

    def answer(lesson: Lesson) -> LiftedFrames:
        batch, frames = lesson.present.shape
        body = rotvec_to_rotmat(pose_rotvec.reshape(21, 3)).expand(batch, frames, 21, 3, 3)
        place = lesson.frames.reference_m
        going = place[:, -1] - place[:, 0]
        local = (going[:, None, None] @ lesson.frames.R_world_upright).squeeze(-2)
        facing = torch.where(local[..., :2].norm(dim=-1, keepdim=True) > 0.6, local[..., :2], -UP[1:])
        facing = torch.nn.functional.normalize(facing, dim=-1)
        x, y = facing.unbind(-1)
        zero, one = torch.zeros_like(x), torch.ones_like(x)
        # columns: left, up, forward of the body
        root = torch.stack([-y, zero, x, x, zero, y, zero, one, zero], -1).reshape(batch, frames, 3, 3)
        rotmats = torch.cat([root[:, :, None], body], 2)
        return LiftedFrames(
            rotmats, torch.zeros(batch, frames, 3), torch.zeros(batch, 10), torch.zeros(batch, frames, 23)
        )

    return answer


UP = torch.tensor([0.0, 0.0, 1.0])
