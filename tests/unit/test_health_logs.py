"""No secret in a line, no line that is no line, no disk filled, and nothing raised."""

from __future__ import annotations

import io
import json
import string
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.stream.clock import FakeClock
from crowdstream.stream.errors import LogError
from crowdstream.stream.health.config import HealthConfig
from crowdstream.stream.health.logs import MAX_TEXT, EventLog, StreamSink, open_event_log
from crowdstream.stream.health.redact import HIDDEN, Secrets, redact
from crowdstream.stream.health.rotating_file import RotatingFile


class Lines:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.closed = False

    def write(self, line: str) -> None:
        self.lines.append(line)

    def close(self) -> None:
        self.closed = True

    @property
    def rows(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.lines]


PASSWORD = st.text(
    string.ascii_letters + string.digits + "!$%^&*()_+-=~.,;:/?#[]@|\\\"'", min_size=4, max_size=24
)
SECRETIVE = "".join(chr(0x3B1 + i) for i in range(24))
"""Greek letters stand in none of our own texts, so that finding them means a leak."""
GREEK = st.text(SECRETIVE, min_size=6, max_size=24)


# --- redaction --------------------------------------------------------------------------------------------


@given(GREEK, PASSWORD, st.sampled_from(["rtsp", "http", "rtsps", "tcp", "RTMP"]))
def test_no_credentials_of_an_address_are_left(core: str, around: str, scheme: str) -> None:
    password = around[:3] + core + around[3:]
    said = redact(f"cannot open {scheme}://admin:{password}@10.0.0.7:554/stream1: refused")
    assert not set(core) & set(said)
    assert "10.0.0.7:554/stream1" in said
    assert redact(said) == said


@given(GREEK, st.sampled_from([
    "http://h/live?token={}&x=1", "?api_key={}", "password={}", 'fields {{"access_token": "{}"}}', "pwd: {}",
    "Authorization: Bearer {}", "authorization: Basic abc{}", "--health-token={}", "my_secret = '{}'", "auth={} ok",
]))  # fmt: skip
def test_no_value_that_is_named_as_a_secret_is_left(secret: str, form: str) -> None:
    said = redact("before " + form.format(secret))
    assert not set(secret) & set(said)
    assert HIDDEN in said and said.startswith("before ")


@given(PASSWORD)
def test_what_is_known_to_be_secret_is_hidden_in_every_spelling(secret: str) -> None:
    secrets = Secrets([secret])
    for spelling in (secret, quote(secret, safe="")):
        said = secrets.hide(f"[{spelling}]")
        assert spelling not in said.strip("[]") or spelling in HIDDEN


@pytest.mark.parametrize("password", ["hunter2", "p%40ss%2Fword", "a/b@c:d", "p@ssword"])
def test_the_password_of_an_address_is_hidden_where_it_stands_alone(password: str) -> None:
    secrets = Secrets()
    secrets.add_address(f"rtsp://admin:{password}@10.0.0.7/1")
    for said in (password, unquote(password)):
        assert said not in redact(f"401 for admin, {said}", secrets)
    for harmless in ("rtsp://10.0.0.7/1", "device:0", "rtsp://admin@10.0.0.7/1", ""):
        secrets.add_address(harmless)
    assert redact("admin at 10.0.0.7", secrets) == "admin at 10.0.0.7"


@pytest.mark.parametrize("text", [
    "gate reconnecting(3): rtsp://10.0.0.7/stream1 refused", "second pass: 3 windows", "basic settings", "x@y.org",
    "compass=3", "3 tokens of the ring", "http://127.0.0.1:9108/metrics?x=1",
])  # fmt: skip
def test_what_is_no_secret_can_be_read(text: str) -> None:
    assert redact(text) == text


# --- events -----------------------------------------------------------------------------------------------


TEXT = st.text(max_size=40)


@given(TEXT, TEXT, TEXT, st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.one_of(
    TEXT, st.integers(), st.floats(), st.none(), st.lists(TEXT, max_size=3), st.dictionaries(TEXT, TEXT, max_size=3)
), max_size=4))  # fmt: skip
def test_any_event_is_one_line(kind: str, text: str, camera: str, fields: dict[str, object]) -> None:
    fields = {
        k: v for k, v in fields.items() if k not in ("kind", "text", "level", "camera", "stage", "self")
    }
    machine, person = Lines(), Lines()
    EventLog(machine).event(kind, text, camera=camera, **fields)
    EventLog(person, as_json=False).event(kind, text, camera=camera, **fields)
    (row,), (line,) = machine.rows, person.lines
    assert row["event"] == kind.encode("utf-8", "replace").decode() or HIDDEN in str(row["event"])
    assert line.isprintable()
    assert machine.lines[0].encode("utf-8").count(b"\n") == 0


def test_a_row_has_what_a_collector_looks_for() -> None:
    sink = Lines()
    log = EventLog(sink, clock=FakeClock(1_790_000_000_123_000_000))
    log.event(
        "camera_state", "gate stalled", level="warning", camera="gate", stage="camera", attempt=3, token="x"
    )
    assert sink.rows == [{
        "time": "2026-09-21T14:13:20.123Z", "level": "warning", "event": "camera_state", "camera": "gate",
        "stage": "camera", "text": "gate stalled", "fields": {"attempt": 3, "token": HIDDEN},
    }]  # fmt: skip


