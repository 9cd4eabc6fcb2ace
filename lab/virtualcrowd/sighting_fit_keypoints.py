"""Parameters of `KeypointModel` from shrunken pictures with known truth, and from crowds.

    std         median |error| per axis / 0.6745 of each state and joint over the sizes above 40 px; a state that shows
                a joint rarely borrows the joint's place among the others (n / (n + 60) of its own)
    std_px      the growth of the median error towards small sizes, in squares
    log_std     ratio of the 95th percentile to the median of |error| / std: a log-normal scale of a Gaussian
    error_*     memory from the autocorrelation of error / std at lags of 33-330 ms; the part new in each frame from the
                median second difference, which large flickering errors do not govern
    honesty     how much larger the errors of the less sure third (scores -1 to 0) are than those of the surer half;
                what the least sure err more than that predicts is `unsure_growth`
    swaps       runs in which exchanging left and right explains what was found and keeping them does not
    jumps       hidden joints that lie nearer to the other person's joint than to their own
    confidence  quantiles by state and joint: mean of those of the shrunken pictures and those of a crowd
    bias        widths and lengths of triangulated people against the shipped body's: see `proportions_bias`

The pictures of a crowd are worse than shrunken good ones; how much shows where nobody knows the truth: two networks
on the same boxes disagree more (`disagreement`). All errors are scaled by that ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

from ...kernels.body.keypoints import coco_keypoints_np
from ...kernels.body.kinematics import forward_kinematics_np
from ...kernels.skeleton import COCO_SIGMAS
from ...stream.body_files import load_body
from .sighting_clips import MIRRORED
from .sighting_fit_boxes import memory, tail_of
from .sighting_keypoints import NEAR_JOINT, SWAPS, UNSURE_Z
from .sighting_model import LEVELS, STATES, KeypointModel
from .sighting_samples import KeypointSamples

Array = np.ndarray

MEDIAN_OF_NORMAL = 0.6745
GIVEN_UP_EXCESS = 1.2
"""Mean of -1 - score over joints with a score below GIVEN_UP_Z."""
GIVEN_UP_Z = -1.8
"""Normal score of confidence of joints that show how errors grow when the network gives up."""
BORROW = 60
"""Samples at which a joint's own figure weighs as much as what it borrows."""
CROWD_SIZE_PX = 70
"""Confidence tables are taken at this size of the shrunken pictures and above."""
TESTED = {0: (13, 14, 15, 16), 1: (7, 8, 9, 10), 2: (5, 6, 11, 12)}
"""Joints that tell whether legs, arms or everything are exchanged."""
APART = 0.07
"""Left and right must be this far apart in the picture, share of the height, for an exchange to show."""
OUTSIDE_WORSE = 1.5
"""Errors of joints beyond the border over those of hidden ones: not measured, no clip shows it."""
TRUST_PROPORTIONS = 0.75
"""Two people are few: their proportions count for this much."""


@dataclass(frozen=True)
class CrowdConfidence:
    """Confidences of a real crowd, with the state that the drawn bodies give each joint."""

    confidence: Float[Array, "R 17"]
    state: Int[Array, "R 17"]
    doubt: Float[Array, "R"]
    """How much less evidence the detector had than circumstances explain, standardised; NaN unknown."""


