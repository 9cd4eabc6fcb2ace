"""A tiny H.264 clip, made on the spot: what the stub servers send."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

_START_CODE = re.compile(rb"\x00\x00\x00?\x01")


@dataclass(frozen=True)
class Clip:
    """Coded pictures, to be sent round and round; the first is a key picture with its parameter sets."""

    size_px: tuple[int, int]
    fps: float
    pictures: tuple[tuple[bytes, ...], ...]
    """A tuple of NAL units each, without start codes."""

    @property
    def parameter_sets(self) -> tuple[bytes, ...]:
        """SPS and PPS."""
        return tuple(nal for nal in self.pictures[0] if nal[0] & 31 in (7, 8))

    def annex_b(self, index: int) -> bytes:
        """One picture as a byte stream."""
        return b"".join(b"\x00\x00\x00\x01" + nal for nal in self.pictures[index % len(self.pictures)])


@functools.cache
def make_clip(
    size_px: tuple[int, int] = (160, 120), fps: float = 25.0, count: int = 50, gop: int = 10
) -> Clip:
    """`count` grey pictures that grow brighter (luma 40 to 200) with a bar that moves; no B frames."""
    width, height = size_px
    encoder = av.CodecContext.create("libx264", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.time_base, encoder.framerate = Fraction(1, 90_000), Fraction(fps).limit_denominator(1000)
    encoder.options = {"preset": "ultrafast", "tune": "zerolatency", "g": str(gop), "profile": "baseline"}
    packets: list[bytes] = []
    for i in range(count):
        image = np.full((height * 3 // 2, width), 128, np.uint8)
        image[:height] = 40 + 160 * i // max(1, count - 1)
        left = i * (width - 8) // max(1, count - 1)
        image[:height, left : left + 8] = 235
        frame = av.VideoFrame.from_ndarray(image, format="yuv420p")
        frame.pts, frame.time_base = round(i * 90_000 / fps), Fraction(1, 90_000)
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    packets += [bytes(packet) for packet in encoder.encode(None)]
    return Clip(size_px, fps, tuple(_nal_units(packet) for packet in packets))


def _nal_units(stream: bytes) -> tuple[bytes, ...]:
    units = (unit.rstrip(b"\x00") for unit in _START_CODE.split(stream))
    return tuple(unit for unit in units if unit and unit[0] & 31 in (1, 5, 7, 8))
