"""Addresses of live cameras: what they name, and that no text ever shows their secrets."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.errors import SourceError
from crowdstream.stream.sources.live.address import AddressKind, is_live, parse_address, redacted
from crowdstream.stream.sources.open import open_source

# letters that may stand unescaped in a password, some of which split addresses for careless readers
_SECRETS = st.text(st.sampled_from("abcXYZ019!$&*+,;=:@-._~%()/"), min_size=4, max_size=16).map(
    lambda s: f"S3CR{s}"
)


@pytest.mark.parametrize(
    ("spec", "kind", "url"),
    [
        ("rtsp://10.0.0.7/stream1", AddressKind.RTSP, None),
        ("RTSPS://cam.example:322/a?channel=1", AddressKind.RTSP, None),
        ("http://cam/video.mjpg", AddressKind.HTTP, None),
        ("https://host/live/index.m3u8?token=abc", AddressKind.HLS, None),
        ("srt://host:9000", AddressKind.STREAM, None),
        ("udp://@:1234", AddressKind.STREAM, None),
        ("device:0", AddressKind.DEVICE, "/dev/video0"),
        ("device:/dev/v4l/by-id/cam-1", AddressKind.DEVICE, "/dev/v4l/by-id/cam-1"),
    ],
)
def test_kinds(spec: str, kind: AddressKind, url: str | None) -> None:
    address = parse_address(spec)
    assert is_live(spec) and address.kind is kind and address.url == (url or spec)


@pytest.mark.parametrize(
    "spec", ["clip.mp4", "file:///a/b.mp4", "C:/clip.mp4", "/dev/video0", "rtsp:no-slashes"]
)
def test_recordings_are_not_live(spec: str) -> None:
    assert not is_live(spec)


@pytest.mark.parametrize(
    "spec",
    ["rtsp://", "rtsp:///path", "rtsp://host:port/x", "rtsp://host/a b", "device:", "device:../etc/x", "ftp://h/x",
     "device:/etc/passwd", "rtsp://host/\r\nHeader: x"],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(spec: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_address(spec)
    assert "expected" in str(caught.value) or "%20" in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(_SECRETS, _SECRETS)
def test_no_user_or_password_is_ever_shown(user: str, password: str) -> None:
    spec = f"rtsp://{user}:{password}@10.0.0.7:554/stream1"
    text = redacted(f"cannot open '{spec}': failed")
    assert "S3CR" not in text and "10.0.0.7:554/stream1" in text
    assert "S3CR" not in redacted(spec)


@settings(max_examples=100, deadline=None)
@given(
    st.from_regex(r"[a-z_]{1,12}", fullmatch=True),
    st.from_regex(r"S3CR[A-Za-z0-9%+/=._-]{4,24}", fullmatch=True),
)
def test_query_values_are_hidden_whatever_they_are_called(key: str, value: str) -> None:
    assert "S3CR" not in redacted(f"https://host/live.m3u8?{key}x={value}&{key}y={value}#a")


@pytest.mark.parametrize(
    ("spec", "shown"),
    [
        ("rtsp://u:p@h/cam?channel=1&subtype=0", "rtsp://***@h/cam?channel=1&subtype=0"),
        ("http://h/v.mjpg?user=admin&pwd=geheim", "http://h/v.mjpg?user=***&pwd=***"),
        ("rtsp://h/user=admin_password=geheim_channel=1.sdp", "rtsp://h/user=***"),
        ("rtsp://h/stream1", "rtsp://h/stream1"),
        ("device:0", "device:0"),
    ],
)
def test_what_is_no_secret_stays(spec: str, shown: str) -> None:
    assert redacted(spec) == shown


def test_neither_repr_nor_errors_show_secrets() -> None:
    assert "geheim" not in repr(parse_address("rtsp://admin:geheim@h/x"))
    for spec in ("rtsp://admin:geheim@host:port/x", "rtsp://admin:geheim@/x", "ftp://admin:geheim@h/x"):
        with pytest.raises(SourceError) as caught:
            parse_address(spec)
        assert "geheim" not in str(caught.value)
    with pytest.raises(SourceError) as caught:
        open_source("rtsp://admin:geheim@h/x")
    assert "geheim" not in str(caught.value)