def fit_keypoints(
    samples: KeypointSamples,
    crowd: CrowdConfidence,
    worse: float,
    swaps: float,
    swap_lasts: float,
    bias: Float[Array, "17 3"],
) -> KeypointModel:
    """All parameters of `KeypointModel`.

    Args:
        samples: the network on shrunken pictures.
        crowd: its confidences in a crowd.
        worse: ratio of errors in a crowd's picture to these (`disagreement`).
        swaps: ratio of exchanges of left and right in a crowd's picture to these (`exchange_rate`).
        swap_lasts: seconds an exchange of the whole body lasts in a crowd (`swap_stay`); 0: as here.
        bias: from `proportions_bias`.
    """
    kinds = exchanged(samples)
    jumped = _jumped(samples)
    wrong = jumped.copy()
    for kind, moved in enumerate(SWAPS):
        wrong |= kinds[kind][..., None] & (moved != np.arange(17))
    clean = samples.known & ~wrong
    std, std_px = _std(samples, clean)
    tails = _tails(samples, clean, std, std_px)
    z = _confidence_z(samples)
    honest, shared, common, growth = _honesty(samples, clean, std, std_px, tails, z)
    fast_share, slow_s = _error_memory(samples, clean, std, std_px)
    z_share, z_s = memory(np.moveaxis(z, 1, -1).reshape(-1, z.shape[1]), samples.step_s)
    rates, stays, behind, small = _swap_rates(samples, kinds)
    longer = max(swap_lasts / stays[2], 1.0)
    shift = float(np.nanmean(z[wrong])) if wrong.sum() > 20 else -0.5
    return KeypointModel(
        std=tuple(tuple(_r(v * worse) for v in row) for row in std), std_px=_r(std_px * worse),
        log_std=tuple(_r(t) for t in tails), difficulty_person=_r(shared), difficulty_fast=0.0,
        difficulty_s=_r(z_s), error_fast=_r(1.0 - fast_share), error_s=_r(slow_s),
        bias=tuple((_r(a), _r(b), _r(c)) for a, b, c in bias.tolist()),
        swap_per_s=_three(rates, swaps / longer), swap_s=_three(stays, longer),
        swap_behind=behind, swap_small=small,
        jump=_r(_jump_share(samples, jumped)), jump_s=0.4, stay_in_crop=True,
        confidence=_tables(samples, crowd), confidence_octave=_octave(samples),
        honesty=tuple(_r(h) for h in honest), score_honesty=_r(_score_honesty(crowd, honest[0], shared, common)),
        unsure_growth=_r(growth), confidence_person=_r(common),
        confidence_fast=_r(1.0 - z_share), confidence_s=_r(z_s), wrong_shift=_r(shift),
    )  # fmt: skip


def _std(samples: KeypointSamples, clean: Bool[Array, "S F 17"]) -> tuple[Float[Array, "4 17"], float]:
    """Spread by state and joint at large size, and the floor in pixels."""
    off = np.abs(samples.error)
    large = clean & (samples.size_px >= 50)[:, None, None]
    prior = COCO_SIGMAS / COCO_SIGMAS.mean()
    table = np.zeros((len(STATES), 17))
    for s in range(3):
        here = large & (samples.state == s)
        scale = prior if s == 0 else table[0]
        typical = np.median((off / scale[:, None])[here]) / MEDIAN_OF_NORMAL
        for j in range(17):
            count = here[..., j].sum() / len(np.unique(samples.size_px))
            own = np.median(off[..., j, :][here[..., j]]) / MEDIAN_OF_NORMAL if count else 0.0
            table[s, j] = (count * own + BORROW * typical * scale[j]) / (count + BORROW)
    table[3] = OUTSIDE_WORSE * table[2]
    medians = np.array([np.median(off[clean & (samples.state == 0) & (samples.size_px == size)[:, None, None]])
                        for size in np.unique(samples.size_px)]) / MEDIAN_OF_NORMAL  # fmt: skip
    sizes = np.unique(samples.size_px)
    floor = max(float(np.polyfit(1.0 / sizes**2.0, medians**2, 1)[0]), 0.0)
    return table, float(np.sqrt(floor))


def _expected(samples: KeypointSamples, std: Float[Array, "4 17"], std_px: float) -> Float[Array, "S F 17"]:
    share = std[samples.state, np.arange(17)]
    return np.asarray(np.sqrt(share**2 + (std_px / samples.height_px[..., None]) ** 2))


