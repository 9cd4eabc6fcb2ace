"""Every camera and recording that a run would read, opened once: does it work, and if not, what is to be done."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...kernels.errors import CrowdstreamError

if TYPE_CHECKING:
    from ...configs.array import CameraEntry

AT_ONCE = 4
"""Cameras looked at together: each is a process that decodes."""
RING_SLOTS = 48
"""Frames that the ring of one live camera holds (`live.ring_slots`)."""

ADVICE = {
    "refused": "is the camera on, and the port right? try: ping, and the camera's own page",
    "auth_failed": "check user and password in the address; characters such as @ : / must be written as %40 %3A %2F",
    "not_found": "check host and path; the path differs from maker to maker, the camera's page says it",
    "tls": "a camera's own certificate is not believed; use the plain address on a network you trust",
    "timeout": "it takes the connection and says nothing: restart the camera, or try --set live.transport=udp",
    "codec_unsupported": "set the stream to H.264 or H.265 on the camera's page",
    "no_video": "the stream has sound or data only; another path of the camera has the picture",
    "silent": "it gave frames and stopped: network, or too many viewers of the camera",
    "closed": "the camera ends the stream: too many viewers, or it restarts",
    "resolution_changed": "it changes its picture while it runs; fix the size on the camera's page",
    "broken": "what comes is no video: try --set live.transport=tcp, a better network, or another stream of the camera",
    "decoder_died": "the decoder crashed on what it sent; please report it with the camera's make",
    "busy": "somebody else has it; close other viewers, or raise the camera's number of connections",
}
"""What to do about each fault."""


@dataclass(frozen=True)
class SourceFinding:
    """One camera or recording."""

    name: str
    source: str
    """Without credentials."""
    ok: bool
    text: str
    """What it gives, or why it gives nothing."""
    advice: str = ""
    size_px: tuple[int, int] | None = None
    fps: float | None = None

    def sentence(self) -> str:
        """For a terminal."""
        mark = "ok" if self.ok else "FAILS"
        return f"{self.name}: {mark}: {self.text}" + (f" -> {self.advice}" if self.advice else "")


def check_sources(sources: Sequence[str], timeout_s: float) -> list[SourceFinding]:
    """All of them, some at a time, in the order given. Takes up to `timeout_s` for each `AT_ONCE` of them."""
    from ...configs.array import entries_of

    entries: list[CameraEntry | SourceFinding] = []
    for source in sources:
        try:
            entries += entries_of(source)
        except CrowdstreamError as exc:
            entries.append(SourceFinding(_shown(source), _shown(source), False, str(exc)))
    with ThreadPoolExecutor(AT_ONCE, "doctor") as pool:
        return list(pool.map(lambda entry: _check(entry, timeout_s), entries))


def _check(entry: CameraEntry | SourceFinding, timeout_s: float) -> SourceFinding:
    from ...stream.sources.live.address import is_live

    if isinstance(entry, SourceFinding):
        return entry
    try:
        found = _live(entry, timeout_s) if is_live(entry.source) else _recording(entry)
        return _with_calibration(entry, found) if found.ok else found
    except CrowdstreamError as exc:
        return SourceFinding(entry.name, _shown(entry.source), False, str(exc))


def _live(entry: CameraEntry, timeout_s: float) -> SourceFinding:
    from ...stream.sources.live.open import live_config
    from ...stream.sources.live.probe import probe

    found = probe(entry.source, timeout_s, live_config(entry))
    advice = ADVICE.get(str(found.fault), "") if found.fault is not None else ""
    said = found.text
    if found.ok and found.first_frame_s is not None:
        said += f", first frame after {found.first_frame_s:.1f} s"
    return SourceFinding(entry.name, found.source, found.ok, said, advice, found.size_px, found.fps)


def _recording(entry: CameraEntry) -> SourceFinding:
    from ...stream.sources.open import open_source

    with open_source(entry.source) as source:
        width, height = source.size_px
        frames = "" if source.num_frames is None else f", {source.num_frames} frames"
        text = f"{width}x{height}, {source.fps:.1f} fps{frames}"
        return SourceFinding(entry.name, entry.source, True, text, "", source.size_px, source.fps)


def _with_calibration(entry: CameraEntry, found: SourceFinding) -> SourceFinding:
    """Raises CalibrationError for a file that cannot be used with pictures of this size."""
    from dataclasses import replace

    from ...stream.calibration_file import load_calibration

    if entry.calibration is None or found.size_px is None:
        return found
    load_calibration(Path(entry.calibration), None, found.size_px)
    return replace(found, text=f"{found.text}, calibrated by {entry.calibration.name}")


def ring_bytes(found: Sequence[SourceFinding]) -> int:
    """Shared memory that the rings of these cameras take: 1.5 bytes a pixel and slot."""
    sizes = [finding.size_px for finding in found if finding.size_px is not None]
    return sum(round(1.5 * width * height) * RING_SLOTS for width, height in sizes)


def _shown(source: str) -> str:
    from ...stream.sources.live.address import redacted

    return redacted(source)