@given(GREEK)
def test_no_field_of_any_form_gives_a_secret_away(secret: str) -> None:
    url = f"rtsp://u:{secret}@h/1"
    for as_json in (True, False):
        sink = Lines()
        EventLog(sink, as_json, secrets=Secrets([secret])).event(
            f"kind {secret}", url, camera=secret, a=url, b=[url, {"c": url, url: 1}], password=secret,
            d={"token": secret}, e=Path(url), f=ValueError(url), g={"h": {"i": {"j": {"k": url}}}},
        )  # fmt: skip
        assert not set(secret) & set(sink.lines[0])


@given(GREEK, st.integers(0, 6 * MAX_TEXT))
def test_cutting_a_text_uncovers_no_secret(secret: str, before: int) -> None:
    sink = Lines()
    log = EventLog(sink, secrets=Secrets([secret]))
    log.event("x", "y" * before + secret + " " + secret * 200)
    assert not set(secret) & set(sink.lines[0])
    assert len(str(sink.rows[0]["text"])) <= MAX_TEXT


def test_levels_below_the_least_are_left_out() -> None:
    sink = Lines()
    log = EventLog(sink, level="warning")
    for level in ("debug", "info", "warning", "error"):
        log.event("x", level, level=level)  # type: ignore[arg-type]
    assert [row["level"] for row in sink.rows] == ["warning", "error"]


def test_a_flapping_camera_is_cut_short_and_the_rest_counted() -> None:
    sink, clock = Lines(), FakeClock(10**18)
    log = EventLog(sink, burst=5, window_s=60.0, clock=clock)
    for _ in range(1000):
        log.event("camera_state", "flap", camera="bad")
        log.tick()
        clock.advance(0.05)
    log.event("camera_state", "fine", camera="good")
    log.event("worker_restarted", "solver", camera="bad")
    assert [row["camera"] for row in sink.rows] == ["bad"] * 5 + ["good", "bad"]
    clock.advance(60.0)
    log.tick()
    told = sink.rows[-1]
    assert told["event"] == "suppressed" and told["camera"] == "bad"
    assert told["fields"] == {"of": "camera_state", "count": 995}
    log.event("camera_state", "flap", camera="bad")
    assert sink.rows[-1]["text"] == "flap"


def test_all_events_are_said_or_counted_when_the_log_is_closed() -> None:
    sink, clock = Lines(), FakeClock(10**18)
    log = EventLog(sink, burst=3, window_s=60.0, clock=clock)
    for i in range(500):
        log.event(f"kind{i % 7}", "x", camera=f"c{i % 3}")
        clock.advance(0.7)
    log.close()
    assert sink.closed
    said = sum(row["event"] != "suppressed" for row in sink.rows)
    counted = sum(row["fields"]["count"] for row in sink.rows if row["event"] == "suppressed")  # type: ignore[index]
    assert said + counted == 500


def test_as_many_names_as_there_may_be_take_bounded_memory() -> None:
    sink = Lines()
    log = EventLog(sink, burst=1, clock=FakeClock(10**18))
    for i in range(5000):
        log.event(f"kind{i}", "x")
    assert len(log._windows) <= 1025
    assert len(sink.lines) <= 1025


def test_a_pipe_that_nobody_reads_stops_nothing() -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    log = EventLog(StreamSink(Broken()))
    log.event("x", "y")
    log.close()


# --- files ------------------------------------------------------------------------------------------------


def test_files_are_put_aside_and_the_oldest_goes(tmp_path: Path) -> None:
    path = tmp_path / "log" / "engine.log"
    log = RotatingFile(path, max_bytes=100, keep=2)
    for i in range(100):
        log.write(f"line {i:03d} {'x' * 20}")
    log.close()
    names = sorted(p.name for p in path.parent.iterdir())
    assert names == ["engine.log", "engine.log.1", "engine.log.2"]
    kept = [line for name in ("engine.log.2", "engine.log.1", "engine.log")
            for line in (path.parent / name).read_text().splitlines()]  # fmt: skip
    assert kept == [f"line {i:03d} {'x' * 20}" for i in range(100 - len(kept), 100)]
    assert all(p.stat().st_size <= 100 and p.stat().st_mode & 0o77 == 0 for p in path.parent.iterdir())


def test_none_kept_aside_starts_anew_and_a_restart_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    for i in range(3):
        log = RotatingFile(path, max_bytes=20, keep=0)
        log.write(f"start {i}")
        log.close()
    assert path.read_text() == "start 2\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_counted_and_then_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = RotatingFile(tmp_path / "engine.log", max_bytes=10, keep=1)
    with monkeypatch.context() as patch:
        patch.setattr("os.open", lambda *a, **k: (_ for _ in ()).throw(OSError(28, "no space")))
        log.write("fits into what is open")
        log.write("needs a new file")
        log.write("and again")
        assert log.lost == 2
    log.write("there is space")
    log.close()
    assert "there is space" in (tmp_path / "engine.log").read_text()


def test_a_log_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LogError, match="log_file"):
        open_event_log(HealthConfig(log_file=str(tmp_path / "file" / "engine.log")))


def test_the_log_is_as_configured(tmp_path: Path) -> None:
    config = HealthConfig.model_validate({"log_file": str(tmp_path / "engine.log"), "token": "hunter22"})
    log = open_event_log(config)
    log.event("x", "hunter22 came")
    log.close()
    assert json.loads((tmp_path / "engine.log").read_text())["text"] == f"{HIDDEN} came"
    stderr = io.StringIO()
    open_event_log(HealthConfig(), FakeClock(10**18), stderr).event("x", "the command says it by itself")
    log = open_event_log(HealthConfig(log_form="text"), FakeClock(10**18), stderr)
    log.event("camera_state", "gate runs", camera="gate", fps=25)
    log.close()
    assert stderr.getvalue() == "2001-09-09T01:46:40.000Z info    camera_state [gate] gate runs fps=25\n"
