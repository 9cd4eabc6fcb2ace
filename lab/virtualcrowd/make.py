"""A crowd from nothing: place, behaviour, motion, cameras, sightings, and a video where one is wanted.

    scene -> plan -> motion -> view of each camera -> sightings
                                                   \\-> video

Every step is a function of its input and the seed; the folder that comes out is the same, byte for byte, for the same
settings and motion capture (the video for the same renderer and encoder).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int

from ...kernels.camera import CameraModel
from ...kernels.errors import CrowdstreamError
from .behaviour import plan_crowd
from .cameras import place_camera
from .config import CrowdConfig
from .detector_model import SightingModel, simulate
from .motion import MotionLibrary, animate
from .render import RenderConfig, render_video
from .scene import Scene
from .scenes import build_scene
from .store import check_room, load_crowd, save_crowd, save_sightings, save_view
from .timing import frame_times
from .truth import CrowdMotion
from .view import look

Array = np.ndarray

SIZES_PX = {"720p": (1280, 720), "1080p": (1920, 1080), "4k": (3840, 2160), "8k": (7680, 4320)}

Progress = Callable[[str, int, int], None]
"""Told (step, done, total)."""


@dataclass(frozen=True)
class ViewRequest:
    """One camera to look through."""

    view: str = "high"
    """high | low"""
    size: str = "1080p"
    """Key of SIZES_PX."""
    rate: str = "30"
    """Frames a second, or "variable"."""

    def __post_init__(self) -> None:
        if self.size not in SIZES_PX:
            raise CrowdstreamError(f"picture size {self.size!r}: expected one of {', '.join(SIZES_PX)}")


@dataclass
class MakeReport:
    """What was made and what it cost."""

    folder: Path
    people: int = 0
    person_frames: int = 0
    """Of the 30 Hz timeline."""
    rows: dict[str, int] = field(default_factory=dict)
    """Sightings a camera."""
    videos: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    """Wall time a step."""

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return asdict(self) | {"folder": str(self.folder)}

    def lines(self) -> list[str]:
        """For people."""
        times = ", ".join(f"{step} {took:.1f} s" for step, took in self.seconds.items())
        rows = ", ".join(f"{count} sightings by camera {name}" for name, count in self.rows.items())
        return [
            f"{self.people} people, {self.person_frames} person-frames, {rows}, in {self.folder}",
            f"took {sum(self.seconds.values()):.1f} s: {times}",
            *(f"video: {path}" for path in self.videos),
        ]

    @contextmanager
    def clock(self, step: str) -> Iterator[None]:
        """Adds the time of its block to a step."""
        start_s = time.perf_counter()
        yield
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - start_s


def make_crowd(
    config: CrowdConfig,
    folder: Path,
    library: MotionLibrary,
    views: Sequence[ViewRequest] = (ViewRequest(),),
    model: SightingModel | None = None,
    progress: Progress | None = None,
) -> MakeReport:
    """Makes a crowd folder (layout: docs/virtualcrowd.md) without video.

    Args:
        library: recordings to move by; `MotionLibrary.load([])` for procedural motion only.
        model: how detectors see; the one fitted to real networks by default.

    Raises:
        CrowdstreamError: unknown scene, view, rate or size, or a folder that holds something else.
    """
    report = MakeReport(folder)
    check_room(folder)
    scene = build_scene(config.scene, config.seed)
    cameras = [
        _camera(scene, request, config) for request in views
    ]  # what is wrong with them is said before the work
    with report.clock("plan"):
        plan = plan_crowd(scene, config, _step(progress, "plan"))
    with report.clock("motion"):
        motion = animate(plan, library, _step(progress, "motion"))
    with report.clock("store"):
        save_crowd(folder, motion, config.model_dump(mode="json"), library.licences)
    report.people, report.person_frames = len(motion.person_ids), int(motion.present.sum())
    for camera in cameras:
        _observe(motion, camera, folder, model or SightingModel.fitted(), report, progress)
    return report


def render_crowd(
    folder: Path, report: MakeReport, style: RenderConfig | None = None, progress: Progress | None = None
) -> None:
    """Adds a video of every camera to a crowd's folder; the report learns of them.

    Raises:
        CrowdstreamError: no crowd there, or the renderer's library is not installed.
    """
    crowd = load_crowd(folder)
    chosen = style or RenderConfig(seed=crowd.seed)
    for name in crowd.camera_names:
        view = crowd.view(name)
        path = crowd.video_path(name)
        with report.clock("video"):
            render_video(crowd.motion, view.camera, view.t_ns, path, chosen, _step(progress, f"{name} video"))
        report.videos.append(str(path))


@dataclass(frozen=True)
class _Camera:
    name: str
    model: CameraModel
    t_ns: Int[Array, "F"]


def _camera(scene: Scene, request: ViewRequest, config: CrowdConfig) -> _Camera:
    model = place_camera(scene, request.view, SIZES_PX[request.size], config.seed)
    return _Camera(request.view, model, frame_times(config.seconds, request.rate, config.seed))


def _observe(
    motion: CrowdMotion,
    camera: _Camera,
    folder: Path,
    model: SightingModel,
    report: MakeReport,
    progress: Progress | None,
) -> None:
    name = camera.name
    with report.clock("views"):
        view = look(motion, camera.model, name, camera.t_ns, _step(progress, f"{name} view"))
    with report.clock("sightings"):
        sightings = simulate(view, model, motion.seed)
    with report.clock("store"):
        save_view(folder, view)
        save_sightings(folder, name, sightings)
    report.rows[name] = len(sightings.frame)


def _step(progress: Progress | None, step: str) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, total: progress(step, done, total)
