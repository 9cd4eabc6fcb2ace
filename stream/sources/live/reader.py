"""Reads one live camera through FFmpeg: opens it, and gives decoded pictures with what is known of their times.

Everything here may block for as long as FFmpeg does; it runs in a decoder process, which its parent watches and kills.

Sender reports: since FFmpeg 4.4 each packet of an RTP stream with reports carries the camera's wall clock at its time
(`AVProducerReferenceTime`, side data "prft"), and from FFmpeg 8 the first packet after a report also the report itself
("rtcp_sr"). The wall clock is taken from "prft"; it counts as a new report when "rtcp_sr" is there, or the line
through wall clock and presentation time has moved. `start_time_realtime` of the container is the same for the first
report only. Where a version lacks side data, frames are stamped by arrival.
"""

from __future__ import annotations

import ssl
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from ...clock import Clock
from ...timing.records import SenderReport
from .address import Address, AddressKind
from .config import LiveConfig
from .faults import NoFrames, Verdict, classify_open, classify_read
from .records import SourceFault

_BROKEN_IN_ROW = 150
"""Packets in a row that do not decode: some seconds of noise."""
_LINE_NS = 500_000
"""A wall clock that leaves the line of the last report by more is a new report."""
_HLS_PROTOCOLS = "http,https,tcp,tls,crypto"
"""What a playlist may name: a camera's list must not make the engine read files or other services."""


@dataclass(frozen=True)
class Picture:
    """One decoded frame."""

    frame: Any
    """`av.VideoFrame`."""
    pts_s: Fraction | None
    """None: the stream gives no times, or none that mean anything."""
    arrival_ns: int
    report: SenderReport | None
    """The newest."""


@dataclass(frozen=True)
class StreamFacts:
    """What a stream says of itself."""

    codec: str
    size_px: tuple[int, int] | None
    fps: float | None
    ends: bool
    """A recording behind an address: its end is no fault."""


@dataclass
class ReadCounts:
    """Only ever count up."""

    broken: int = 0
    """Packets that did not decode."""


class StreamReader:
    """One try at one camera; `pictures` ends with `NoFrames`, or plainly at a recording's end."""

    def __init__(self, address: Address, config: LiveConfig, clock: Clock) -> None:
        """
        Raises:
            NoFrames: it cannot be opened, or has no video.
        """
        self._address, self._config, self._clock = address, config, clock
        self.counts = ReadCounts()
        self._report: SenderReport | None = None
        self._anchor: tuple[Fraction, float] | None = (
            None  # presentation time and monotonic seconds of one moment
        )
        began_s = time.monotonic()
        try:
            self._container = av.open(address.url, **_settings(address, config))
        except (av.error.FFmpegError, OSError, ValueError) as exc:
            elapsed_s = time.monotonic() - began_s
            raise _no_frames(classify_open(exc, elapsed_s, config.open_timeout_s, address)) from None
        try:
            self._stream = _video_stream(self._container, address)
        except BaseException:
            self.close()
            raise
        context = self._stream.codec_context
        context.thread_type = "SLICE"  # frame threads would hold pictures back
        context.thread_count = config.decode_threads
        # where pictures come out of order the flag would hand them out so
        if config.low_delay and not getattr(context, "has_b_frames", False):
            context.flags |= av.codec.context.Flags.low_delay
        size = (int(context.width), int(context.height))
        rate = self._stream.average_rate or self._stream.guessed_rate
        # MJPEG over HTTP carries no times: FFmpeg makes them up, at a rate of its own
        self._timeless = self._container.format.name in ("mpjpeg", "mjpeg")
        ends = not self._timeless and _has_an_end(self._container, address)
        self.facts = StreamFacts(
            context.name, size if all(size) else None, float(rate) if rate and rate < 1000 else None, ends
        )
        self._paced = ends or address.kind is AddressKind.HLS

    def close(self) -> None:
        """Says goodbye to the camera. May block as long as FFmpeg does."""
        self._container.close()

    def pictures(self) -> Iterator[Picture]:
        """Decoded pictures as they come.

        Raises:
            NoFrames: the stream was cut, or is not worth reading on.
        """
        broken_in_row = 0
        for packet in self._packets():
            arrival_ns = self._clock.now_ns()
            self._note_report(packet, arrival_ns)
            try:
                frames = packet.decode()
            except av.error.EOFError:
                break
            except (av.error.FFmpegError, ValueError) as exc:
                self.counts.broken += 1
                broken_in_row += 1
                if broken_in_row >= _BROKEN_IN_ROW:
                    raise _no_frames(classify_read(exc, self._address)) from None
                continue
            for frame in frames:
                broken_in_row = 0
                pts_s = None if frame.pts is None or self._timeless else frame.pts * frame.time_base
                if self._paced and pts_s is not None:
                    self._wait_until_due(pts_s)
                    arrival_ns = self._clock.now_ns()
                yield Picture(frame, pts_s, arrival_ns, self._report)
        if not self.facts.ends:
            raise NoFrames(SourceFault.CLOSED, f"{self._address.shown} ended the stream")

    def _packets(self) -> Iterator[Any]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except (av.error.FFmpegError, OSError, ValueError) as exc:
                raise _no_frames(classify_read(exc, self._address)) from None
            if packet is None:
                return
            yield packet

    def _note_report(self, packet: Any, arrival_ns: int) -> None:
        """Takes the camera's wall clock from a packet, where it says something new."""
        if packet.pts is None:
            return
        ntp_ns = _wall_clock_ns(packet)
        if ntp_ns is None:
            return
        rtp_s = float(packet.pts * packet.time_base)
        last = self._report
        if last is not None:
            moved_ns = ntp_ns - last.ntp_ns - round((rtp_s - last.rtp_s) * 1e9)
            if abs(moved_ns) <= _LINE_NS and not _has(packet, "rtcp_sr"):
                return
        self._report = SenderReport(ntp_ns, rtp_s, arrival_ns)

    def _wait_until_due(self, pts_s: Fraction) -> None:
        """Segments come as fast as the line carries them; their pictures are handed out at their own pace."""
        now_s = time.monotonic()
        if self._anchor is not None:
            due_s = self._anchor[1] + float(pts_s - self._anchor[0])
            if now_s - 1.0 < due_s < now_s + self._config.stall_s:
                self._clock.sleep(due_s - now_s)
                return
        self._anchor = (pts_s, now_s)  # the first, or a jump, or fallen behind


