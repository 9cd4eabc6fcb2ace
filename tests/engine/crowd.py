"""A run on a scripted crowd: a real video file, real workers, and perception that knows what it should see."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from crowdstream.actors.plan import EnginePlan, SourceInfo
from crowdstream.actors.workers import Workers
from crowdstream.configs.load import load_config
from crowdstream.lab.scripted_crowd import ScriptedCrowd
from crowdstream.stream.calibration_file import Calibration, save_calibration
from crowdstream.stream.records import Frame, Observation
from crowdstream.stream.ring import RingReader, SlotToken

CROWD = ScriptedCrowd()


class ScriptedPerception:
    """Stands where the networks stand: same calls, observations from the script."""

    def __init__(self, plan: EnginePlan) -> None:
        self._rings = RingReader()

    def start(self, info: SourceInfo) -> dict[str, object]:
        self._camera = info.camera
        return {}

    def set_geometry(self, calibration: Calibration, from_index: int) -> None: ...

    def step(self, batch: Sequence[Frame | SlotToken]) -> list[Observation]:
        out = []
        for item in batch:
            out.append(CROWD.observation(item.index, self._camera, item.t_capture_ns))
            if isinstance(item, SlotToken):
                with self._rings.frame(item) as frame:
                    assert frame.image.size
        return out

    def stop(self) -> dict[str, Any]:
        self._rings.close()
        return {"seconds": {}, "networks": {}}


SCRIPTED = Workers(perception=ScriptedPerception)


def write_video(path: Path, frames: int = CROWD.frames, fps: int = 30) -> Path:
    """A grey clip of the crowd's size; its pixels do not matter, its times do."""
    width, height = CROWD.size_px
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        grey = np.full((height, width, 3), 128, np.uint8)
        for _ in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="bgr24")))
        container.mux(stream.encode(None))
    return path


def write_calibration(path: Path) -> Path:
    """The true camera of the crowd."""
    save_calibration(Calibration(CROWD.camera, CROWD.ground, "file"), path)
    return path


def make_plan(
    folder: Path, kind: str, *settings: str, log: str = "run.cslog", calibrated: bool = True
) -> EnginePlan:
    """A run over the crowd: fixed session and capture clock, so that two runs can be compared byte by byte."""
    video = folder / "crowd.mp4"
    if not video.exists():
        write_video(video)
    fixed = [f"runtime.kind={kind}", "publish.session=test", "publish.clock=capture", "publish.listen=''"]
    return EnginePlan(
        source=str(video),
        config=load_config("replay", [*fixed, *settings]),
        models=folder,
        calibration=write_calibration(folder / "camera.json") if calibrated else None,
        record=folder / log,
    )
