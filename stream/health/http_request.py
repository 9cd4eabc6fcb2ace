"""The head of an HTTP/1 request out of distrusted bytes; no socket in here.

Only what a health endpoint needs: a request line and headers, no body, one request a connection. Whatever is
doubtful is refused with the status that fits, never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

MAX_HEAD_BYTES = 8192
MAX_TARGET_BYTES = 1024
MAX_HEADERS = 64

_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"[\t\x20-\x7e\x80-\xff]*")
_VERSION = re.compile(rb"HTTP/(\d)\.(\d)")


class Refusal(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


@dataclass(frozen=True)
class HttpRequest:
    """What was asked."""

    method: str
    path: str
    """Without the query; as it was sent, nothing decoded."""
    headers: Mapping[str, str]
    """Names in small letters."""


def parse_head(data: bytes) -> HttpRequest | None:
    """The request at the start of what has come so far; None while its head is not whole.

    Raises:
        Refusal: malformed, too large, another version, or a body announced.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        _check_unfinished(data)
        return None
    if end > MAX_HEAD_BYTES:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"head over {MAX_HEAD_BYTES} bytes")
    first, *rest = data[:end].split(b"\r\n")
    method, target = _request_line(first)
    headers = _headers(rest)
    if "transfer-encoding" in headers or headers.get("content-length", "0").strip("0"):
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "no body is taken")
    return HttpRequest(method, _path(target), headers)


def _check_unfinished(data: bytes) -> None:
    """What can be refused before the end has come."""
    line = data.partition(b"\r\n")[0]
    if len(line) > MAX_TARGET_BYTES + 64:
        raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, f"request line over {MAX_TARGET_BYTES} bytes")
    if len(data) > MAX_HEAD_BYTES:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"head over {MAX_HEAD_BYTES} bytes")
    if b"\n" in data.replace(b"\r\n", b"") or b"\0" in data:
        raise Refusal(HTTPStatus.BAD_REQUEST, "lines must end in CR LF")


def _request_line(line: bytes) -> tuple[str, str]:
    words = line.split(b" ")
    if len(words) != 3 or not _TOKEN.fullmatch(words[0]):
        raise Refusal(HTTPStatus.BAD_REQUEST, "expected METHOD target HTTP/1.1")
    version = _VERSION.fullmatch(words[2])
    if version is None:
        raise Refusal(HTTPStatus.BAD_REQUEST, "expected METHOD target HTTP/1.1")
    if version[1] != b"1":
        raise Refusal(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "expected HTTP/1.1")
    if len(words[1]) > MAX_TARGET_BYTES:
        raise Refusal(HTTPStatus.REQUEST_URI_TOO_LONG, f"target over {MAX_TARGET_BYTES} bytes")
    if not words[1].isascii() or not words[1].decode("ascii").isprintable():
        raise Refusal(HTTPStatus.BAD_REQUEST, "the target is not printable ASCII")
    return words[0].decode("ascii"), words[1].decode("ascii")


def _headers(lines: list[bytes]) -> dict[str, str]:
    if len(lines) > MAX_HEADERS:
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Refusal(HTTPStatus.BAD_REQUEST, "malformed header")
        key = name.decode("ascii").lower()
        if key in headers and key in ("host", "authorization", "content-length", "transfer-encoding"):
            raise Refusal(HTTPStatus.BAD_REQUEST, f"{key} is given twice")
        headers[key] = value.decode("latin-1").strip(" \t")
    return headers


def _path(target: str) -> str:
    """Of `/path?query`, or of an absolute address as proxies send it."""
    if target.startswith("/"):
        return target.partition("?")[0].partition("#")[0]
    try:
        parts = urlsplit(target)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme in ("http", "https") and parts.netloc:
        return parts.path or "/"
    if target == "*":
        return target
    raise Refusal(HTTPStatus.BAD_REQUEST, "the target is no path")
