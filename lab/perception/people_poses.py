"""Poses to render: frames of recordings, weighted by what crowds do, and made more various.

A category is drawn first, so that rare but ordinary things (sitting, carrying, talk) are not drowned by minutes of
salsa; then a recording, as likely as it is long; then a frame. Half are mirrored. Upright people get something to do
with their hands and heads, and everybody small turns of the joints that differ from person to person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from ...kernels.errors import CrowdstreamError
from ...kernels.skeleton import SMPL_JOINTS
from ..motion.arms import hold_things, look_around
from ..motion.manner import manners
from ..motion.track import MotionTrack

Array = np.ndarray

SHARES = {
    "walk": 0.25, "idle_stand": 0.15, "run": 0.09, "start_stop": 0.09, "gesture_daily": 0.09, "sit_getup": 0.07,
    "turn": 0.05, "carry": 0.05, "crouch": 0.05, "sport": 0.04, "exercise_jump": 0.04, "bend_carry": 0.02,
    "dance": 0.03, "floor": 0.02,
}  # fmt: skip
"""How often a recording of each category is posed; others share what `OTHER` says."""
OTHER = 0.02
HANDS, HEADS, MANNER = 0.45, 0.5, 0.7
"""Chances of changes; the first two for upright people only."""
_UPRIGHT = 0.85
"""Vertical part of the pelvis' own axis, from which somebody counts as upright."""
_TALL_M = 0.72
"""Height of the pelvis of somebody who stands or walks."""
_RUNS = ("run", "sport", "exercise_jump", "dance", "floor")
"""Hands are busy with the motion itself."""
_SWAP = np.array([
    SMPL_JOINTS.index(
        name.replace("left", "?").replace("right", "left").replace("?", "right")
    ) for name in SMPL_JOINTS[:22]
])  # fmt: skip
_FLIP = np.array([1.0, 1.0, -1.0, -1.0])
"""w, x, y, z of a rotation seen in a mirror across x = 0."""


class NoRecordingsError(CrowdstreamError):
    """There is nothing to pose anybody by."""


@dataclass(frozen=True)
class Pose:
    """How somebody stands, in a world with z up and the floor at z = 0; x, y are of no account."""

    rotmats: Float[Array, "24 3 3"]
    """Joint 0 in the world, the rest relative to their parents; float64."""
    pelvis_m: float
    """Height of the pelvis joint on the reference skeleton."""
    grounded: bool
    """A foot rests on the floor, as far as the recording knows."""
    kind: str
    """Category of the recording."""


class PoseDeck:
    """Recordings that poses are drawn from.

    Raises:
        NoRecordingsError: none.
    """

    def __init__(self, tracks: Sequence[MotionTrack]) -> None:
        if not tracks:
            raise NoRecordingsError("got no recordings to pose people by; expected at least one MotionTrack")
        self._of: dict[str, list[MotionTrack]] = {}
        for track in tracks:
            self._of.setdefault(track.category, []).append(track)
        self._kinds = sorted(self._of)
        shares = np.array([SHARES.get(kind, OTHER) for kind in self._kinds])
        self._shares = shares / shares.sum()

    def draw(self, rng: np.random.Generator) -> Pose:
        """One pose."""
        kind = self._kinds[int(rng.choice(len(self._kinds), p=self._shares))]
        tracks = self._of[kind]
        lengths = np.array([track.num_frames for track in tracks], np.float64)
        track = tracks[int(rng.choice(len(tracks), p=lengths / lengths.sum()))]
        frame = int(rng.integers(track.num_frames))
        quats = track.quats[frame].astype(np.float64)
        if rng.random() < 0.5:
            quats = quats[_SWAP] * _FLIP
        rotmats = Rotation.from_quat(quats, scalar_first=True).as_matrix()
        height = float(track.root_m[frame, 2])
        upright = bool(rotmats[0, 2, 1] > _UPRIGHT and height > _TALL_M)
        whole = np.tile(np.eye(3), (24, 1, 1))
        whole[:22] = vary(rotmats, upright and kind not in _RUNS, upright, rng)
        grounded = bool(track.contact[frame, :4].any()) or not track.contact_known
        return Pose(whole, height, grounded, kind)


def vary(
    rotmats: Float[Array, "22 3 3"], idle_hands: bool, looks: bool, rng: np.random.Generator
) -> Float[Array, "22 3 3"]:
    """A pose with other hands, head and manner, each by chance.

    Args:
        rotmats: local, joint 0 in the world.
        idle_hands: the hands may be put to something else.
        looks: the head may turn.
        rng: random.
    """
    generator = torch.Generator()
    generator.manual_seed(int(rng.integers(1 << 62)))
    luck = rng.random(3)
    window = torch.from_numpy(rotmats).float()[None, None]
    if idle_hands and luck[0] < HANDS:
        window = hold_things(window, generator)
    if looks and luck[1] < HEADS:
        window = look_around(window, generator)
    if luck[2] < MANNER:
        joints, offsets = manners(1, generator)
        window = window.clone()
        window[:, :, joints] = window[:, :, joints] @ offsets[:, None]
    return window[0, 0].numpy().astype(np.float64)
