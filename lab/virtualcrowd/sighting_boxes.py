"""Which people a detector finds, and the boxes it draws round them.

One number decides: the evidence e for a person in a frame, in logit units,

    e = evidence - (small_px / h)^p - a hidden^q - b cut + person + slow + fast
    score = ceiling / (1 + exp(-e)),  found where score >= floor

with h the height in the detector's input, `hidden` the share of the body behind others, `cut` the share of the box
beyond the border, and three Gaussian terms that last for the clip, for seconds and for a frame; a itself comes and
goes slowly. A miss is thus a low score, lasts as long as its cause, and scores sink before people are lost. The
parameters come from a censored (Tobit) regression on annotated boxes: `sighting_fit_boxes`.

Edges move by correlated noise that widens with doubt: sideways by shares of the height, in width by a factor, so that
a clear person's box stays that person's box; the box of a partly hidden person draws back to the visible
part; of two boxes that overlap too much the weaker one is suppressed. O(F N overlaps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit

from .sighting_model import LEVELS, BoxModel
from .sighting_noise import chain, mixed, quantile_of, switches
from .truth import View, Visibility

Array = np.ndarray

HIDDEN_SURELY = 0.05
"""A smaller hidden share does not shrink a box."""
EDGE_LIMIT = 3.0
"""No edge errs by more standard deviations. Set: of real sides one in a hundred does, and further ones make it another
person's box more often than real ones do."""
WIDTH_LIMIT = 0.7
"""No box is more than twice as wide as the person, or less than half: none of 2,000 clear people's is."""
SHRINK_SPREAD = 0.25
"""Standard deviation of the share by which a box draws back to the visible part."""


@dataclass(frozen=True)
class PeopleFound:
    """R rows, ordered by frame."""

    frame: Int[Array, "R"]
    row: Int[Array, "R"]
    """Row of the person in the view."""
    boxes_px: Float[Array, "R 4"]
    scores: Float[Array, "R"]
    doubt: Float[Array, "F N"]
    """Standard normal: how much less sure than its causes say the detector is (for the keypoints)."""


@dataclass(frozen=True)
class Circumstances:
    """What a view says about how hard a person is to see; frames first."""

    height_px: Float[Array, "F N"]
    hidden: Float[Array, "F N"]
    """Share of the body inside the picture that others or obstacles cover."""
    cut: Float[Array, "F N"]
    """Share of the box beyond the border."""
    findable: Bool[Array, "F N"]
    """There, and showing enough."""


def circumstances(view: View, least_seen: float) -> Circumstances:
    """Sizes and shares of everybody."""
    box = np.swapaxes(view.box_px, 0, 1)
    seen = view.seen_share.T
    clipped = clip_to_picture(box, view.camera.size_px)
    area = np.maximum(_area(box), 1e-6)
    cut = np.clip(1.0 - _area(clipped) / area, 0.0, 1.0)
    hidden = np.clip(1.0 - seen / np.maximum(1.0 - cut, 1e-3), 0.0, 1.0)
    there = view.present.T & (seen > 0.0) & (seen >= least_seen) & (_area(clipped) > 0.0)
    return Circumstances(np.maximum(box[..., 3] - box[..., 1], 1e-3), hidden, cut, there)


def find_people(view: View, model: BoxModel, rng: np.random.Generator) -> PeopleFound:
    """Boxes of people, second boxes too, after suppression."""
    seen = circumstances(view, model.least_seen)
    noise, doubt = _evidence_noise(view, model, rng)
    luck = chain(rng, view.t_ns, (len(view.person_ids),), model.slow_s)
    evidence = expected_evidence(seen, model, luck) + noise
    scores = model.score_ceiling * expit(evidence)
    found = seen.findable & (scores >= model.score_floor)
    boxes = _boxes(view, seen, evidence, model, rng)
    frame, row = np.nonzero(found)
    rows_boxes, rows_scores = boxes[frame, row], scores[frame, row]
    twice = _second_boxes(view, found, boxes, model, rng)
    frame, row = np.concatenate([frame, twice[0]]), np.concatenate([row, twice[1]])
    rows_boxes, rows_scores = np.concatenate([rows_boxes, twice[2]]), np.concatenate([rows_scores, twice[3]])
    keep = (_area(rows_boxes) > 1.0) & (rows_scores >= model.score_floor)
    keep[keep] = unsuppressed(frame[keep], rows_boxes[keep], rows_scores[keep], model.merge_iou)
    order = np.flatnonzero(keep)
    order = order[np.lexsort((row[order], -rows_scores[order], frame[order]))]
    return PeopleFound(frame[order], row[order], rows_boxes[order], rows_scores[order], doubt)


