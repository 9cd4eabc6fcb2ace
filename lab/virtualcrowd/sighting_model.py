"""How a detector and a pose network see people: every parameter with its unit, fitted or set by hand.

Three parts, one record each: boxes of people (`BoxModel`), boxes of nobody (`FalseBoxModel`), keypoints
(`KeypointModel`). `SightingModel()` has no noise at all and gives the truth; `SightingModel.fitted()` is what
`fit_sightings` measured of the real networks. The equations stand in the files that draw from them.
"""

from __future__ import annotations

import json
from importlib.resources import files
from itertools import pairwise
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator

from ...kernels.errors import CrowdstreamError
from ...kernels.settings import StageConfig

STATES = ("visible", "self_occluded", "occluded", "outside")
"""Of a keypoint; rows of every table by state."""
LEVELS = (0.01, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85, 0.95, 0.99)
"""Where quantiles are stored."""
FITTED = ("tinypose_128", "tinypose_256")
"""Committed fits: RTMDet-nano with PP-TinyPose at either crop size."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(ge=0.0)]
Joints = tuple[Positive, ...]
Quantiles = tuple[Share, ...]


class SightingModelError(CrowdstreamError):
    """A stored model that is missing, or not of this version's layout."""


class BoxModel(StageConfig):
    """Which people get a box, where it lies and how sure it is (`sighting_boxes`)."""

    score_floor: Share = 0.1
    """Boxes that score less are not output."""
    score_ceiling: Share = 0.9
    """Score of a person seen beyond doubt."""
    evidence: float = 20.0
    """Logit of score / ceiling for a large person in full view; 20: never missed."""
    detector_gain: float = Field(default=1.0, gt=0.0)
    """Pixels of the detector's input per pixel of the picture: 0.75 when 720p is shrunk to 960; 1 with tiles."""
    small_px: Positive = 0.0
    """Height in the detector's input, px, at which smallness has cost one unit of evidence."""
    small_power: Positive = 2.0
    """Evidence lost to smallness is (small_px / height)^power."""
    hidden_loss: Positive = 0.0
    """Evidence lost when others hide all of a person, logit units."""
    hidden_power: float = Field(default=1.0, gt=0.0)
    """Power of the hidden share it grows with: under 1, the first part hidden costs most."""
    hidden_std: Positive = 0.0
    """Slow spread of that loss for a wholly hidden person, logit units: some stay found, some are gone at once."""
    cut_loss: Positive = 0.0
    """Evidence lost per share of the box beyond the picture's border, logit units."""
    least_seen: Share = 0.02
    """Nobody is found who shows less than this share of the body."""
    person_std: Positive = 0.0
    """Spread of evidence from person to person (clothes, build), logit units; lasts for the clip."""
    slow_std: Positive = 0.0
    """Spread that comes and goes (background, pose), logit units."""
    slow_s: Positive = 1.0
    """How long it stays: time after which its correlation has fallen to 1/e, s."""
    fast_std: Positive = 0.0
    """Spread from frame to frame, logit units."""
    merge_iou: Share = 1.0
    """Of two boxes that overlap by more the weaker one is lost (the network's own suppression)."""
    edge_std: tuple[Positive, Positive, Positive] = (0.0, 0.0, 0.0)
    """Standard deviation of the sides (left and right), top and bottom edge, share of the box height."""
    edge_std_px: Positive = 0.0
    """Floor of the same in pixels of the detector's input."""
    edge_bias: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Mean shift outwards of sides, top and bottom, share of the box height."""
    side_correlation: float = Field(default=0.0, ge=-1.0, le=1.0)
    """Of the left edge's way outwards with the right one's: below 0, boxes move more than they widen."""
    edge_slow_share: Share = 0.0
    """Share of the edges' variance that is slow."""
    edge_slow_s: Positive = 1.0
    """Its correlation time, s."""
    edge_tail: Positive = 0.0
    """Spread of the logarithm of the edges' standard deviation, from box to box: 0 is Gaussian."""
    edge_doubt: float = 0.0
    """Growth of the logarithm of the edges' standard deviation per unit of evidence missing (logit units)."""
    shrink: Share = 0.0
    """How far the box of a partly hidden person goes from the whole body to the visible part."""
    double_rate: Share = 0.0
    """Share of found people with a second box on them."""
    double_s: Positive = 0.5
    """How long a second box stays, s."""
    double_score: Quantiles = (0.3,) * len(LEVELS)
    """Scores of second boxes at LEVELS."""
    double_iou: Share = 0.45
    """Overlap of a second box with the first, on average."""


