"""Whole windows as a normal distribution: linear PCA, and what it says of hidden parts.

    x = mean + C^T z,   z = C (x - mean)                     C (K, D) orthonormal, K = 384, D = 64 * 135
    x = mean + W z + e,   W = C^T (L - s I)^(1/2),   e ~ N(0, s I)      (probabilistic PCA, Tipping & Bishop 1999)
    E[x_h | x_o] = mean_h + W_h (W_o^T W_o + s I)^(-1) W_o^T (x_o - mean_o)

x is what the motion prior's decoder writes: 6D rotations of joints 1..21 and of the pelvis, and the pelvis's path in
metres, in the segment's frame. L are the variances of the components, s the mean variance outside of them. Fitted on
every window of the training recordings at a stride, each once as it is and once in a mirror, by subspace iteration
(Halko et al. 2011): O(iterations N D K).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ....kernels.errors import CrowdstreamError
from ....kernels.priors.motion_state import BODY_JOINTS, SEGMENT_FRAMES
from ....kernels.rotation import rotmat_from_6d, rotmat_to_6d
from ...motion.windows import WINDOW, MotionWindows, WindowBank
from .motion import Answer, Segments, segments_of

COMPONENTS = 384
"""As many numbers a window as the motion prior's latent has."""
FRAME_DIM = 6 * (BODY_JOINTS + 1) + 3
WINDOW_DIM = SEGMENT_FRAMES * FRAME_DIM
_SPARE, _ITERATIONS = 32, 3
"""Directions beyond those asked for, and rounds: the last component is right to a fraction of a percent."""
_CHUNK = 256

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class WindowPca:
    """Moments of windows; float32."""

    mean: Float[Tensor, "D"]
    components: Float[Tensor, "K D"]
    """Orthonormal rows, largest variance first."""
    variances: Float[Tensor, "K"]
    noise: float
    """Mean variance of the directions left out."""
    windows: int
    """It rests on, mirror images not counted."""


@dataclass(frozen=True)
class PcaAnswers:
    """Nothing hidden: the projection. Something hidden: the conditional mean there, and what was seen as it is."""

    pca: WindowPca

    def answer(self, shown: Segments, seen: Bool[Tensor, "64 22"]) -> Answer:
        """Decoded."""
        pca, vectors = self.pca, to_vectors(shown)
        if bool(seen.all()):
            off = vectors - pca.mean
            return Answer(from_vectors(pca.mean + (off @ pca.components.T) @ pca.components))
        mask = vector_mask(seen)
        load = pca.components * (pca.variances - pca.noise).clamp_min(0.0).sqrt()[:, None]
        known = load[:, mask].double()
        inner = known @ known.T + max(pca.noise, _SMALLEST) * torch.eye(len(known), dtype=torch.float64)
        off = (vectors[:, mask] - pca.mean[mask]).double()
        z = torch.linalg.solve(inner, known @ off.T).T.float()
        told = vectors.clone()
        told[:, ~mask] = pca.mean[~mask] + z @ load[:, ~mask]
        return Answer(from_vectors(told))


_SMALLEST = 1e-9
"""Noise of a fit that left nothing out; keeps the inner matrix invertible."""


def to_vectors(motion: Segments) -> Float[Tensor, "B D"]:
    """Windows as rows: for each frame joints 1..21, pelvis rotation, pelvis place."""
    sixd = rotmat_to_6d(motion.rotmats)
    sixd = torch.cat([sixd[..., 1:, :], sixd[..., :1, :]], -2).flatten(-2)
    return torch.cat([sixd, motion.root_m], -1).flatten(1)


def from_vectors(vectors: Float[Tensor, "B D"]) -> Segments:
    """The inverse, for rows that need not hold rotations."""
    frames = vectors.reshape(-1, SEGMENT_FRAMES, FRAME_DIM)
    rotmats = rotmat_from_6d(frames[..., :-3].reshape(-1, SEGMENT_FRAMES, BODY_JOINTS + 1, 6))
    return Segments(torch.cat([rotmats[..., -1:, :, :], rotmats[..., :-1, :, :]], -3), frames[..., -3:])


def vector_mask(seen: Bool[Tensor, "64 22"]) -> Bool[Tensor, "D"]:
    """Which entries of a row are seen."""
    joint, whole = seen[:, :BODY_JOINTS], seen[:, BODY_JOINTS:]
    return torch.cat([joint.repeat_interleave(6, -1), whole.expand(-1, 9)], -1).flatten()


def windows_of(bank: WindowBank, stride: int, mirror: bool = False) -> Iterator[MotionWindows]:
    """Every whole window at a stride, some hundreds at a time."""
    pairs = [(k, s) for k, n in enumerate(bank.lengths) for s in range(0, n - WINDOW + 1, stride)]
    for start in range(0, len(pairs), _CHUNK):
        part = pairs[start : start + _CHUNK]
        track = np.array([k for k, _ in part], np.int64)
        first = np.array([s for _, s in part], np.float64)
        yield bank.cut(track, first, np.ones(len(part)), np.full(len(part), mirror))


def fit_window_pca(
    bank: WindowBank, stride: int = 16, seed: int = 0, components: int = COMPONENTS,
    progress: Progress | None = None,
) -> WindowPca:  # fmt: skip
    """Moments of every window of some recordings, mirror images counted alike.

    Memory: 70 KB a window.

    Raises:
        CrowdstreamError: no window of 64 frames among them.
    """
    parts = [
        to_vectors(segments_of(windows))
        for mirror in (False, True)
        for windows in windows_of(bank, stride, mirror)
    ]
    if not parts:
        raise CrowdstreamError(
            f"no recording of {len(bank.tracks)} has {WINDOW} frames; a linear baseline needs some that have"
        )
    rows = torch.cat(parts)
    del parts
    mean = rows.mean(0)
    rows -= mean
    keep = min(components, len(rows) - 1)
    values, directions = _leading(rows, keep, seed, progress)
    total = float(torch.linalg.vector_norm(rows, dtype=torch.float64) ** 2) / len(rows)
    variances = values.square() / len(rows)
    noise = max(total - float(variances.double().sum()), 0.0) / (WINDOW_DIM - keep)
    return WindowPca(mean, directions, variances, noise, len(rows) // 2)


def _leading(
    rows: Float[Tensor, "N D"], keep: int, seed: int, progress: Progress | None
) -> tuple[Float[Tensor, "K"], Float[Tensor, "K D"]]:
    """Largest singular values with their right directions."""
    tell = progress or (lambda done, total: None)
    width = min(keep + _SPARE, len(rows), rows.shape[1])
    start = torch.from_numpy(np.random.default_rng(seed).standard_normal((rows.shape[1], width)))
    basis = torch.linalg.qr(rows @ start.float())[0]
    for k in range(_ITERATIONS):
        tell(k, _ITERATIONS)
        basis = torch.linalg.qr(rows @ torch.linalg.qr(rows.T @ basis)[0])[0]
    tell(_ITERATIONS, _ITERATIONS)
    _, values, directions = torch.linalg.svd(basis.T @ rows, full_matrices=False)
    return values[:keep], directions[:keep]
