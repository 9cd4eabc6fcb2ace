"""Our truth in the layout of the paper's own files, as far as that layout is known.

Known: names and leading sizes of track_flag, thetas, trans, betas, xscale_factor, det_j2ds and its flags, the ground
plane, K and cam2prior. Guessed, and so here by our own choice: bodies stand in the camera's axes (there is one K and
no camera pose), joints are COCO-17 with a confidence, the plane is (a, b, c, d) with a x + b y + c z + d = 0, and the
prior's frame of a person is z up, on the ground under their first root, facing +y. world2aligned is left out: nothing
says what aligned is. See docs/virtualcrowd.md.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from ...kernels.rotation import rotmat_to_rotvec_np, rotvec_to_rotmat_np
from ...stream.body_files import load_body
from .arrays_file import CrowdFolderError, write_arrays
from .sightings import Sightings
from .store import Crowd
from .truth import CrowdMotion, View, Visibility
from .view import pose_crowd

Array = np.ndarray

_PAPER_CODES = np.array([0.0, 0.0, 0.5, 1.0], np.float32)
"""Its visibility codes of our `Visibility`: outside or hidden by others 0, by the own body 0.5, visible 1."""


def export_paper_layout(crowd: Crowd, name: str, path: Path) -> None:
    """Write one camera's truth as an npz; T frames of the camera, N people.

    Detections are the crowd's simulated sightings where there are any, else the projected truth.

    Raises:
        CrowdFolderError: no such camera, or the file cannot be written.
    """
    view = crowd.view(name)
    try:
        sightings = crowd.sightings(name)
    except CrowdFolderError:
        sightings = None
    write_arrays(Path(path), paper_arrays(crowd.motion, view, sightings))


def paper_arrays(motion: CrowdMotion, view: View, sightings: Sightings | None) -> dict[str, Array]:
    """The arrays of `export_paper_layout`."""
    posed = pose_crowd(motion, view.t_ns)
    R, t = view.camera.R_cam_world, view.camera.t_cam_world_m
    rest_root = load_body().joints_m(motion.betas.astype(np.float64))[:, 0]
    turned = R @ rotvec_to_rotmat_np(posed.pose_rotvec[:, :, 0])
    thetas = posed.pose_rotvec.copy()
    thetas[:, :, 0] = rotmat_to_rotvec_np(turned)
    root = posed.joints_m[:, :, 0] @ R.T + t
    present = posed.present
    plane = view.ground.planes[0]
    normal_cam = R @ plane.normal
    joints, found = _detections(view, sightings)
    prior_R, prior_t = _prior_frames(
        motion, view, posed.joints_m[:, :, 0], posed.rotmats_world[:, :, 0], present
    )
    n = len(motion.person_ids)
    return {
        "track_flag": present.T.astype(np.uint8),
        "thetas": _frame_first(np.where(present[..., None, None], thetas, 0.0).reshape(n, -1, 72)),
        "trans": _frame_first(np.where(present[..., None], root - rest_root[:, None], 0.0)),
        "betas": motion.betas.astype(np.float32),
        "xscale_factor": np.zeros(n, np.float32),  # scale 1.1^x: our bodies carry their size in betas
        "det_j2ds": joints,
        "det_flag": found,
        "visibility": _PAPER_CODES[view.visibility].transpose(1, 0, 2),
        "ground_plane": np.append(normal_cam, -(plane.offset_m + normal_cam @ t)),
        "K": view.camera.K.astype(np.float64),
        "cam2prior_R": prior_R,
        "cam2prior_t": prior_t,
        "person_ids": motion.person_ids.astype(np.int64),
        "t_ns": view.t_ns.astype(np.int64),
    }  # fmt: skip


def _frame_first(values: Float[Array, "N T D"]) -> Float[Array, "T N D"]:
    return values.transpose(1, 0, 2).astype(np.float32)


def _detections(
    view: View, sightings: Sightings | None
) -> tuple[Float[Array, "T N 17 3"], Bool[Array, "T N"]]:
    """Keypoints with confidence, and whether there are any, frame first."""
    n, f = view.present.shape
    joints = np.zeros((f, n, 17, 3), np.float32)
    found = np.zeros((f, n), np.uint8)
    if sightings is None:
        seen = view.present & (view.visibility != Visibility.OUTSIDE).any(axis=-1)
        joints[..., :2] = np.where(seen[..., None, None], np.nan_to_num(view.keypoints_px), 0.0).transpose(
            1, 0, 2, 3
        )
        joints[..., 2] = np.where(seen[..., None], view.visibility == Visibility.VISIBLE, 0.0).transpose(
            1, 0, 2
        )
        return joints, seen.T.astype(np.uint8)
    row_of = {int(person): row for row, person in enumerate(view.person_ids)}
    for row in np.flatnonzero(sightings.person > 0):
        place = sightings.frame[row], row_of[int(sightings.person[row])]
        joints[place][:, :2] = sightings.keypoints_px[row]
        joints[place][:, 2] = sightings.confidence[row]
        found[place] = 1
    return joints, found


def _prior_frames(
    motion: CrowdMotion, view: View, root_m: Float[Array, "N F 3"], R_root: Float[Array, "N F 3 3"],
    present: Bool[Array, "N F"],
) -> tuple[Float[Array, "N 3 3"], Float[Array, "N 3"]]:  # fmt: skip
    """x_prior = R x_cam + t: z up, origin on the ground under the first root, the first body facing +y."""
    n = len(motion.person_ids)
    first = present.argmax(axis=1)
    rows = np.arange(n)
    ahead = R_root[rows, first] @ np.array([0.0, 0.0, 1.0])
    yaw = np.arctan2(ahead[:, 1], ahead[:, 0])
    turn = 0.5 * np.pi - yaw
    c, s = np.cos(turn), np.sin(turn)
    R_prior_world = np.zeros((n, 3, 3))
    R_prior_world[:, 0, 0], R_prior_world[:, 0, 1] = c, -s
    R_prior_world[:, 1, 0], R_prior_world[:, 1, 1] = s, c
    R_prior_world[:, 2, 2] = 1.0
    origin = root_m[rows, first].copy()
    plane = view.ground.planes[0]
    origin[:, 2] = (plane.offset_m - origin[:, :2] @ plane.normal[:2]) / plane.normal[2]
    camera = view.camera
    R = R_prior_world @ camera.R_cam_world.T
    t = -np.einsum("nij,nj->ni", R_prior_world, origin) - R @ camera.t_cam_world_m
    seen = np.asarray(present.any(axis=1))
    return np.where(seen[:, None, None], R, np.eye(3)), np.where(seen[:, None], t, 0.0)