class FalseKind(StageConfig):
    """One kind of boxes where nobody is."""

    score: Quantiles = (0.15,) * len(LEVELS)
    """Scores at LEVELS."""
    height_ratio: float = Field(default=0.7, gt=0.0)
    """Median height over that of a person of 1.75 m who stands there."""
    height_log_std: Positive = 0.5
    """Spread of the logarithm of that."""
    aspect: float = Field(default=0.45, gt=0.0)
    """Median of width over height."""
    confidence: Quantiles = (0.2,) * len(LEVELS)
    """Mean confidence of the keypoints found there at LEVELS."""


class FalseBoxModel(StageConfig):
    """Boxes where nobody is (`sighting_false`): things at fixed places, and what looks like people anywhere."""

    per_frame: Positive = 0.0
    """Mean number in a frame without people, over the floor of the score; where somebody is, there is none."""
    places: int = Field(default=8, ge=1)
    """Fixed places of the picture where they come up again and again."""
    place_share: Share = 0.5
    """Share of them at fixed places; the others lie anywhere."""
    stay_s: Positive = 0.5
    """Mean time one stays, s."""
    memory_s: Positive = 0.5
    """Memory of scores, confidences and sides at one place, s."""
    lasting: Share = 0.5
    """Share of the variance of confidences and heights that belongs to the place and never changes."""
    at_places: FalseKind = FalseKind()
    """Signs, shadows, benches."""
    anywhere: FalseKind = FalseKind()
    """What comes up only once in a place."""


def _table(value: float) -> tuple[tuple[float, ...], ...]:
    return tuple((value,) * 17 for _ in STATES)