def expected_evidence(
    seen: Circumstances, model: BoxModel, luck: Float[Array, "F N"] | None = None
) -> Float[Array, "F N"]:
    """The part of the evidence that circumstances explain, and hidden people's luck (which never gains them any)."""
    tall = np.maximum(seen.height_px * model.detector_gain, 1.0)
    small = (model.small_px / tall) ** model.small_power if model.small_px else np.zeros_like(tall)
    loss = model.hidden_loss + (0.0 if luck is None else model.hidden_std * luck)
    hidden = np.maximum(loss, 0.0) * seen.hidden**model.hidden_power
    return np.asarray(model.evidence - small - hidden - model.cut_loss * seen.cut)


def _evidence_noise(
    view: View, model: BoxModel, rng: np.random.Generator
) -> tuple[Float[Array, "F N"], Float[Array, "F N"]]:
    people = (len(view.person_ids),)
    lasting = model.person_std * rng.standard_normal(people, dtype=np.float32)
    slow = model.slow_std * chain(rng, view.t_ns, people, model.slow_s)
    fast = model.fast_std * rng.standard_normal(slow.shape, dtype=np.float32)
    noise = lasting + slow + fast
    spread = np.sqrt(model.person_std**2 + model.slow_std**2 + model.fast_std**2)
    if spread == 0.0:
        return noise, chain(rng, view.t_ns, people, model.slow_s)
    return noise, (-noise / spread).astype(np.float32)


def _boxes(
    view: View, seen: Circumstances, evidence: Float[Array, "F N"], model: BoxModel, rng: np.random.Generator
) -> Float[Array, "F N 4"]:
    box: Array = np.swapaxes(view.box_px, 0, 1).astype(np.float32)
    people = (len(view.person_ids),)
    if model.shrink:
        wish = model.shrink + SHRINK_SPREAD * chain(rng, view.t_ns, people, model.edge_slow_s)
        share = np.where(seen.hidden > HIDDEN_SURELY, np.clip(wish, 0.0, 1.0), 0.0)
        box = box + share[..., None].astype(np.float32) * (visible_box(view) - box)
    outwards = np.array([-1.0, -1.0, 1.0, 1.0], np.float32)
    sides, top, bottom = model.edge_std
    std = seen.height_px[..., None] * np.array([sides, top, sides, bottom])
    std = np.sqrt(std**2 + (model.edge_std_px / model.detector_gain) ** 2)
    missing = np.maximum(model.evidence - evidence, 0.0)
    widen = model.edge_tail * chain(rng, view.t_ns, people, model.edge_slow_s) + model.edge_doubt * missing
    noise = mixed(rng, view.t_ns, (*people, 4), model.edge_slow_s, 1.0 - model.edge_slow_share)
    along = np.float32(model.side_correlation)
    noise[..., 2] = along * noise[..., 0] + np.sqrt(np.float32(1.0) - along**2) * noise[..., 2]
    bias = seen.height_px[..., None] * np.array(model.edge_bias)[[0, 1, 0, 2]]
    far = noise * np.exp(np.minimum(widen, 2.0))[..., None]
    out = bias + std * np.clip(far, -EDGE_LIMIT, EDGE_LIMIT)
    wide = np.maximum(box[..., 2] - box[..., 0], np.float32(1.0))
    wider = out[..., 0] + out[..., 2]
    kept = wide * np.expm1(np.clip(wider / wide, -WIDTH_LIMIT, WIDTH_LIMIT)) - wider
    out[..., [0, 2]] += 0.5 * kept[..., None]  # a width changes by a factor: noise never folds a box up
    return clip_to_picture((box + out * outwards).astype(np.float32), view.camera.size_px)


