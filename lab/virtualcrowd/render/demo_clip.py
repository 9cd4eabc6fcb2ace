"""Makes the demonstration clip: ten seconds of a plaza, some thirty people in sight.

    python -m crowdstream.lab.virtualcrowd.render.demo_clip -o demo.mp4 --mocap FOLDER

Beside the clip it can write its truth as a crowd folder, camera included, so that whatever the engine says about
the clip can be checked. Same settings and recordings, same clip.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.progress import Progress as Bar

from ....kernels.camera import CameraModel
from ..behaviour import plan_crowd
from ..config import CrowdConfig
from ..motion import MotionLibrary, animate
from ..scenes import build_scene
from ..store import save_crowd, save_view
from ..timing import frame_times
from ..view import look
from .config import RenderConfig
from .video import RenderReport, render_video

SEED = 1
SIZE_PX = (1280, 720)
SECONDS = 10.0
RATE = "25"
CROWD = CrowdConfig.model_validate({"scene": "plaza", "people": 56, "seconds": SECONDS + 0.2, "seed": SEED})
STYLE = RenderConfig(
    seed=3,
    noise=1.1,
    crf=22,
    preset="medium",
    sun_elevation_deg=41.0,
    sun_azimuth_deg=-142.0,
    carried_share=0.35,
)
_EYE_M = (22.0, -25.0, 6.0)
_YAW_DEG = 35.0
"""Counter-clockwise from +y."""
_DOWN_DEG = 15.0
_FOCAL_PX = 1250.0


def demo_camera() -> CameraModel:
    """On a pole 6 m high at a corner of the plaza, looking across it."""
    down, yaw = np.radians(_DOWN_DEG), np.radians(_YAW_DEG)
    ahead = np.array([-np.sin(yaw) * np.cos(down), np.cos(yaw) * np.cos(down), -np.sin(down)])
    right = np.array([np.cos(yaw), np.sin(yaw), 0.0])
    R = np.stack([right, np.cross(ahead, right), ahead])
    width, height = SIZE_PX
    K = np.array([[_FOCAL_PX, 0.0, width / 2 - 0.5], [0.0, _FOCAL_PX, height / 2 - 0.5], [0.0, 0.0, 1.0]])
    return CameraModel(K=K, R_cam_world=R, t_cam_world_m=-R @ np.array(_EYE_M), size_px=SIZE_PX)


def make_demo_clip(out: Path, mocap: list[Path], truth: Path | None = None) -> RenderReport:
    """Write the clip, and a crowd folder with its truth (motion, camera, view) where one is named.

    Raises:
        CrowdstreamError: no such mocap folder, or embreex is not installed.
    """
    motion = animate(plan_crowd(build_scene(CROWD.scene, CROWD.seed), CROWD), MotionLibrary.load(mocap))
    camera, t_ns = demo_camera(), frame_times(SECONDS, RATE, SEED)
    if truth is not None:
        save_crowd(truth, motion, CROWD.model_dump(mode="json"))
        save_view(truth, look(motion, camera, "demo", t_ns))
    with Bar() as bar:
        task = bar.add_task("frames", total=len(t_ns))
        return render_video(
            motion, camera, t_ns, out, STYLE, lambda done, _: bar.update(task, completed=done)
        )


def main(
    out: Annotated[Path, typer.Option("-o", help="The clip, .mp4.")],
    mocap: Annotated[
        list[Path] | None, typer.Option(help="Folder of motion capture; may be given again.")
    ] = None,
    truth: Annotated[Path | None, typer.Option(help="Folder for the crowd's truth.")] = None,
) -> None:
    """Make the demonstration clip."""
    report = make_demo_clip(out, mocap or [], truth)
    typer.echo(
        f"{report.path}: {report.num_frames} frames of {report.size_px[0]}x{report.size_px[1]}, "
        f"{report.num_bytes / 1e6:.2f} MB, {report.frames_per_s:.2f} frames per second of processor time"
    )


if __name__ == "__main__":
    typer.run(main)