class KeypointModel(StageConfig):
    """Where the keypoints of a found person lie and how sure they look (`sighting_keypoints`)."""

    std: tuple[Joints, ...] = _table(0.0)
    """[state][joint]: median size of the error per axis, share of the person's height in the picture."""
    std_px: Positive = 0.0
    """Added in squares: error per axis in pixels that no picture size takes away."""
    log_std: tuple[Positive, ...] = (0.0,) * len(STATES)
    """[state]: spread of the logarithm of the error's size (tails): difficulty comes and goes."""
    difficulty_person: Share = 0.0
    """Share of the difficulty's variance that all joints of a person have in common."""
    difficulty_fast: Share = 0.0
    """Share of it that is new in each frame."""
    difficulty_s: Positive = 1.0
    """Correlation time of the rest, s."""
    error_fast: Share = 0.0
    """Share of the error's variance that is new in each frame."""
    error_s: Positive = 1.0
    """Correlation time of the rest, s."""
    bias: tuple[tuple[float, float, float], ...] = ((0.0, 0.0, 0.0),) * 17
    """[joint]: where the network puts the joint, in units of the person's own projected axes: right hip to left
    hip, hips to shoulders, ears to nose."""
    swap_per_s: tuple[Positive, Positive, Positive] = (0.0, 0.0, 0.0)
    """How often left and right are exchanged of the legs, of the arms, of everything, 1/s."""
    swap_s: tuple[Positive, Positive, Positive] = (0.1, 0.1, 0.1)
    """How long it lasts on average, s."""
    swap_behind: Positive = 1.0
    """How many times more often when the person is seen from behind."""
    swap_small: Positive = 0.0
    """Power of 100 px / height with which swaps become more frequent."""
    jump: Share = 0.0
    """Chance that a joint hidden by another person is put on that person's same joint."""
    jump_s: Positive = 0.5
    """How long it stays there, s."""
    stay_in_crop: bool = False
    """Keypoints cannot leave the crop: the box, grown to 3:4 and by a quarter (heatmap networks)."""
    confidence: tuple[tuple[Quantiles, ...], ...] = tuple(((1.0,) * len(LEVELS),) * 17 for _ in STATES)
    """[state][joint]: confidence at LEVELS for a person `confidence_at_px` tall."""
    confidence_at_px: float = Field(default=100.0, gt=0.0)
    """Height the table belongs to."""
    confidence_octave: float = 0.0
    """Shift of confidence per doubling of the height, in standard deviations."""
    honesty: tuple[Share, ...] = (0.0,) * len(STATES)
    """[state]: correlation of low confidence with difficulty; 0 tells nothing, 1 all."""
    unsure_growth: Positive = 0.0
    """Growth of the logarithm of the error per standard deviation of confidence below -1: a joint that is given up."""
    score_honesty: Share = 0.0
    """Correlation of a person's difficulty with the detector's doubt."""
    confidence_person: Share = 0.0
    """Share of the rest of the confidence's variance that all joints of a person have in common."""
    confidence_fast: Share = 0.0
    """Share of the rest of the confidence's variance that is new in each frame."""
    confidence_s: Positive = 1.0
    """Correlation time of that rest, s."""
    wrong_shift: float = 0.0
    """Shift of confidence of swapped or jumped joints, in standard deviations (negative: less sure)."""

    @field_validator("std")
    @classmethod
    def _full_std(cls, value: tuple[Joints, ...]) -> tuple[Joints, ...]:
        if [len(row) for row in value] != [17] * len(STATES):
            raise ValueError(f"expected {len(STATES)} rows of 17, got {[len(row) for row in value]}")
        return value

    @field_validator("confidence")
    @classmethod
    def _rising(cls, value: tuple[tuple[Quantiles, ...], ...]) -> tuple[tuple[Quantiles, ...], ...]:
        for row in value:
            for levels in row:
                if len(levels) != len(LEVELS) or any(b < a for a, b in pairwise(levels)):
                    raise ValueError(f"expected {len(LEVELS)} rising quantiles, got {levels}")
        if [len(row) for row in value] != [17] * len(STATES):
            raise ValueError(f"expected {len(STATES)} rows of 17, got {[len(row) for row in value]}")
        return value


class SightingModel(StageConfig):
    """A detector and a pose network. Without settings: exact, never misses, never errs."""

    boxes: BoxModel = BoxModel()
    """Boxes of people."""
    false_boxes: FalseBoxModel = FalseBoxModel()
    """Boxes of nobody."""
    keypoints: KeypointModel = KeypointModel()
    """Keypoints of either."""

    @classmethod
    def fitted(cls, name: str = "tinypose_128") -> SightingModel:
        """What `fit_sightings` measured: one of `FITTED`.

        Raises:
            SightingModelError: no such model, or a file of another layout.
        """
        if name not in FITTED:
            raise SightingModelError(f"no fitted sightings {name!r}; there are {', '.join(FITTED)}")
        return read_model(files(__package__).joinpath(f"sightings_{name}.json").read_text("utf-8"))


def read_model(text: str) -> SightingModel:
    """From the JSON that `fit_sightings` writes.

    Raises:
        SightingModelError: not that JSON.
    """
    try:
        data: dict[str, Any] = json.loads(text)
        return SightingModel.model_validate(data["model"])
    except (KeyError, TypeError, ValueError, ValidationError) as exc:
        raise SightingModelError(
            f"not a sighting model of this version ({type(exc).__name__}: {str(exc)[:200]}); run fit_sightings again"
        ) from exc
