"""An engine's bodies as one side of a comparison: windows merged, on the truth's slots, in the truth's world.

The engine's timeline is anchored at its first frame, the truth's at slot 0 of the crowd; between them values are taken
linearly in time (they agree to the nanosecond for a camera that starts with the crowd). Worlds are brought
together by the camera, the one thing that both know:

    x_true = E_true^-1 (E_found x_found)            E: world -> camera axes

which is the identity where the engine was given the camera, and has nothing fitted where it found its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ...kernels.body.data import BodyData
from ...kernels.camera import CameraModel
from ...kernels.metrics.alignment import Similarity
from ...kernels.metrics.matching import match_people, matched_rows
from ...kernels.metrics.people import People
from ...kernels.solve.problem import MODEL_RATE_HZ, Provenance, WindowSolution
from ...stream.export.merge import merge_windows
from .bodies import Posed, pose_bodies
from .truth import MIN_INSIDE, Truth, inside_share

Array = np.ndarray

_SLOT_NS = 1e9 / MODEL_RATE_HZ
_SAME_NS = 100_000
"""Times this close are one: containers round theirs."""


def world_motion(found: CameraModel, true: CameraModel) -> Similarity:
    """From the world of the camera that was found into that of the true one."""
    R = true.R_cam_world.T @ found.R_cam_world
    return Similarity(np.ones(()), R, true.R_cam_world.T @ (found.t_cam_world_m - true.t_cam_world_m))


@dataclass(frozen=True)
class Track:
    """Merged bodies on the engine's own slots: N people, S slots."""

    t_ns: Int[Array, "S"]
    """Rising; steps of a slot but for clock jumps."""
    person_ids: Int[Array, "N"]
    provenance: UInt8[Array, "N S"]
    """ABSENT where there is no body."""
    rows: tuple[Int[Array, "M"], Int[Array, "M"]]
    """Person row and slot of the M bodies that there are."""
    posed: Posed
    """Of these bodies."""
    ground_m: Float[Array, "M 3"]


def merged(windows: Iterable[WindowSolution], body: BodyData, camera: CameraModel) -> Track:
    """The final motion of all windows, as an export writes it, before its own camera.

    Args:
        windows: ordered by first slot.
        camera: that the engine solved with.
    """
    chunks = list(merge_windows(windows))
    if not chunks:
        return _nobody(body)
    ids = np.unique(np.concatenate([chunk.person_ids for chunk in chunks]))
    t_ns = np.concatenate([chunk.t_ns for chunk in chunks])
    starts = np.cumsum([0, *(len(chunk.t_ns) for chunk in chunks)])
    provenance = np.zeros((len(ids), len(t_ns)), np.uint8)
    parts = []
    for chunk, start in zip(chunks, starts, strict=False):
        who = np.searchsorted(ids, chunk.person_ids)
        provenance[who, start : start + len(chunk.t_ns)] = chunk.provenance
        row, slot = np.nonzero(chunk.provenance != Provenance.ABSENT)
        posed = pose_bodies(
            body, camera, chunk.pose_rotvec[row, slot], chunk.betas[row], chunk.transl_m[row, slot],
            chunk.joints_m[row, slot],
        )  # fmt: skip
        parts.append((who[row], slot + start, posed, chunk.ground_m[row, slot]))
    joined = Posed(*(np.concatenate([getattr(p[2], k) for p in parts]) for k in Posed.__annotations__))
    rows = (np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))
    return Track(t_ns, ids, provenance, rows, joined, np.concatenate([p[3] for p in parts]))


