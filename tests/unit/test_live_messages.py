"""Messages between a decoder process and its parent: whole or not at all, whatever the cuts."""

from __future__ import annotations

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.records import ClockOrigin, PixelFormat
from crowdstream.stream.ring import SlotToken
from crowdstream.stream.sources.live.messages import (
    Beat,
    Came,
    ChannelError,
    Ended,
    Inbox,
    Job,
    Lost,
    Message,
    Opened,
    job_of,
    message_of,
    pack,
)
from crowdstream.stream.sources.live.records import SourceFault

TOKEN = SlotToken(
    "crowdstream_1_ab",
    3,
    7,
    (180, 160),
    PixelFormat.I420,
    "gate",
    41,
    10**18,
    ClockOrigin.NTP_SR,
    (160, 120),
    -5,
)
MESSAGES: list[Message] = [
    Opened("h264", (160, 120), 25.0),
    Opened("", None, None),
    Came(TOKEN, 12345),
    Beat(1, None, 0, {"decoded": 0}, None, "host"),
    Beat(2, 1, 42, {"decoded": 42, "broken": 1}, -3.5, "ntp_sr"),
    Lost(SourceFault.SILENT, "no frame for 10 s"),
    Ended(),
]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(MESSAGES), max_size=6), st.integers(1, 50))
def test_round_trip_whatever_the_pieces(messages: list[Message], piece: int) -> None:
    data = b"".join(pack(message) for message in messages)
    inbox = Inbox()
    got = [message_of(m) for i in range(0, len(data), piece) for m in inbox.feed(data[i : i + piece])]
    assert got == messages


def test_the_job_round_trips_and_shows_no_secret() -> None:
    job = Job("rtsp://u:geheim@h/x", "gate", 5, None, (4, 2), {"stall_s": 1.0}, 1, True)
    (data,) = Inbox().feed(pack(job))
    data.pop("is")
    assert job_of(data) == job and "geheim" not in repr(job)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200))
def test_noise_is_refused_by_name_or_waited_for(noise: bytes) -> None:
    inbox = Inbox()
    try:
        for message in inbox.feed(noise):
            message_of(message)
    except ChannelError as exc:
        assert "\n" not in str(exc)


@pytest.mark.parametrize(
    "body",
    [
        {"is": "Came"},
        {"is": "nobody"},
        {},
        {"is": "Lost", "fault": "x", "text": ""},
        {"is": "Came", "token": 3},
    ],
)
def test_what_is_no_message_is_said(body: dict[str, object]) -> None:
    data = msgpack.packb(body)
    with pytest.raises(ChannelError):
        for message in Inbox().feed(len(data).to_bytes(4, "big") + data):
            message_of(message)


def test_a_length_that_cannot_be_is_refused_before_it_is_waited_for() -> None:
    with pytest.raises(ChannelError, match="announced"):
        list(Inbox().feed(b"\xff\xff\xff\xff"))