def _tails(
    samples: KeypointSamples, clean: Bool[Array, "S F 17"], std: Float[Array, "4 17"], std_px: float
) -> list[float]:
    size = np.abs(samples.error) / _expected(samples, std, std_px)[..., None]
    tails = []
    for s in range(3):
        here = size[clean & (samples.state == s) & (samples.size_px >= 50)[:, None, None]]
        tails.append(tail_of(float(np.quantile(here, 0.95) / np.quantile(here, 0.5))))
    return [*tails, tails[2]]


def _confidence_z(samples: KeypointSamples) -> Float[Array, "S F 17"]:
    """Normal scores of confidence within size, state and joint."""
    z = np.full(samples.confidence.shape, np.nan)
    for size in np.unique(samples.size_px):
        rows = (samples.size_px == size)[:, None] & np.isfinite(samples.height_px)
        for s in range(3):
            for j in range(17):
                here = rows & (samples.state[..., j] == s)
                if here.sum() >= 10:
                    rank = samples.confidence[..., j][here].argsort().argsort()
                    z[here, j] = ndtri((rank + 0.5) / here.sum())
    return z


def _honesty(
    samples: KeypointSamples,
    clean: Bool[Array, "S F 17"],
    std: Float[Array, "4 17"],
    std_px: float,
    tails: list[float],
    z: Float[Array, "S F 17"],
) -> tuple[list[float], float, float, float]:
    """Honesty by state; what a person's joints have in common, of difficulty and of the rest of confidence; growth."""
    relative = np.linalg.norm(samples.error, axis=-1) / _expected(samples, std, std_px)
    log = np.where(clean, np.log(np.maximum(relative, 1e-3)), np.nan)
    honest = []
    for s in range(3):
        here = clean & (samples.state == s) & np.isfinite(z)
        unsure, sure = log[here & (z < 0.0) & (z > UNSURE_Z)], log[here & (z > 0.0)]
        honest.append(_honesty_of(float(np.median(unsure) - np.median(sure)), max(tails[s], 0.1)))
    here = clean & (samples.state == 0) & np.isfinite(z)
    lost = float(np.median(log[here & (z < GIVEN_UP_Z)]) - np.median(log[here & (z > 0.0)]))
    growth = max(lost - _gap(honest[0], tails[0], -np.inf, GIVEN_UP_Z), 0.0) / GIVEN_UP_EXCESS
    shared = float(np.clip(_between_joints(log) / max(tails[0], 0.1) ** 2, 0.0, 0.8))
    all_common = _between_joints(z)
    c2 = honest[0] ** 2
    common = float(np.clip((all_common - c2 * shared) / max(1.0 - c2, 1e-3), 0.0, 0.8))
    return [*honest, honest[2]], shared, common, growth


def _honesty_of(gap: float, spread: float) -> float:
    """The honesty at which less sure joints err by exp(gap) more than sure ones, both in the median."""
    grid = np.linspace(0.0, 0.95, 20)
    gaps = [_gap(float(c), spread, UNSURE_Z, 0.0) for c in grid]
    return float(np.interp(gap, np.maximum.accumulate(gaps), grid))


def _gap(honesty: float, spread: float, low: float, high: float) -> float:
    """Difference of median log errors of joints with confidence scores in (low, high) and over 0; by simulation."""
    rng = np.random.default_rng(0)
    u, v = rng.standard_normal((2, 100_000))
    log = spread * u + np.log(np.hypot(*rng.standard_normal((2, 100_000))))
    z = np.sqrt(1 - honesty**2) * v - honesty * u
    return float(np.median(log[(z > low) & (z < high)]) - np.median(log[z > 0.0]))


def _between_joints(values: Float[Array, "S F 17"]) -> float:
    """Mean covariance of two different joints of the same person in the same frame."""
    flat = values.reshape(-1, 17)
    flat = flat - np.nanmean(flat, axis=0)
    pairs = [np.nanmean(flat[:, i] * flat[:, j]) for i in range(17) for j in range(i)]
    return float(np.mean(pairs))