def visible_box(view: View) -> Float[Array, "F N 4"]:
    """The box round what shows: keypoints that are not behind others, with the whole box's own margins.

    A person of whom no keypoint shows keeps the whole box.
    """
    points = np.swapaxes(view.keypoints_px, 0, 1)
    shows = np.swapaxes(view.visibility, 0, 1)
    shows = ((shows == Visibility.VISIBLE) | (shows == Visibility.SELF_OCCLUDED))[..., None]
    box = np.swapaxes(view.box_px, 0, 1)
    far = np.float32(np.inf)
    known = np.isfinite(points)
    low = np.where(known, points, far).min(axis=2), np.where(known & shows, points, far).min(axis=2)
    high = np.where(known, points, -far).max(axis=2), np.where(known & shows, points, -far).max(axis=2)
    with np.errstate(invalid="ignore"):
        moved = np.concatenate([low[1] - low[0], high[1] - high[0]], axis=-1)
    return np.asarray(box + np.where(np.isfinite(moved), moved, 0.0))


def _second_boxes(
    view: View,
    found: Bool[Array, "F N"],
    boxes: Float[Array, "F N 4"],
    model: BoxModel,
    rng: np.random.Generator,
) -> tuple[Array, Array, Array, Array]:
    """Frame, row, box, score: half of them the upper part of the person, the others taller than the person."""
    people = (len(view.person_ids),)
    chance = np.full(found.shape, model.double_rate, np.float32)
    on = found & switches(rng, view.t_ns, chance, model.double_s)
    kind = chain(rng, view.t_ns, people, 2.0 * model.double_s)
    size = chain(rng, view.t_ns, people, model.double_s)
    z = mixed(rng, view.t_ns, people, model.double_s, 0.3)
    frame, row = np.nonzero(on)
    box = boxes[frame, row].copy()
    iou = np.clip(model.double_iou + 0.08 * size[frame, row], 0.15, 0.95)
    tall = box[:, 3] - box[:, 1]
    upper = kind[frame, row] > 0.0
    box[:, 3] = np.where(upper, box[:, 1] + iou * tall, box[:, 3])
    box[:, 1] = np.where(upper, box[:, 1], box[:, 3] - tall / iou)
    scores = quantile_of(z[frame, row], LEVELS, np.asarray(model.double_score))
    return frame, row, clip_to_picture(box, view.camera.size_px), scores


def unsuppressed(
    frame: Int[Array, "R"], boxes: Float[Array, "R 4"], scores: Float[Array, "R"], merge_iou: float
) -> Bool[Array, "R"]:
    """Rows that no stronger box of the same frame overlaps by more than `merge_iou`."""
    keep = np.ones(len(frame), bool)
    if merge_iou >= 1.0:
        return keep
    i, j, iou = overlapping_pairs(frame, boxes)
    close = iou > merge_iou
    weaker = np.where(scores[i] < scores[j], i, j)
    keep[weaker[close]] = False
    return keep


def overlapping_pairs(
    frame: Int[Array, "R"], boxes: Float[Array, "R 4"]
) -> tuple[Int[Array, "M"], Int[Array, "M"], Float[Array, "M"]]:
    """All pairs of rows of the same frame whose boxes touch, and their intersection over union.

    Rows sorted by frame and left edge: the k-th successor of a row can only touch it while its left edge lies
    before the row's right edge, so each pass over k looks at fewer rows.
    """
    order = np.lexsort((boxes[:, 0], frame))
    f, b = frame[order], boxes[order].astype(np.float64)
    first = np.arange(len(order))
    parts: list[tuple[Array, Array, Array]] = []
    k = 0
    while len(first):
        k += 1
        first = first[first + k < len(order)]
        second = first + k
        near = (f[first] == f[second]) & (b[second, 0] < b[first, 2])
        first, second = first[near], second[near]
        iou = _iou(b[first], b[second])
        touch = iou > 0.0
        parts.append((order[first[touch]], order[second[touch]], iou[touch]))
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    return (
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
    )


def clip_to_picture(boxes: Float[Array, "*batch 4"], size_px: tuple[int, int]) -> Float[Array, "*batch 4"]:
    """The part inside the picture; empty boxes stay empty."""
    high = np.array([*size_px, *size_px], np.float32)
    return np.asarray(np.clip(boxes, np.float32(0.0), high))


def _area(boxes: Float[Array, "*batch 4"]) -> Float[Array, "*batch"]:
    return np.asarray(np.prod(np.maximum(boxes[..., 2:] - boxes[..., :2], 0.0), axis=-1))


def _iou(a: Float[Array, "M 4"], b: Float[Array, "M 4"]) -> Float[Array, "M"]:
    inner = np.prod(np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0), axis=1)
    return np.asarray(inner / np.maximum(_area(a) + _area(b) - inner, 1e-9))
