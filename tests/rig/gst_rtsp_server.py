"""A real RTSP server (GStreamer's) for tests, and small clips for it; tests are skipped where it is not installed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from crowdstream.lab.soak.camera_clip import write_clip
from crowdstream.lab.soak.rtsp import why_not

needs_gstreamer = pytest.mark.skipif(bool(why_not()), reason=why_not())


def camera_clip(
    folder: Path, name: str, size: tuple[int, int] = (160, 120), fps: int = 25, frames: int = 50
) -> Path:
    """A bright bar that moves by a column a frame, as the RTSP server takes it."""
    video, target = folder / f"{name}.mp4", folder / f"{name}.au"
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for i in range(frames):
            picture = np.full((size[1], size[0], 3), 64, np.uint8)
            picture[:, i % size[0]] = 255
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode(None))
    write_clip(video, target, width=size[0], height=size[1], fps=fps, seconds=frames / fps)
    return target