def _error_memory(
    samples: KeypointSamples, clean: Bool[Array, "S F 17"], std: Float[Array, "4 17"], std_px: float
) -> tuple[float, float]:
    relative = samples.error / _expected(samples, std, std_px)[..., None]
    relative = np.where(clean[..., None], np.clip(relative, -4, 4), np.nan)[samples.size_px >= 50]
    _, tau = memory(np.moveaxis(relative, 1, -1).reshape(-1, relative.shape[1]), samples.step_s)
    second = relative[:, 2:] - 2 * relative[:, 1:-1] + relative[:, :-2]
    jitter2 = float(np.nanmedian(np.abs(second)) / MEDIAN_OF_NORMAL) ** 2
    keep = np.exp(-samples.step_s / tau)
    rough = 6.0 - 8.0 * keep + 2.0 * keep**2  # second differences of a chain of unit variance
    if rough <= jitter2:
        return float(np.clip(1.0 - (jitter2 - rough) / (6.0 - rough), 0.0, 1.0)), tau
    keep = 2.0 - np.sqrt(1.0 + 0.5 * jitter2)  # all chain, and a longer one: 2 k^2 - 8 k + 6 = jitter^2
    return 1.0, float(-samples.step_s / np.log(keep))


def _three(values: tuple[float, float, float], gain: float) -> tuple[float, float, float]:
    return _r(values[0] * gain), _r(values[1] * gain), _r(values[2] * gain)


def swap_stay(flips: float, share: float, step_s: float) -> float:
    """How long a swap lasts when a share of people is swapped and a share `flips` changes sides from frame to frame.

    A two-state chain flips with probability 2 share (1 - share) (p_on + p_off).
    """
    moves = min(flips / max(2.0 * share * (1.0 - share), 1e-6), 1.0)
    leave = moves * (1.0 - share)
    return float(-step_s / np.log(max(1.0 - leave, 1e-6)))


def exchanged(samples: KeypointSamples) -> Bool[Array, "3 S F"]:
    """Frames in which legs, arms or all joints are found on the other side; in that order."""
    return exchanged_between(samples.truth_px, samples.found_px, samples.height_px)


def exchange_rate(
    a: Float[Array, "R 17 2"], b: Float[Array, "R 17 2"], height_px: Float[Array, "R"]
) -> float:
    """Share of people on whose sides two networks disagree."""
    return float(exchanged_between(a[None], b[None], height_px[None]).any(axis=0).mean())


def exchanged_between(
    truth: Float[Array, "S F 17 2"], found: Float[Array, "S F 17 2"], tall: Float[Array, "S F"]
) -> Bool[Array, "3 S F"]:
    """The same of any two sets of keypoints."""
    with np.errstate(invalid="ignore"):
        apart = np.linalg.norm(truth - truth[:, :, MIRRORED], axis=-1) > APART * tall[..., None]
        kept = np.linalg.norm(found - truth, axis=-1)
        crossed = np.linalg.norm(found - truth[:, :, MIRRORED], axis=-1)
    out = []
    for joints in TESTED.values():
        use = apart[..., joints] & np.isfinite(kept[..., joints])
        a = np.where(use, kept[..., joints], 0.0).sum(axis=-1)
        b = np.where(use, crossed[..., joints], 0.0).sum(axis=-1)
        out.append((use.sum(axis=-1) >= 2) & (b < 0.5 * a))
    legs, arms, trunk = out
    return np.stack([legs & ~trunk, arms & ~trunk, trunk])