def people_at(
    track: Track, t_ns: Int[Array, "F"], true_camera: CameraModel, motion: Similarity | None = None
) -> People:
    """The bodies on other slots and in another world.

    Args:
        t_ns: slots of the truth.
        true_camera: of the truth's world; sets depth axis and centre.
        motion: from the engine's world into the truth's; None for the same.
    """
    n, f = len(track.person_ids), len(t_ns)
    before, after, share, near = _neighbours(track.t_ns, t_ns)
    there = np.zeros(track.provenance.shape, bool)
    there[track.rows] = True
    present = there[:, before] & there[:, after] & near if len(track.t_ns) else np.zeros((n, f), bool)
    index = np.zeros(track.provenance.shape, np.int64)
    index[track.rows] = np.arange(len(track.rows[0]))
    row, slot = np.nonzero(present)
    a, b = index[row, before[slot]], index[row, after[slot]]
    part = share[slot]

    def mix(values: Array, moved: bool) -> Array:
        wide = part.reshape(-1, *(1,) * (values.ndim - 1))
        blend = (1.0 - wide) * values[a] + wide * values[b]
        out = np.zeros((n, f, *values.shape[1:]))
        out[row, slot] = motion.apply(blend) if moved and motion is not None else blend
        return out

    provenance = np.zeros((n, f), np.uint8)
    closer = np.where(share < 0.5, before, after)
    if len(track.t_ns):
        provenance = np.where(present, track.provenance[:, closer], 0).astype(np.uint8)
    return People(
        rate_hz=MODEL_RATE_HZ, person_ids=track.person_ids, present=present,
        joints_m=mix(track.posed.joints_m, True), ground_m=mix(track.ground_m, True),
        depth_axis=true_camera.R_cam_world[2].copy(), centre_m=true_camera.centre_world_m,
        box_px=mix(track.posed.box_px, False), keypoints_px=mix(track.posed.keypoints_px, False),
        soles_m=mix(track.posed.soles_m, True), provenance=provenance,
    )  # fmt: skip


def moved(people: People, motion: Similarity) -> People:
    """The same people in another world; pixels stay."""
    return replace(
        people,
        joints_m=motion.apply(people.joints_m),
        ground_m=motion.apply(people.ground_m),
        soles_m=motion.apply(people.soles_m),
    )


def only_present(people: People, keep: Bool[Array, "N F"]) -> People:
    """Fewer person-frames; people without any left go."""
    present = people.present & keep
    rows = np.flatnonzero(present.any(axis=1))
    per_person = ("person_ids", "joints_m", "ground_m", "box_px", "keypoints_px", "visible", "soles_m",
                  "provenance")  # fmt: skip
    kept = {name: getattr(people, name) for name in per_person}
    kept = {name: value[rows] if len(value) else value for name, value in kept.items()}  # some are not given
    return replace(people, present=present[rows], **kept)


def _neighbours(
    times: Int[Array, "S"], wanted: Int[Array, "F"]
) -> tuple[Int[Array, "F"], Int[Array, "F"], Float[Array, "F"], Bool[Array, "F"]]:
    """Slots before and after each wanted time, the share of the later one, and whether both are near enough."""
    if len(times) == 0:
        none = np.zeros(len(wanted), np.int64)
        return none, none, none.astype(np.float64), none.astype(bool)
    after = np.clip(np.searchsorted(times, wanted - _SAME_NS), 0, len(times) - 1)
    same = np.abs(times[after] - wanted) <= _SAME_NS
    before = np.where(same, after, np.maximum(after - 1, 0))
    span = np.maximum(times[after] - times[before], 1)
    share = np.where(same, 0.0, (wanted - times[before]) / span)
    near = same | ((share >= 0.0) & (share <= 1.0) & (span <= 1.5 * _SLOT_NS))
    return before, after, np.clip(share, 0.0, 1.0), near


def _nobody(body: BodyData) -> Track:
    zero = np.zeros(0, np.int64)
    posed = Posed(
        np.zeros((0, 24, 3), np.float32), np.zeros((0, 17, 2), np.float32), np.zeros((0, 4), np.float32),
        np.zeros((0, len(body.sole_vertices), 3), np.float32),
    )  # fmt: skip
    return Track(zero, zero, np.zeros((0, 0), np.uint8), (zero, zero), posed, np.zeros((0, 3)))


def judged(predicted: People, truth: Truth) -> People:
    """The predicted person-frames that count as right or wrong.

    Dropped are those that are somebody out of view (they match a person who is ignored) and those that match
    nobody and lie out of view themselves, by the rule that holds for the truth.
    """
    everybody = replace(truth.people, present=truth.here)
    matches = match_people(predicted, everybody)
    person, frame, row = matched_rows(matches)
    matched = np.zeros(predicted.present.shape, bool)
    matched[row, frame] = True
    ignored = np.zeros(predicted.present.shape, bool)
    ignored[row, frame] = truth.out_of_view[person, frame]
    outside = inside_share(predicted.box_px, truth.people.size_px) < MIN_INSIDE
    return only_present(predicted, ~ignored & (matched | ~outside))
