"""Turn any video into a file of access units that the RTSP server sends again and again without encoding.

One file: a JSON line (fps, size, frames), then per frame 4 bytes big-endian length, 1 byte (1: key frame) and the
H.264 access unit in Annex B form. A key frame every second with its parameter sets, no B frames: what a camera
sends. Made once, so that four cameras cost next to nothing beside the engine that watches them.
"""

from __future__ import annotations

import json
import struct
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import av
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

UNIT_HEAD = struct.Struct(">IB")
"""Length of the unit, and whether it is a key frame."""


def write_clip(
    video: Path, target: Path, *, width: int, height: int, fps: int, seconds: float, skip_s: float = 0.0,
    every: int = 1,
) -> int:  # fmt: skip
    """Encode a stretch of a video as a camera would send it; returns the frames written.

    Args:
        width: of the picture sent, px; the video is scaled to it, whatever its shape.
        fps: frames a second of the camera.
        seconds: at most so much; the stretch ends with the video.
        skip_s: leave out so much of its beginning (at `fps`), so that cameras on one video differ.
        every: of the video's frames only every n-th, so that a slow camera shows people as fast as they were.

    Raises:
        av.FFmpegError: what cannot be opened or decoded.
    """
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height = width, height
    encoder.pix_fmt = "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, fps), Fraction(fps)
    encoder.thread_count = 1
    encoder.options = {
        "preset": "veryfast",
        "tune": "zerolatency",
        "profile": "main",
        "crf": "26",
        "x264-params": f"keyint={fps}:min-keyint={fps}:scenecut=0:repeat-headers=1:aud=1:threads=1",
    }
    first, most = round(skip_s * fps), round(seconds * fps)
    head = {"fps": fps, "width": width, "height": height}
    written = 0
    with av.open(str(video)) as source, target.open("wb") as out:
        out.write(json.dumps(head).encode() + b"\n")
        stream: VideoStream = source.streams.video[0]
        for i, frame in enumerate(islice(source.decode(stream), 0, None, every)):
            if i < first:
                continue
            if i >= first + most:
                break
            picture: VideoFrame = frame.reformat(width=width, height=height, format="yuv420p")
            picture.pts, picture.time_base = i - first, encoder.time_base
            picture.pict_type = av.video.frame.PictureType.NONE
            written += _write_units(out, encoder.encode(picture))
        written += _write_units(out, encoder.encode(None))
    return written


def _write_units(out: BinaryIO, packets: list[av.Packet[VideoStream]]) -> int:
    for packet in packets:
        out.write(UNIT_HEAD.pack(packet.size, packet.is_keyframe) + bytes(packet))
    return len(packets)