def _swap_rates(
    samples: KeypointSamples, kinds: Bool[Array, "3 S F"]
) -> tuple[tuple[float, float, float], tuple[float, float, float], float, float]:
    """Onsets per second, mean length, how much more often from behind, and the power of smallness."""
    seconds = float(np.isfinite(samples.height_px).sum() * samples.step_s)
    starts = kinds & ~np.concatenate([np.zeros_like(kinds[..., :1]), kinds[..., :-1]], axis=-1)
    counts = starts.sum(axis=(1, 2))
    stays = kinds.sum(axis=(1, 2)) * samples.step_s / np.maximum(counts, 1)
    small = np.asarray(kinds.any(axis=0))
    sizes = np.unique(samples.size_px)
    shares = np.array([small[samples.size_px == size].mean() for size in sizes])
    power = -float(np.polyfit(np.log(sizes / 100.0), np.log(np.maximum(shares, 1e-3)), 1)[0])
    power = float(np.clip(power, 0.0, 2.0))
    weight = float(np.mean((100.0 / sizes) ** power))
    back = samples.truth_px[..., 5, 0] < samples.truth_px[..., 6, 0]
    ratio = (small[back].mean() + 1e-3) / (small[~back].mean() + 1e-3)
    behind = float(np.clip(ratio, 1.0, 5.0))
    weight *= 1.0 + (behind - 1.0) * float(back.mean())
    rates = tuple(_r(float(c) / seconds / weight) for c in counts)
    lengths = tuple(_r(max(float(s), samples.step_s)) for s in stays)
    return (rates[0], rates[1], rates[2]), (lengths[0], lengths[1], lengths[2]), _r(behind), _r(power)


def _jumped(samples: KeypointSamples) -> Bool[Array, "S F 17"]:
    found, truth, other = samples.found_px, samples.truth_px, samples.other_px
    with np.errstate(invalid="ignore"):
        away = np.linalg.norm(other - truth, axis=-1)
        own, theirs = np.linalg.norm(found - truth, axis=-1), np.linalg.norm(found - other, axis=-1)
        tall = samples.height_px[..., None]
        return np.asarray((away > 0.1 * tall) & (away < NEAR_JOINT * tall) & (theirs < 0.5 * own))


def _jump_share(samples: KeypointSamples, jumped: Bool[Array, "S F 17"]) -> float:
    """Of the joints hidden by the other person whose same joint is near; one in four before anything is seen."""
    with np.errstate(invalid="ignore"):
        away = np.linalg.norm(samples.other_px - samples.truth_px, axis=-1)
        near = (away > 0.1 * samples.height_px[..., None]) & (
            away < NEAR_JOINT * samples.height_px[..., None]
        )
    open_to = near & (samples.state == STATES.index("occluded")) & samples.known
    per_size = len(np.unique(samples.size_px))
    return float(((jumped & open_to).sum() / per_size + 5.0) / (open_to.sum() / per_size + 20.0))


def _octave(samples: KeypointSamples) -> float:
    """Shift of visible joints' confidence per doubling of size, in standard deviations."""
    sizes = np.unique(samples.size_px)
    base = np.sort(
        samples.confidence[
            (samples.size_px == CROWD_SIZE_PX)[:, None, None] & (samples.state == 0) & samples.known
        ]
    )
    shift = []
    for size in sizes:
        here = samples.confidence[
            (samples.size_px == size)[:, None, None] & (samples.state == 0) & samples.known
        ]
        rank = np.clip(np.searchsorted(base, here) / len(base), 0.01, 0.99)
        shift.append(np.mean(ndtri(rank)))
    return _r(float(np.polyfit(np.log2(sizes), shift, 1)[0]))


def _tables(samples: KeypointSamples, crowd: CrowdConfidence) -> tuple[tuple[tuple[float, ...], ...], ...]:
    """Quantiles by state and joint; where a state shows a joint too rarely, those of all joints in the state."""
    large = samples.known & (samples.size_px >= CROWD_SIZE_PX)[:, None, None]
    out = []
    for s in range(3):
        rows = []
        for j in range(17):
            parts = []
            for values, here in (
                (samples.confidence, large & (samples.state == s)),
                (crowd.confidence, crowd.state == s),
            ):
                some, all_joints = values[..., j][here[..., j]], values[here]
                chosen = some if len(some) >= 100 else all_joints
                if len(chosen) >= 50:
                    parts.append(np.quantile(chosen, LEVELS))
            rows.append(_levels(np.mean(parts, axis=0)))
        out.append(tuple(rows))
    outside = tuple(_levels(0.7 * np.asarray(row)) for row in out[2])
    return (*out, outside)


