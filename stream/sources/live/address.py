"""Where a live camera is: which kind of source an address names, and how it is shown without its secrets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from ...errors import SourceError

_NETWORK = ("rtsp", "rtsps", "http", "https", "udp", "srt", "rtmp", "rtmps")
_SECRET = "***"

_USER_INFO = re.compile(r"//[^\s'\"]*@")
_NAMED_SECRET = re.compile(
    r"(?i)(user|username|login|pass|passwd|password|pwd|token|key|auth|secret|sig|signature|session)=[^&?#;\s'\"]*"
)
"""Some cameras take credentials in the path."""
_QUERY_VALUE = re.compile(r"(?P<key>[?&;][^=&?;#\s]*=)(?P<value>[^&;#\s'\"]*)")
_HARMLESS_KEYS = frozenset(
    {"channel", "subtype", "profile", "stream", "resolution", "fps", "codec", "width", "height",
     "mode", "transport", "unicast", "proto", "camera", "video", "audio", "id"}
)  # fmt: skip
"""Query keys whose values say which stream is meant; every other value may be a secret and is not shown."""


class AddressKind(StrEnum):
    """What has to be done to read it."""

    RTSP = "rtsp"
    HLS = "hls"
    """An HTTP playlist: comes in segments, is paced by its own times."""
    HTTP = "http"
    """MJPEG, MPEG-TS or a file over HTTP."""
    STREAM = "stream"
    """udp, srt or rtmp."""
    DEVICE = "device"


@dataclass(frozen=True)
class Address:
    """One live source."""

    kind: AddressKind
    url: str = field(repr=False)
    """As FFmpeg takes it; may hold credentials."""
    shown: str
    """The same for people: without credentials, tokens and keys."""


def is_live(spec: str) -> bool:
    """Whether `spec` names a live camera rather than a recording."""
    return spec.startswith("device:") or (spec.split("://", 1)[0].lower() in _NETWORK and "://" in spec)


def parse_address(spec: str) -> Address:
    """What `spec` names.

    Raises:
        SourceError: no live camera, or an address that cannot be one.
    """
    if spec.startswith("device:"):
        return _device(spec.removeprefix("device:"))
    shown = redacted(spec)
    scheme = spec.split("://", 1)[0].lower() if "://" in spec else ""
    if scheme not in _NETWORK:
        raise SourceError(
            f"'{shown}' is no live camera; expected device:N or {', '.join(f'{name}://' for name in _NETWORK)}..."
        )
    try:
        parts = urlsplit(spec)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise SourceError(
            f"cannot read the address '{shown}'; expected {scheme}://host[:port]/path"
        ) from None
    if not host and scheme != "udp":
        raise SourceError(f"no host in '{shown}'; expected {scheme}://host[:port]/path")
    if any(ord(letter) < 33 for letter in spec):
        raise SourceError(f"blanks or control characters in '{shown}'; write them as %20 and the like")
    if scheme in ("rtsp", "rtsps"):
        kind = AddressKind.RTSP
    elif scheme in ("http", "https"):
        kind = AddressKind.HLS if parts.path.lower().endswith((".m3u8", ".m3u")) else AddressKind.HTTP
    else:
        kind = AddressKind.STREAM
    return Address(kind, spec, shown)


def _device(name: str) -> Address:
    if name.isdecimal() and len(name) <= 3:
        name = f"/dev/video{int(name)}"
    if not re.fullmatch(r"/dev/[\w./-]+", name) or ".." in name:
        raise SourceError(f"cannot read 'device:{name}'; expected device:0 or device:/dev/video0")
    return Address(AddressKind.DEVICE, name, f"device:{name}")


def redacted(text: str) -> str:
    """`text` without user names, passwords and query values, wherever addresses stand in it.

    Of queries only values that say which stream is meant are kept (`channel=1`); a password with an unescaped
    slash is cut at its last `@`.
    """
    text = _USER_INFO.sub(f"//{_SECRET}@", text)
    text = _QUERY_VALUE.sub(_hide_value, text)
    return _NAMED_SECRET.sub(rf"\1={_SECRET}", text)


def _hide_value(match: re.Match[str]) -> str:
    key = match["key"][1:-1].lower()
    shown = key in _HARMLESS_KEYS and len(match["value"]) <= 16
    return match["key"] + (match["value"] if shown else _SECRET)