def _settings(address: Address, config: LiveConfig) -> dict[str, Any]:
    """Arguments of `av.open`."""
    micros = str(round((max(config.open_timeout_s, config.stall_s) + 2.0) * 1e6))
    options = {"fflags": "+genpts+discardcorrupt"}
    settings: dict[str, Any] = {"options": options, "metadata_errors": "ignore"}
    if address.kind is AddressKind.DEVICE:
        settings["format"] = "v4l2"
        wanted = {
            "input_format": config.device_format,
            "video_size": config.device_size,
            "framerate": f"{config.device_fps:g}" if config.device_fps else "",
        }
        options |= {key: value for key, value in wanted.items() if value}
        return settings
    # one interrupt for opening as a whole; reading is watched by FFmpeg's own limit and by the parent
    settings["timeout"] = (config.open_timeout_s, None)
    options["fpsprobesize"] = "0"  # else a second of frames is held back to guess a rate that is not used
    options["max_delay"] = str(round(config.max_delay_s * 1e6))
    if address.kind is AddressKind.RTSP:
        # without sound the times of pictures rest on the picture stream alone
        options |= {"rtsp_transport": config.transport, "timeout": micros, "allowed_media_types": "video"}
    elif address.kind in (AddressKind.HTTP, AddressKind.HLS):
        options |= {"timeout": micros, "rw_timeout": micros, "protocol_whitelist": _HLS_PROTOCOLS}
    else:
        options |= {"timeout": micros, "rw_timeout": micros}
    if address.url.lower().startswith(("rtsps:", "https:", "rtmps:")):
        options["tls_verify"] = str(int(config.tls_verify))
        known = config.tls_ca_file or ssl.get_default_verify_paths().cafile
        if config.tls_verify and known:
            options["ca_file"] = known
    return settings


def _video_stream(container: Any, address: Address) -> Any:
    """The first video stream that can be decoded."""
    streams = container.streams.video
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    if streams:
        text = f"{address.shown} sends a codec that is not known here; set the camera to H.264 or H.265"
        raise NoFrames(SourceFault.CODEC_UNSUPPORTED, text)
    raise NoFrames(
        SourceFault.NO_VIDEO, f"{address.shown} has no video stream; check the path or the camera's profile"
    )


def _has_an_end(container: Any, address: Address) -> bool:
    """Whether a recording lies behind the address: it states how long, or how large, it is."""
    if address.kind is AddressKind.HLS:
        return bool(container.duration)
    return address.kind is AddressKind.HTTP and (bool(container.duration) or container.size > 0)


def _wall_clock_ns(packet: Any) -> int | None:
    """The camera's wall clock at this packet's time, from the last sender report."""
    if not _has(packet, "prft"):
        return None
    (micros,) = struct.unpack_from("=q", bytes(packet.get_sidedata("prft")))
    return int(micros) * 1000


def _has(packet: Any, kind: str) -> bool:
    try:
        return bool(packet.has_sidedata(kind))
    except (AttributeError, ValueError):  # a version that does not know this kind
        return False


def _no_frames(verdict: Verdict) -> NoFrames:
    return NoFrames(verdict.fault, verdict.text)
