"""Two logs held against each other: every way to differ is seen, and counted for what it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from crowdstream.lab.soak.same_log import Difference, compare, digest
from crowdstream.stream.wire.codec import encode
from crowdstream.stream.wire.log import LogWriter
from crowdstream.stream.wire.messages import Kind, Message


def live(seq: int, mark: int = 0) -> Message:
    return Message("s", "live.a", seq, Kind.DATA, seq * 10, "file_pts", seq * 10, body={"mark": mark})


def window(seq: int, number: int, rev: int = 0, part: int = 0) -> Message:
    tier = "refined" if rev else "window"
    return replace(live(seq), topic=f"{tier}.a", window=number, rev=rev, part=part, parts=2)


UNDISTURBED = [
    live(1), live(2), window(1, 0), window(2, 0, part=1), live(3), window(3, 1), window(4, 1, part=1),
    window(1, 0, rev=1), live(4),
]  # fmt: skip


def against(folder: Path, messages: Sequence[Message]) -> Difference:
    digests = []
    for name, written in (("one", UNDISTURBED), ("other", messages)):
        path = folder / f"{name}.cslog"
        with LogWriter(path) as log:
            for message in written:
                log.append([message], [encode(message)])
        digests.append(digest(path))
    return compare(*digests)


def test_equal_logs_are_equal_whatever_the_order_across_topics(tmp_path: Path) -> None:
    sorted_by_topic = sorted(UNDISTURBED, key=lambda m: m.topic)
    assert against(tmp_path, sorted_by_topic) == Difference(0, 0, 0, {}, 0)
    assert against(tmp_path, sorted_by_topic).equal


def test_events_and_health_tell_of_the_disturbance_and_do_not_count(tmp_path: Path) -> None:
    told = [replace(live(1), topic="status"), replace(live(1), topic="health")]
    assert against(tmp_path, [*UNDISTURBED, *told]).equal


@pytest.mark.parametrize(
    ("messages", "found"),
    [
        (UNDISTURBED[:5] + UNDISTURBED[7:], Difference(2, 0, 0, {"window.a": 2})),
        ([*UNDISTURBED, window(5, 2)], Difference(0, 1, 0, {"window.a": 1})),
        ([*UNDISTURBED, window(4, 1, part=1)], Difference(0, 0, 1, {}, 1)),
        ([*UNDISTURBED[:-1], live(4, mark=7)], Difference(0, 0, 0, {"live.a": 1})),
        ([live(2), live(1), *UNDISTURBED[2:]], Difference(0, 0, 0, {}, 1)),
        (UNDISTURBED[:-2] + UNDISTURBED[-1:], Difference(1, 0, 0, {"refined.a": 1})),
    ],
)
def test_every_difference_is_counted_for_what_it_is(
    tmp_path: Path, messages: list[Message], found: Difference
) -> None:
    assert against(tmp_path, messages) == found
    assert not found.equal


def test_durable_differences_are_told_apart() -> None:
    found = Difference(0, 0, 0, {"live.a": 3, "window.a": 1, "refined.a": 1})
    assert found.durable_different == 2
