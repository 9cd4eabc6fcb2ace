"""Where a pose network puts the keypoints of a found person, and how sure it says it is.

Joint j of output is read off joint p(j) of the person: p exchanges sides while a swap lasts, and hands a joint that
somebody else hides to that person while a jump lasts. Then, per axis,

    x_j = truth_p(j) + bias_j + sigma n,
    sigma = sqrt((std[state, j] h)^2 + std_px^2) exp(log_std[state] u + unsure_growth max(-1 - c, 0))

    n   Gaussian, part new in each frame, part a chain (the picture of a joint changes slowly)
    u   "difficulty", Gaussian: part of the person (with the detector's doubt in it), part of the joint;
        the factor exp(log_std u) gives the heavy tails
    confidence = Q[state, j](Phi(c + octave log2(h / h_ref) + wrong_shift)),   c = -honesty u + sqrt(1 - honesty^2) v

Q is the measured distribution of confidences, v Gaussian of its own: confidence falls with the size of the error to be
expected, never with the error made, and says nothing more than `honesty` allows. A swap or a jump is an error that the
network does not notice, but for `wrong_shift`. O(F N 17), float32.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from .sighting_boxes import overlapping_pairs
from .sighting_clips import MIRRORED
from .sighting_model import LEVELS, STATES, KeypointModel
from .sighting_noise import mixed, quantile_of, switches
from .truth import View

Array = np.ndarray

LEGS, ARMS, BODY = range(3)
SWAPS = np.tile(np.arange(17), (3, 1))
SWAPS[LEGS, 11:] = MIRRORED[11:]
SWAPS[ARMS, 5:11] = MIRRORED[5:11]
SWAPS[BODY] = MIRRORED
"""[kind][joint]: which joint is taken instead."""
OTHER_LEVELS = np.array([3, 2, 1, 0])
"""`Visibility` to the row of the tables (`STATES`)."""
NEAR_JOINT = 0.45
"""A joint jumps to the other person's only if that lies within this share of the height."""
UNSURE_Z = -1.0
"""Normal score of confidence under which errors grow on their own (`unsure_growth`): one joint in six."""
CROP_GROWTH = 1.25
CROP_ASPECT = 0.75


@dataclass(frozen=True)
class LookedAt:
    """What each output joint looks at; frames first."""

    points_px: Float[Array, "F N 17 2"]
    state: Int[Array, "F N 17"]
    """Row of `STATES`."""
    wrong: Bool[Array, "F N 17"]
    """Swapped or jumped."""


def looked_at(
    view: View, height_px: Float[Array, "F N"], model: KeypointModel, rng: np.random.Generator
) -> LookedAt:
    """Truth with swaps and jumps."""
    points = np.ascontiguousarray(np.swapaxes(view.keypoints_px, 0, 1))
    state = OTHER_LEVELS[np.swapaxes(view.visibility, 0, 1)]
    points = points + _bias(points, model)
    wrong = np.zeros(state.shape, bool)
    behind = points[..., 5, 0] < points[..., 6, 0]
    more = np.where(behind, model.swap_behind, 1.0) * (100.0 / height_px) ** model.swap_small
    joint = np.broadcast_to(np.arange(17), state.shape).copy()
    for kind in (LEGS, ARMS, BODY):
        rate, stay = model.swap_per_s[kind], model.swap_s[kind]
        if rate > 0.0:
            on = switches(rng, view.t_ns, np.minimum(rate * stay * more, 0.45).astype(np.float32), stay)
            joint = np.where(on[..., None], joint[..., SWAPS[kind]], joint)
    wrong |= joint != np.arange(17)
    points = np.take_along_axis(points, joint[..., None], axis=2)
    state = np.take_along_axis(state, joint, axis=2)
    if model.jump > 0.0:
        points, state, jumped = _jumps(view, points, state, height_px, model, rng)
        wrong |= jumped
    return LookedAt(points, state, wrong)


def _bias(points: Float[Array, "F N 17 2"], model: KeypointModel) -> Float[Array, "F N 17 2"]:
    """The network's idea of a joint, along the person's own axes as the picture shows them."""
    if not np.any(model.bias):
        return np.zeros((), np.float32)
    axes = body_axes(points)
    return np.asarray(np.einsum("...kc,jk->...jc", axes, np.asarray(model.bias, np.float32)))


def body_axes(points: Float[Array, "*batch 17 2"]) -> Float[Array, "*batch 3 2"]:
    """Right hip to left hip, hips to shoulders, ears to nose, in pixels: three projected axes of the body."""
    left = points[..., 11, :] - points[..., 12, :]
    up = 0.5 * (points[..., 5, :] + points[..., 6, :] - points[..., 11, :] - points[..., 12, :])
    ahead = points[..., 0, :] - 0.5 * (points[..., 3, :] + points[..., 4, :])
    return np.asarray(np.stack([left, up, ahead], axis=-2))


def _jumps(
    view: View,
    points: Float[Array, "F N 17 2"],
    state: Int[Array, "F N 17"],
    height_px: Float[Array, "F N"],
    model: KeypointModel,
    rng: np.random.Generator,
) -> tuple[Float[Array, "F N 17 2"], Int[Array, "F N 17"], Bool[Array, "F N 17"]]:
    """Joints hidden by a neighbour, put on the neighbour's."""
    other = hiding_neighbour(view)
    there = other >= 0
    rows = np.maximum(other, 0)
    theirs = np.take_along_axis(points, rows[..., None, None], axis=1)
    their_state = np.take_along_axis(state, rows[..., None], axis=1)
    with np.errstate(invalid="ignore"):
        near = np.linalg.norm(theirs - points, axis=-1) < NEAR_JOINT * height_px[..., None]
    open_to = near & there[..., None] & (state == STATES.index("occluded"))
    on = (
        switches(rng, view.t_ns, np.where(open_to, model.jump, 0.0).astype(np.float32), model.jump_s)
        & open_to
    )
    return np.where(on[..., None], theirs, points), np.where(on, their_state, state), on


