"""All figures of one comparison: both profiles, everybody and the occluded, identity, streaming, speed.

The profiles are never mixed: each matches by its own rule, and stands under its own key.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...kernels.body.data import BodyData
from ...kernels.metrics.alignment import Similarity, fit_similarity
from ...kernels.metrics.author import score_author
from ...kernels.metrics.corrected import score_corrected
from ...kernels.metrics.matching import Matches, match_author, match_people, matched_rows
from ...kernels.metrics.people import People
from ...kernels.metrics.placement import torso_centres
from ...kernels.metrics.selection import occluded
from ..virtualcrowd.sightings import Sightings
from ..virtualcrowd.truth import CrowdMotion, View
from .breakdown import breakdown
from .camera_frames import identity_of, tracked_rows, truth_rows
from .errors import EvaluateError
from .long_occlusions import long_occlusions
from .predicted import judged, merged, moved, people_at, world_motion
from .published import Published
from .refinement import refined_of
from .stages import person_frames_of
from .truth import Truth, truth_of
from .versions import streaming_of

Array = np.ndarray


@dataclass(frozen=True)
class Comparison:
    """Both sides, ready to be scored."""

    truth: Truth
    predicted: People
    """In the truth's world, on its slots; only person-frames that are judged."""
    matches: Matches
    """Of profile `corrected`."""


def compare(
    published: Published, motion: CrowdMotion, view: View, body: BodyData, seconds: float | None = None
) -> Comparison:
    """Merge what was published, and match it to the truth.

    Raises:
        EvaluateError: motion and view are not of one crowd.
    """
    truth = truth_of(motion, view, body, seconds)
    world = world_of(published, view)
    camera = view.camera if published.calibration is None else published.calibration.camera
    found = people_at(merged(published.solutions(), body, camera), truth.t_ns, view.camera, world)
    predicted = judged(found, truth)
    return Comparison(truth, predicted, match_people(predicted, truth.people))


def world_of(published: Published, view: View) -> Similarity | None:
    """From the engine's world into the truth's; None where they are one."""
    if published.calibration is None or published.given_calibration:
        return None
    return world_motion(published.calibration.camera, view.camera)


def accuracy(compared: Comparison) -> dict[str, Any]:
    """`author`, `corrected`, and the same of the `occluded` and the `hidden` alone."""
    predicted, truth = compared.predicted, compared.truth.people
    by_author = match_author(predicted, truth)
    out: dict[str, Any] = {
        "author": score_author(predicted, truth, matches=by_author).as_dict(),
        "corrected": score_corrected(predicted, truth, matches=compared.matches).as_dict(),
    }
    for name, chosen in (("occluded", occluded(truth)), ("hidden", compared.truth.hidden)):
        out[name] = {
            "author": score_author(predicted, truth, chosen, by_author).as_dict(),
            "corrected": score_corrected(predicted, truth, select=chosen, matches=compared.matches).as_dict(),
        }
    return out


def aligned(compared: Comparison) -> tuple[Similarity, dict[str, Any]]:
    """The one similarity that brings all matched torsos onto the true ones, and `corrected` after it.

    What is left of an error then is not the self-calibration's scale, tilt and place. Three matches at least.
    """
    predicted, truth = compared.predicted, compared.truth.people
    person, frame, row = matched_rows(compared.matches)
    if len(person) < 3:
        return Similarity(np.ones(()), np.eye(3), np.zeros(3)), {}
    fit = fit_similarity(
        torso_centres(predicted.joints_m[row, frame]), torso_centres(truth.joints_m[person, frame])
    )
    return fit, score_corrected(moved(predicted, fit), truth, matches=compared.matches).as_dict()


