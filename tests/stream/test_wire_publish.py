"""The publisher stage: log first, numbers from the log, the same bytes for the same replay."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from crowdstream.lab.bench.wire_cases import (
    FRAME_NS,
    walkers_frame,
    walkers_late,
    walkers_schema,
    walkers_window,
)
from crowdstream.stream.errors import LogError, PublishError
from crowdstream.stream.wire import log as log_module
from crowdstream.stream.wire.log import LogReader, LogWriter
from crowdstream.stream.wire.messages import Message
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage
from crowdstream.stream.wire.tiers import live_record


def stage(log: Path | None, now: list[int] | None = None, **settings: object) -> PublisherStage:
    config = PublishConfig(listen="", **settings)  # type: ignore[arg-type]
    clock = now if now is not None else [10**18]
    made = PublisherStage(config, "hall", walkers_schema(), log, wall_ns=lambda: clock[0])
    made.start()
    return made


def push_some(publisher: PublisherStage, first: int = 0) -> None:
    for i in range(first, first + 3):
        publisher.push_live(walkers_frame(3, i))
        publisher.push_health({"fps": 25.0 + i})
    publisher.push_window(walkers_window(30, first // 16), state={"slots": np.arange(3)})
    publisher.push_status({"event": "camera_lost", "camera": "cam0"})


def logged(path: Path) -> list[Message]:
    return list(LogReader(path).messages())


def test_same_replay_gives_the_same_bytes_whatever_the_wall_clock(tmp_path: Path) -> None:
    for name, start_ns in (("a", 10**18), ("b", 2 * 10**18)):
        publisher = stage(tmp_path / name, [start_ns], session="fixed", clock="capture")
        push_some(publisher)
        publisher.stop()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert all(m.t_publish_ns == m.t_capture_ns for m in logged(tmp_path / "a"))


def test_health_is_published_but_not_recorded(tmp_path: Path) -> None:
    publisher = stage(tmp_path / "a")
    push_some(publisher)
    publisher.stop()
    topics = [m.topic for m in logged(tmp_path / "a")]
    assert topics == ["schema.hall", *["live.hall"] * 3, *["window.hall"] * 2, "status"]
    assert publisher.stats().messages["health"] == 3


def test_late_rows_are_recorded_and_counted_and_leave_the_order_of_live_alone(tmp_path: Path) -> None:
    publisher = stage(tmp_path / "a", clock="capture")
    for i in range(5):
        publisher.push_live(walkers_frame(2, i))
    publisher.push_late(walkers_late(2, 1))
    publisher.push_late(walkers_late(2, 0))
    publisher.push_live(walkers_frame(2, 5))
    publisher.push_status({"event": "camera_lost"})
    publisher.stop()
    messages = logged(tmp_path / "a")
    late = [m for m in messages if m.topic == "late.hall"]
    assert [m.seq for m in late] == [1, 2] and publisher.stats().messages["late.hall"] == 2
    assert [live_record(m).index for m in late] == [1, 0]
    assert [m.t_capture_ns for m in late] == [FRAME_NS, 0]
    assert [m.t_publish_ns for m in late] == [4 * FRAME_NS] * 2  # they were not known before
    live = [m.t_capture_ns for m in messages if m.topic == "live.hall"]
    assert live == sorted(live) and messages[-1].t_capture_ns == 5 * FRAME_NS
    assert all(m.quality["recorded"] for m in late)


def test_restart_goes_on_with_the_numbers_of_its_session(tmp_path: Path) -> None:
    path = tmp_path / "a"
    for first in (0, 16):
        publisher = stage(path, session="fixed", append=True)
        push_some(publisher, first)
        publisher.stop()
    for topic in ("live.hall", "window.hall", "schema.hall"):
        seqs = [m.seq for m in logged(path) if m.topic == topic]
        assert seqs == [*range(1, len(seqs) + 1)]
    state = LogReader(path).last_state()
    assert state is not None and state["slots"].tolist() == [0, 1, 2]


def test_restart_with_a_new_session_starts_at_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    sids = []
    for _ in range(2):
        publisher = stage(path, append=True)
        push_some(publisher)
        publisher.stop()
        sids.append(publisher.sid)
    assert sids[0] != sids[1]
    assert [(m.sid, m.seq) for m in logged(path) if m.topic == "status"] == [(sids[0], 1), (sids[1], 1)]


def test_commit_comes_before_publication(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    publisher = stage(tmp_path / "a")

    class Recorder:
        num_subscribers = 0

        def publish(self, message: Message, data: bytes) -> None:
            order.append(f"publish {message.topic}")

        def stop(self, *_: object) -> None:
            pass

    for name in ("append", "sync"):
        real = getattr(LogWriter, name)
        monkeypatch.setattr(
            LogWriter, name, lambda self, *a, real=real, name=name: (order.append(name), real(self, *a))[1]
        )
    publisher.server = Recorder()  # type: ignore[assignment]
    publisher.push_live(walkers_frame(1, 0))
    publisher.push_window(walkers_window(30, 0))
    assert order == [
        "append",
        "publish live.hall",
        "append",
        "sync",
        "publish window.hall",
        "publish window.hall",
    ]
    publisher.stop()


@pytest.mark.parametrize("failing", ["pwrite", "fdatasync"])
def test_disk_refusing_does_not_stop_the_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    published: list[Message] = []

    class Recorder:
        num_subscribers = 0

        def publish(self, message: Message, data: bytes) -> None:
            published.append(message)

        def stop(self, *_: object) -> None:
            pass

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    publisher = stage(tmp_path / "a")
    publisher.server = Recorder()  # type: ignore[assignment]
    publisher.push_window(walkers_window(1, 0))
    real = getattr(os, failing)
    monkeypatch.setattr(log_module.os, failing, refuse)
    publisher.push_window(walkers_window(1, 1))
    monkeypatch.setattr(log_module.os, failing, real)
    publisher.push_window(walkers_window(1, 2))
    publisher.stop()
    assert [(m.seq, m.quality["recorded"]) for m in published] == [(1, True), (2, False), (3, True)]
    assert publisher.stats().not_recorded == 1
    assert "No space left" in publisher.last_error
    held = [m.window for m in logged(tmp_path / "a") if m.topic == "window.hall"]
    assert held in ([0, 2], [0, 1, 2])  # what was written but not synced may well have survived
    assert (1 in held) == (failing == "fdatasync")


def test_only_confirmed_tracks_leave_and_the_rest_is_counted(tmp_path: Path) -> None:
    publisher = stage(tmp_path / "a")
    publisher.push_live(walkers_frame(3, 5))
    publisher.stop()
    (message,) = [m for m in logged(tmp_path / "a") if m.topic == "live.hall"]
    assert message.body["person_ids"].tolist() == [1, 2, 3]  # type: ignore[attr-defined]
    assert message.quality == {"drops": {"pose_budget": 2}, "unconfirmed": 1, "failed": 0, "recorded": True}
    assert message.t_capture_ns == 5 * FRAME_NS


def test_latency_is_publication_less_arrival(tmp_path: Path) -> None:
    now = [10**18]
    publisher = stage(None, now)
    for late_ms in range(101):
        now[0] += late_ms * 1_000_000
        publisher.push_live(walkers_frame(1, late_ms), t_arrival_ns=now[0] - late_ms * 1_000_000)
    latency = publisher.stats().latency_ms
    assert latency == {"live": {"p50": pytest.approx(50.0), "p95": pytest.approx(95.0)}}
    assert publisher.summary()["latency_ms"]["live"]["p50"] == pytest.approx(50.0)
    publisher.stop()


def test_without_a_log_messages_say_that_they_are_not_recorded() -> None:
    publisher = stage(None)
    publisher.push_window(walkers_window(1, 0))
    publisher.stop()
    assert publisher.stats().log_bytes == 0 and publisher.stats().not_recorded == 0


def test_errors_at_the_border(tmp_path: Path) -> None:
    unstarted = PublisherStage(PublishConfig(listen=""), "hall", walkers_schema())
    with pytest.raises(PublishError, match="call start"):
        unstarted.push_live(walkers_frame(1, 0))
    (tmp_path / "notes.txt").write_text("mine, and long enough to be read as a header")
    with pytest.raises(LogError, match="not a crowdstream log"):
        stage(tmp_path / "notes.txt")
    config = PublishConfig(listen="tcp://0.0.0.0:0")
    with pytest.raises(PublishError, match=r"publish\.token"):
        PublisherStage(config, "hall", walkers_schema(), tmp_path / "a").start()
    with pytest.raises(PublishError, match="certificate"):
        PublisherStage(PublishConfig(tls_cert=tmp_path / "none.pem"), "hall", walkers_schema()).start()


@pytest.mark.parametrize(
    "bad", [{"fsync": "sometimes"}, {"queue_messages": 0}, {"session": "a b"}, {"port": 1}]
)
def test_settings_out_of_range_are_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        PublishConfig(**bad)  # type: ignore[arg-type]
