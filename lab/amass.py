"""Read AMASS recordings (npz) as the same clips that `lab.mocap` gives.

AMASS files (SMPL+H: `poses` (N, 156), `trans`, `mocap_framerate`; SMPL-X: `root_orient`, `pose_body`, `trans`,
`mocap_frame_rate`) are z-up and at the rate of their laboratory. Here they are turned y-up, resampled to 30 Hz and
normalised to the reference leg. AMASS's translation belongs to the body model's origin and a body of unknown
stature; without the licensed model neither is known, so

    pelvis = trans + J0 (J0: the mean pelvis of SMPL+H's rest pose)
    size   = the factor under which resting feet slide least; for who stays in place, that which puts the soles of
             straight legs on the floor.

AMASS is free for research only and is not shipped with this project: https://amass.is.tue.mpg.de
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation, Slerp

from ..kernels.skeleton import PARENTS
from .mocap import MocapClip, MocapError
from .pose_prior import REFERENCE_OFFSETS_M

Array = np.ndarray

RATE_HZ = 30.0
PELVIS_REST_M = np.array([-0.002, -0.230, 0.028])
"""Pelvis joint of the SMPL+H rest pose, y up."""
SOLE_BELOW_TOE_M = 0.026
R_YUP_ZUP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])

WORDS = (
    ("floor", r"lie|lying|crawl|roll|floor|sleep"),
    ("sit_getup", r"sit|chair|stool"),
    ("dance", r"danc|salsa|ballet"),
    ("exercise_jump", r"jump|hop|kick|punch|squat|stretch|yoga|cartwheel|exercise|martial|karate"),
    ("sport", r"ball|golf|tennis|throw|swim|climb"),
    ("crouch", r"crouch|kneel"),
    ("carry", r"carry|lift|box|pick"),
    ("start_stop", r"start|stop"),
    ("run", r"run|jog"),
    ("turn", r"turn"),
    ("walk", r"walk|stroll|gait|march"),
    ("gesture_daily", r"gesture|wave|talk|phone|conversation|point"),
    ("idle_stand", r"stand|idle|pose|wait|rom"),
)
"""The first pattern that a file's name matches names its category."""


def is_amass(folder: Path) -> bool:
    """Whether a folder looks like AMASS: npz files below it and no index of our own."""
    return folder.is_dir() and not (folder / "index.csv").is_file() and any(folder.rglob("*.npz"))


def read_amass(folder: Path) -> list[MocapClip]:
    """Every motion below a folder, in the order of their paths; files without a motion (shapes) are passed over.

    Raises:
        MocapError: no motion there, or a file that is not of the AMASS layout.
    """
    files = [p for p in sorted(folder.rglob("*.npz")) if p.name not in ("shape.npz", "neutral_stagei.npz")]
    files = [p for p in files if not p.name.endswith("_stagei.npz")]
    if not files:
        raise MocapError(f"no AMASS motion at {folder}: expected npz files with poses and trans below it")
    return [read_amass_file(path, path.relative_to(folder)) for path in files]


def read_amass_file(path: Path, name: Path | None = None) -> MocapClip:
    """One AMASS npz.

    Args:
        path: the file.
        name: what to call the clip (default: the file's name); its folder is taken for the subject.

    Raises:
        MocapError: fields are missing or of other sizes.
    """
    pose, trans, rate = _fields(path)
    at = np.arange(0, len(trans) - 1 + 1e-6, rate / RATE_HZ)
    pose, trans = _resampled(pose, at), _interpolated(trans, at)
    turn = Rotation.from_matrix(R_YUP_ZUP)
    pose[:, 0] = (turn * Rotation.from_rotvec(pose[:, 0])).as_rotvec()
    pelvis = turn.apply(trans) + PELVIS_REST_M
    pelvis = _normalised(pose, pelvis)
    name = name or Path(path.name)
    return MocapClip(
        name=name.with_suffix("").as_posix(),
        category=category_of(name.stem, pelvis),
        pose_rotvec=pose.astype(np.float32),
        pelvis_m=pelvis.astype(np.float32),
        flat_ground=not re.search(r"stair|slope|uneven|step_?(up|down)|ladder|beam", name.stem.lower()),
        subject=name.parent.as_posix(),
        description=name.stem.replace("_", " ").lower(),
        licence="AMASS",
    )