def hiding_neighbour(view: View) -> Int[Array, "F N"]:
    """Row of the better seen person whose box covers each person's most; -1 for nobody."""
    there = view.present.T & (view.seen_share.T > 0.0)
    frame, row = np.nonzero(there)
    i, j, iou = overlapping_pairs(frame, view.box_px[row, frame])
    share = view.seen_share[row, frame]
    behind, front = np.where(share[i] < share[j], i, j), np.where(share[i] < share[j], j, i)
    best = np.full(there.shape, -1, np.int64)
    order = np.argsort(iou, kind="stable")  # the last writer wins: the one that covers most
    best[frame[behind[order]], row[behind[order]]] = row[front[order]]
    return best


def pose_people(
    view: View,
    height_px: Float[Array, "F N"],
    doubt: Float[Array, "F N"],
    frame: Int[Array, "R"],
    row: Int[Array, "R"],
    boxes_px: Float[Array, "R 4"],
    model: KeypointModel,
    rng: np.random.Generator,
) -> tuple[Float[Array, "R 17 2"], Float[Array, "R 17"]]:
    """Keypoints and confidence of the rows that were found."""
    seen = looked_at(view, height_px, model, rng)
    people = (len(view.person_ids),)
    hard = _difficulty(view, doubt, model, rng)[frame, row]
    points, state, wrong = seen.points_px[frame, row], seen.state[frame, row], seen.wrong[frame, row]
    tall = height_px[frame, row]
    std = np.asarray(model.std, np.float32)[state, np.arange(17)] * tall[:, None].astype(np.float32)
    std = np.sqrt(std**2 + np.float32(model.std_px) ** 2)
    z = _sureness(view, frame, row, hard, state, model, rng)
    std *= np.exp(
        np.asarray(model.log_std, np.float32)[state] * hard
        + np.float32(model.unsure_growth) * np.maximum(UNSURE_Z - z, 0.0)
    )
    noise = mixed(rng, view.t_ns, (*people, 17, 2), model.error_s, model.error_fast)[frame, row]
    points = points + noise * std[..., None]
    confidence = _confidence(z + np.float32(model.wrong_shift) * wrong, tall, state, model)
    lost = ~np.isfinite(points).all(axis=-1)
    centre = 0.5 * (boxes_px[:, :2] + boxes_px[:, 2:])
    points = np.where(lost[..., None], centre[:, None], points)
    if model.stay_in_crop:
        points = _in_crop(points, boxes_px)
    return points.astype(np.float32), np.where(lost, np.float32(0.0), confidence)


def _difficulty(
    view: View, doubt: Float[Array, "F N"], model: KeypointModel, rng: np.random.Generator
) -> Float[Array, "F N 17"]:
    people = (len(view.person_ids),)
    own = mixed(rng, view.t_ns, people, model.difficulty_s, model.difficulty_fast)
    shared = model.score_honesty * doubt + np.sqrt(1.0 - model.score_honesty**2) * own
    joint = mixed(rng, view.t_ns, (*people, 17), model.difficulty_s, model.difficulty_fast)
    joint *= np.float32(np.sqrt(1.0 - model.difficulty_person))
    joint += (np.sqrt(model.difficulty_person) * shared).astype(np.float32)[..., None]
    return joint


def _sureness(
    view: View,
    frame: Int[Array, "R"],
    row: Int[Array, "R"],
    hard: Float[Array, "R 17"],
    state: Int[Array, "R 17"],
    model: KeypointModel,
    rng: np.random.Generator,
) -> Float[Array, "R 17"]:
    """Normal score of the confidence before size, swaps and jumps shift it."""
    people = (len(view.person_ids),)
    own = mixed(rng, view.t_ns, (*people, 17), model.confidence_s, model.confidence_fast)[frame, row]
    own *= np.float32(np.sqrt(1.0 - model.confidence_person))
    common = mixed(rng, view.t_ns, people, model.confidence_s, model.confidence_fast)[frame, row]
    own += np.float32(np.sqrt(model.confidence_person)) * common[:, None]
    honesty = np.asarray(model.honesty, np.float32)[state]
    return np.asarray(np.sqrt(1.0 - honesty**2) * own - honesty * hard)


def _confidence(
    z: Float[Array, "R 17"], tall: Float[Array, "R"], state: Int[Array, "R 17"], model: KeypointModel
) -> Float[Array, "R 17"]:
    octaves = np.log2(np.maximum(tall, 1.0) / model.confidence_at_px)
    z = z + (model.confidence_octave * octaves)[:, None]
    table = np.asarray(model.confidence)
    out = np.zeros(z.shape, np.float32)
    for s in range(len(STATES)):
        for j in range(17):
            here = state[:, j] == s
            if here.any():
                out[here, j] = quantile_of(z[here, j], LEVELS, table[s, j])
    return out


def _in_crop(points: Float[Array, "R 17 2"], boxes: Float[Array, "R 4"]) -> Float[Array, "R 17 2"]:
    centre = 0.5 * (boxes[:, :2] + boxes[:, 2:])
    side = CROP_GROWTH * (boxes[:, 2:] - boxes[:, :2])
    tall = np.maximum(side[:, 1], side[:, 0] / CROP_ASPECT)
    half = 0.5 * np.stack([CROP_ASPECT * tall, tall], axis=1)
    return np.asarray(np.clip(points, (centre - half)[:, None], (centre + half)[:, None]))
