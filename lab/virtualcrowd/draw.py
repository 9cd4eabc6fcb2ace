"""Pictures of the truth, to be looked at: joints by visibility and boxes, over the video or over the z-buffer."""

from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from ...kernels.errors import CrowdstreamError
from ...kernels.skeleton import COCO_LIMBS
from .store import Crowd, load_crowd
from .truth import CrowdMotion, View, Visibility
from .view import draw_frame

Array = np.ndarray

COLOURS_BGR = {
    Visibility.OCCLUDED: (60, 60, 255),
    Visibility.SELF_OCCLUDED: (0, 190, 255),
    Visibility.VISIBLE: (80, 230, 60),
}
"""Red: behind somebody or something; amber: behind the own body; green: to be seen."""
PICTURES = 3


def draw_crowd(folder: Path, output: Path, pictures: int = PICTURES) -> list[Path]:
    """Writes some frames of every camera as PNG; returns their paths.

    Raises:
        CrowdstreamError: no crowd there, or the folder cannot be written.
    """
    crowd = load_crowd(folder)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise CrowdstreamError(
            f"cannot write to {output}: {exc.strerror or exc}; give another folder"
        ) from exc
    written = []
    for name in crowd.camera_names:
        view = crowd.view(name)
        chosen = np.unique(np.linspace(0, view.num_frames - 1, pictures + 2)[1:-1].astype(int)).tolist()
        for frame, picture in zip(chosen, backgrounds(crowd, name, chosen), strict=True):
            path = output / f"{name}_{frame:05d}.png"
            cv2.imwrite(str(path), draw_truth(picture, view, frame))
            written.append(path)
    return written


def draw_truth(picture: UInt8[Array, "H W 3"], view: View, frame: int) -> UInt8[Array, "H W 3"]:
    """Skeletons over a picture of the camera's size; limbs are grey, joints coloured by visibility."""
    out = picture.copy()
    for row in np.flatnonzero(view.present[:, frame]):
        points, codes = view.keypoints_px[row, frame], view.visibility[row, frame]
        if not np.isfinite(points).all() or (codes == Visibility.OUTSIDE).all():
            continue
        x1, y1, x2, y2 = (round(float(v)) for v in view.box_px[row, frame])
        cv2.rectangle(out, (x1, y1), (x2, y2), (200, 160, 60), 1)
        at = np.round(points).astype(int)
        for a, b in COCO_LIMBS:
            cv2.line(out, at[a].tolist(), at[b].tolist(), (210, 210, 210), 1, cv2.LINE_AA)
        for joint in range(len(points)):
            if codes[joint] != Visibility.OUTSIDE:
                cv2.circle(out, at[joint].tolist(), 2, COLOURS_BGR[Visibility(codes[joint])], -1, cv2.LINE_AA)
    return out


def backgrounds(crowd: Crowd, name: str, frames: list[int]) -> list[UInt8[Array, "H W 3"]]:
    """The frames of the video where there is one, else silhouettes."""
    path = crowd.video(name)
    view = crowd.view(name)
    if path is None:
        return [_silhouettes(crowd.motion, view, frame) for frame in frames]
    wanted, found = set(frames), {}
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index in wanted:
                found[index] = frame.to_ndarray(format="bgr24")
            if len(found) == len(wanted):
                break
    if len(found) < len(wanted):
        raise CrowdstreamError(f"{path} has fewer frames than the crowd ({view.num_frames}); render it again")
    return [found[frame] for frame in frames]


def _silhouettes(motion: CrowdMotion, view: View, frame: int) -> UInt8[Array, "H W 3"]:
    drawn = draw_frame(motion, view.camera, int(view.t_ns[frame]))
    shade = np.random.default_rng(0).integers(70, 150, (len(motion.person_ids) + 2, 3)).astype(np.uint8)
    shade[-1], shade[-2] = (30, 30, 30), (90, 90, 90)  # nothing, obstacle
    w, h = view.camera.size_px
    return np.asarray(cv2.resize(shade[drawn.ids], (w, h), interpolation=cv2.INTER_NEAREST))