def _score_honesty(crowd: CrowdConfidence, honesty: float, shared: float, common: float) -> float:
    """From the correlation of a person's mean confidence with the detector's doubt."""
    rank = crowd.confidence.argsort(axis=0).argsort(axis=0)
    mean = ndtri((rank + 0.5) / len(rank)).mean(axis=1)
    known = np.isfinite(crowd.doubt)
    r = -float(np.corrcoef(mean[known], crowd.doubt[known])[0, 1])
    c2 = honesty**2
    variance = c2 * (shared + (1 - shared) / 17) + (1 - c2) * (common + (1 - common) / 17)
    return float(np.clip(r * np.sqrt(variance) / max(honesty * np.sqrt(shared), 1e-3), 0.0, 0.8))


def disagreement(
    a: Float[Array, "R 17 2"], b: Float[Array, "R 17 2"], height_px: Float[Array, "R"]
) -> Float[Array, "17"]:
    """Median distance of two networks' keypoints by joint, share of the height."""
    return np.asarray(np.nanmedian(np.linalg.norm(a - b, axis=-1) / height_px[:, None], axis=0))


def proportions_bias(points_m: Float[Array, "P F 17 3"]) -> Float[Array, "17 3"]:
    """Where the network sees joints against the shipped body's joints, in the units of `KeypointModel.bias`.

    People's scale is that of their upper arms, forearms, thighs and shins together. What is then too wide at hips and
    shoulders lies sideways, what is short of the shin lies upwards at the ankle. What is behind or before the joints
    cannot be told from two people's proportions and stays zero.
    """
    body = load_body()
    rest = coco_keypoints_np(
        *forward_kinematics_np(
            np.zeros((1, 24, 3)),
            np.zeros((1, 10)),
            np.zeros((1, 3)),
            body.joint_template_m,
            body.joint_shapedirs_m,
        )
    )
    own, theirs = _lengths(rest[None])[0], np.nanmean(_lengths(points_m), axis=0)
    per_person = _lengths(points_m)
    scale = np.mean(per_person[:, 2:6] / own[2:6], axis=1, keepdims=True)
    theirs = (per_person / scale).mean(axis=0)
    hips, shoulders, _, shin, _, _, trunk = (theirs - own).tolist()
    bias = np.zeros((17, 3))
    side = 0.5 * TRUST_PROPORTIONS / own[0]
    bias[11, 0], bias[12, 0] = side * hips, -side * hips
    bias[5, 0], bias[6, 0] = side * shoulders, -side * shoulders
    bias[[15, 16], 1] = -TRUST_PROPORTIONS * min(shin, 0.0) / own[6]
    bias[[11, 12], 1] = -TRUST_PROPORTIONS * min(trunk, 0.0) / own[6]
    return bias


def _lengths(points: Float[Array, "P F 17 3"]) -> Float[Array, "P 7"]:
    """Medians over time: hips, shoulders, thigh, shin, upper arm, forearm, trunk."""
    pairs = (
        ((11, 12),),
        ((5, 6),),
        ((11, 13), (12, 14)),
        ((13, 15), (14, 16)),
        ((5, 7), (6, 8)),
        ((7, 9), (8, 10)),
    )

    def length(a: int, b: int) -> Array:
        return np.asarray(np.nanmedian(np.linalg.norm(points[:, :, a] - points[:, :, b], axis=-1), axis=1))

    out = [np.mean([length(a, b) for a, b in some], axis=0) for some in pairs]
    middle = 0.5 * (points[:, :, [5, 11]] + points[:, :, [6, 12]])
    out.append(np.nanmedian(np.linalg.norm(middle[:, :, 0] - middle[:, :, 1], axis=-1), axis=1))
    return np.stack(out, axis=1)


def _levels(values: Float[Array, "Q"]) -> tuple[float, ...]:
    return tuple(float(v) for v in np.round(np.clip(np.maximum.accumulate(values), 0.0, 1.0), 3))


def _r(value: float) -> float:
    return round(float(value), 4)