def calibration_errors(published: Published, view: View) -> dict[str, Any]:
    """How far a self-calibration is from the truth: focal length, tilt of the ground, camera height."""
    found = published.calibration
    if found is None:
        return {"origin": "none"}
    if published.given_calibration:
        return {"origin": "given"}
    true, got = view.camera, found.camera
    plane, given = found.ground.planes[0], view.ground.planes[0]
    up = got.R_cam_world @ plane.normal, true.R_cam_world @ given.normal
    height = found.camera_height_m, float(given.height_m(true.centre_world_m))
    return {
        "origin": found.origin,
        "focal_error_share": float(got.K[0, 0] / true.K[0, 0] - 1.0),
        "tilt_deg": float(np.degrees(np.arccos(np.clip(up[0] @ up[1], -1.0, 1.0)))),
        "height_error_share": height[0] / height[1] - 1.0,
    }


def score_crowd(
    published: Published,
    motion: CrowdMotion,
    view: View,
    body: BodyData,
    seconds: float | None = None,
    sightings: Sightings | None = None,
    keep: Callable[[Comparison], None] | None = None,
) -> dict[str, Any]:
    """The figures of a crowd: every key of the report but `about` and `run`.

    Args:
        sightings: what the engine was given, with who it was of, where that is known.
        keep: given both sides, for whoever compares runs.

    Raises:
        EvaluateError: truth and result have nothing in common to compare.
    """
    compared = compare(published, motion, view, body, seconds)
    if compared.truth.people.num_person_frames == 0:
        raise EvaluateError(
            f"nobody of the crowd is in the picture of camera {view.name!r}; nothing to be found"
        )
    if keep is not None:
        keep(compared)
    frames = int(np.searchsorted(view.t_ns, compared.truth.t_ns[-1] + 1_000_000, side="right"))
    rows, ignored = truth_rows(motion, view, frames)
    world = world_of(published, view)
    results = accuracy(compared)
    results["identity"] = identity_of(
        tracked_rows(published.final_frames(), view.t_ns[:frames], world), rows, ignored
    )
    results["identity"]["live"] = identity_of(
        tracked_rows([v.tracked for v in published.live], view.t_ns[:frames], world), rows, ignored
    )
    results["streaming"], curves = streaming_of(
        published, compared.truth, compared.predicted, compared.matches, world, frames
    )
    results["refined"] = refined_of(published)
    results["long_occlusions"] = long_occlusions(
        published, view, compared.truth, compared.predicted, body, sightings, world
    )
    results["speed"] = speed_of(published)
    results["calibration"] = calibration_errors(published, view)
    if world is not None:
        fit, scores = aligned(compared)
        results["calibration"]["scale"] = float(fit.scale)
        results["corrected_aligned"] = scores
    results["counts"] = {
        **compared.truth.counts(),
        "camera_frames": frames,
        "predicted_people": len(compared.predicted.person_ids),
        "predicted_person_frames": compared.predicted.num_person_frames,
        "failed_solves": published.failed,
        "drops": dict(published.drops),
    }
    results["plots"] = {**breakdown(compared.predicted, compared.truth.people, compared.matches), **curves}
    return results


def speed_of(published: Published) -> dict[str, Any]:
    """How fast the stages were: processor time of one core each, without networks."""
    if not published.seconds:
        return {}
    bodies = person_frames_of(published)
    spent = sum(value for name, value in published.seconds.items() if name != "refine")  # nobody waits for it
    times = [v.tracked.t_capture_ns for v in published.live]
    captured_s = (max(times) - min(times)) / 1e9 if len(times) > 1 else 0.0
    return {
        "person_frames": bodies,
        "person_frames_per_s": bodies / spent if spent > 0 else None,
        "solve_person_frames_per_s": bodies / published.seconds["solve"]
        if published.seconds["solve"] > 0
        else None,
        "tracking_frames_per_s": len(times) / published.seconds["tracking"]
        if published.seconds["tracking"] > 0
        else None,
        "processor_s": {name: round(value, 3) for name, value in published.seconds.items()},
        "captured_s": captured_s,
        "times_real_time": captured_s / spent if spent > 0 else None,
    }