def category_of(title: str, pelvis_m: Float[Array, "T 3"]) -> str:
    """The category of a take by its title; by its pace where the title says nothing."""
    for category, pattern in WORDS:
        if re.search(pattern, title.lower()):
            return category
    if len(pelvis_m) < 2 or pelvis_m[:, 1].min() < 0.7:
        return "other"
    pace = float(np.median(np.linalg.norm(np.diff(pelvis_m[:, [0, 2]], axis=0), axis=1)) * RATE_HZ)
    return "run" if pace > 1.9 else "walk" if pace > 0.5 else "idle_stand" if pace < 0.1 else "other"


def _fields(path: Path) -> tuple[Float[Array, "N 24 3"], Float[Array, "N 3"], float]:
    try:
        with np.load(path, allow_pickle=False) as file:
            keys = {key: file[key] for key in file.files if key in _KEYS}
    except (OSError, ValueError) as error:
        raise MocapError(f"{path} is no npz of plain arrays ({error}); fetch it again from AMASS") from error
    rate = next((float(keys[k]) for k in ("mocap_framerate", "mocap_frame_rate") if k in keys), 0.0)
    if "poses" in keys and keys["poses"].ndim == 2 and keys["poses"].shape[1] >= 66:
        body = keys["poses"][:, :66]
    elif "root_orient" in keys and "pose_body" in keys:
        body = np.concatenate([keys["root_orient"], keys["pose_body"][:, :63]], axis=1)
    else:
        raise MocapError(
            f"{path} has fields {sorted(keys)}; expected AMASS's poses (N, 156) or pose_body, and trans"
        )
    if "trans" not in keys or len(keys["trans"]) != len(body) or rate <= 0 or len(body) < 2:
        raise MocapError(f"{path}: {len(body)} poses, but no trans of that length or no mocap_framerate")
    pose = np.zeros((len(body), 24, 3))
    pose[:, :22] = body.reshape(-1, 22, 3)
    return pose, keys["trans"].astype(np.float64), rate


_KEYS = ("poses", "trans", "root_orient", "pose_body", "mocap_framerate", "mocap_frame_rate")


def _interpolated(values: Float[Array, "N 3"], at: Float[Array, "T"]) -> Float[Array, "T 3"]:
    return np.stack([np.interp(at, np.arange(len(values)), column) for column in values.T], axis=1)


def _resampled(pose: Float[Array, "N 24 3"], at: Float[Array, "T"]) -> Float[Array, "T 24 3"]:
    out = np.zeros((len(at), 24, 3))
    for joint in range(22):
        out[:, joint] = Slerp(np.arange(len(pose)), Rotation.from_rotvec(pose[:, joint]))(at).as_rotvec()
    return out


def _normalised(pose: Float[Array, "T 24 3"], pelvis_m: Float[Array, "T 3"]) -> Float[Array, "T 3"]:
    """The pelvis track in reference legs, soles on y = 0."""
    toes = _toes(pose)
    lowest = toes[:, :, 1].min(axis=1)
    stride = np.diff(pelvis_m[:, [0, 2]], axis=0)
    resting = toes[:-1, :, 1] < lowest[:-1, None] + 0.02
    slide = np.diff(toes[:, :, [0, 2]], axis=0)
    moved = stride[:, None] * resting[..., None]
    if len(stride) and np.sqrt((stride**2).sum(-1)).sum() > 1.0:
        size = -float((slide * moved).sum() / max(float((moved**2).sum()), 1e-9))
    else:
        size = float(np.median((SOLE_BELOW_TOE_M - lowest) / np.maximum(pelvis_m[:, 1], 0.3)))
    out = pelvis_m * np.clip(size, 0.6, 1.4)
    floor = np.quantile((out[:, 1] + lowest), 0.1) - SOLE_BELOW_TOE_M
    out[:, 1] -= floor
    return np.asarray(out)


def _toes(pose: Float[Array, "T 24 3"]) -> Float[Array, "T 2 3"]:
    """Toe joints from the pelvis on the reference skeleton."""
    ends = []
    for chain in ((1, 4, 7, 10), (2, 5, 8, 11)):
        turn, place = Rotation.from_rotvec(pose[:, 0]), np.zeros((len(pose), 3))
        for joint in chain:
            assert PARENTS[joint] in (0, *chain)
            place = place + turn.apply(REFERENCE_OFFSETS_M[joint])
            turn = turn * Rotation.from_rotvec(pose[:, joint])
        ends.append(place)
    return np.stack(ends, axis=1)
