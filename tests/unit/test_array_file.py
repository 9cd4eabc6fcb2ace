"""`array.yaml`: what it means, where it says things are wrong, and that no secret is ever printed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crowdstream.configs.array import (
    MAX_CAMERAS,
    CameraEntry,
    CameraRole,
    entries_of,
    load_array,
    make_entry,
    name_of,
)
from crowdstream.configs.errors import ConfigError
from crowdstream.kernels.errors import CrowdstreamError

ROOT = Path(__file__).resolve().parents[2]
SECRET = "hunter2"


def _written(folder: Path, text: str) -> Path:
    path = folder / "array.yaml"
    path.write_text(text)
    return path


def _cameras(folder: Path, text: str, **environment: str) -> tuple[CameraEntry, ...]:
    return load_array(_written(folder, text), environment)


def test_the_shipped_example_says_what_its_comments_say(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "examples" / "array.yaml").read_text()
    (tmp_path / "gate.json").write_text("{}")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "hall").write_text("p@ss/word\n")
    gate, hall, car_park, entrance, rehearsal = _cameras(tmp_path, text, GATE_PASSWORD=SECRET)
    assert (
        gate.source == f"rtsp://viewer:{SECRET}@10.0.0.7/stream1"
        and gate.calibration == tmp_path / "gate.json"
    )
    assert hall.source == "rtsp://viewer:p%40ss%2Fword@10.0.0.8:554/h264" and hall.calibration is None
    assert hall.live == {"transport": "udp", "stall_s": 10, "max_age_s": 0.3}
    assert [e.role for e in (gate, car_park, entrance)] == [
        CameraRole.BODIES,
        CameraRole.TRACKS,
        CameraRole.WATCH,
    ]
    assert entrance.source == "device:0" and entrance.live["device_size"] == "1280x720"
    assert rehearsal.source == str(tmp_path / "rehearsal.mp4") and rehearsal.source_options == {"seconds": 60}


def test_no_entry_shows_its_source(tmp_path: Path) -> None:
    entries = _cameras(tmp_path, "cameras: [{name: a, source: '${URL}'}]", URL=f"rtsp://u:{SECRET}@h/1")
    assert SECRET in entries[0].source and SECRET not in repr(entries)


def test_defaults_hold_where_a_camera_says_nothing_else(tmp_path: Path) -> None:
    a, b = _cameras(
        tmp_path,
        """
        defaults: {role: tracks, live: {transport: udp, stall_s: 5}, source_options: {seconds: 3}}
        cameras:
          - {name: a, source: rtsp://h/1}
          - {name: b, source: rtsp://h/2, role: watch, live: {stall_s: 7}}
        """,
    )
    assert a.role is CameraRole.TRACKS and a.live == {"transport": "udp", "stall_s": 5}
    assert b.role is CameraRole.WATCH and b.live == {"transport": "udp", "stall_s": 7}
    assert a.source_options == b.source_options == {"seconds": 3}


def test_groups_within_live_are_merged_too(tmp_path: Path) -> None:
    text = """
        defaults: {live: {timing: {sender_reports: false}}}
        cameras: [{name: a, source: rtsp://h/1, live: {timing: {max_clock_error_s: 2.5}}}]
    """
    assert _cameras(tmp_path, text)[0].live == {"timing": {"sender_reports": False, "max_clock_error_s": 2.5}}


def test_anchors_and_merges_work(tmp_path: Path) -> None:
    text = "cameras:\n - &one {name: a, source: rtsp://h/1, role: tracks}\n - {<<: *one, name: b}\n"
    a, b = _cameras(tmp_path, text)
    assert (b.name, b.source, b.role) == ("b", a.source, CameraRole.TRACKS)


def test_names_come_from_the_source_where_none_is_given(tmp_path: Path) -> None:
    text = (
        "cameras: [{source: 'rtsp://u:p@10.0.0.7:554/s'}, {source: 'device:2'}, {source: clips/Hall 1.mp4}]"
    )
    assert [entry.name for entry in _cameras(tmp_path, text)] == ["10.0.0.7", "video2", "Hall_1"]


LINES = """cameras:
  - name: gate
    source: rtsp://viewer:hunter2@10.0.0.7/1
{more}
"""


@pytest.mark.parametrize(
    ("more", "line", "parts"),
    [
        ("    sauce: x", 4, ("unknown key 'sauce'", "did you mean 'source'", "calibration")),
        ("    role: body", 4, ("role 'body'", "bodies, tracks, watch")),
        ("    calibration: none.json", 4, ("calibration", "none.json")),
        ("    calibration: 3", 4, ("calibration: expected text, got a number",)),
        ("    live: {transport: fax}", 4, ("live", "transport", "tcp")),
        ("    live: {stall: 3}", 4, ("unknown key 'stall'", "did you mean 'stall_s'")),
        ("    live: {stall_s: -1}", 4, ("stall_s = -1", "greater than 0")),
        ("    live: [1]", 4, ("live: expected a map of settings, got a list",)),
        ("    source_options: {fps: 0}", 4, ("fps = 0",)),
        ("    source_options: {camera: x}", 2, ("called by its 'name'",)),
        ("  - {name: gate, source: rtsp://h/2}", 4, ("second camera called 'gate'",)),
        ("  - {name: two words, source: rtsp://h/2}", 4, ("'two words'", "1 to 64 letters")),
        ("  - {name: .., source: rtsp://h/2}", 4, ("'..'", "not dots alone")),
        ("  - {name: 7, source: rtsp://h/2}", 4, ("name: expected text, got a number; put it into quotes",)),
        ("  - {name: b}", 4, ("without a source",)),
        ("  - {name: b, source: ''}", 4, ("source: expected text",)),
        ("  - just text", 4, ("expected a map of settings, got text",)),
        ("  - {name: b, source: 'ftp://u:hunter2@h/x'}", 4, ("kind that is not known",)),
        ("  - {name: b, source: 'rtsp://u:hunter2@h:port/x'}", 4, ("cannot read the address",)),
        ("  - {name: b, source: 'rtsp://u:${PASS}@h/x'}", 4, ("PASS is not set", "${file:PATH}")),
        ("  - {name: b, source: 'rtsp://u:${EMPTY}@h/x'}", 4, ("EMPTY is empty",)),
        ("  - {name: b, source: 'rtsp://hunter2:${file:no}@h/x'}", 4, ("cannot read the secret file", "no")),
        ("  - {name: b, source: 'rtsp://hunter2:${PASS@h/x'}", 4, ("without its '}'",)),
        ("  - {name: b, source: 'rtsp://hunter2:${a b}@h/x'}", 4, ("neither ${NAME} nor ${file:PATH}",)),
        ("  - {name: b, source: other.yaml}", 4, ("array inside an array",)),
        ("    role: tracks\n    role: watch", 2, ("'role' stands twice",)),
        ("    role: {[1]: 2}", 4, ("a key that is no text",)),
        ("  - {name: b, source: ", 5, ("not YAML",)),
        ("extra: 1", 4, ("unknown key 'extra'", "cameras, defaults")),
        ("defaults: {name: x}", 4, ("unknown key 'name'", "live")),
        ("defaults: {live: {stall_s: 0}}", 4, ("stall_s = 0",)),
    ],
)
def test_what_is_wrong_is_said_with_its_line_and_without_the_source(
    tmp_path: Path, more: str, line: int, parts: tuple[str, ...]
) -> None:
    path = _written(tmp_path, LINES.format(more=more))
    with pytest.raises(ConfigError) as caught:
        load_array(path, {"EMPTY": ""})
    text = str(caught.value)
    assert text.startswith(f"{path}:{line}: ") and "\n" not in text and SECRET not in text
    for part in parts:
        assert part in text


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "expected a map of settings, got nothing"),
        ("[]", "expected a map of settings, got a list"),
        ("{}", "no list 'cameras'"),
        ("cameras: []", "expected a list of cameras"),
        ("cameras: {a: 1}", "expected a list of cameras, got a map"),
        ("a: &a [*a]", "not YAML"),
        ("--- {}\n--- {}", "not YAML"),
        ("cameras: !!python/object/apply:os.system ['true']", "a tag"),
        ("cameras: !!python/name:os.system ''", "not YAML"),
    ],
)
def test_files_that_list_no_cameras(tmp_path: Path, text: str, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        _cameras(tmp_path, text)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the array"):
        load_array(tmp_path / "none.yaml")
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is no text"):
        load_array(tmp_path / "bytes.yaml")
    (tmp_path / "big.yaml").write_text("#" * (1 << 21))
    with pytest.raises(ConfigError, match="larger than"):
        load_array(tmp_path / "big.yaml")


def test_anchors_that_unfold_without_end_are_refused_at_once(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{k}: &a{k} [{', '.join([f'*a{k - 1}'] * 10)}]" for k in range(1, 12)]
    with pytest.raises(ConfigError, match="more than"):
        _cameras(tmp_path, "\n".join(lines))


def test_as_many_cameras_as_an_engine_takes_and_no_more(tmp_path: Path) -> None:
    def text(count: int) -> str:
        return "cameras:\n" + "".join(f" - {{name: c{k}, source: rtsp://h/{k}}}\n" for k in range(count))

    assert len(_cameras(tmp_path, text(MAX_CAMERAS))) == MAX_CAMERAS
    with pytest.raises(ConfigError, match=f"{MAX_CAMERAS + 1} cameras"):
        _cameras(tmp_path, text(MAX_CAMERAS + 1))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("rtsp://u:${P}@h/x", "rtsp://u:p%40%2F%3A%25x@h/x"),
        ("rtsp://${P}:${P}@h/x", "rtsp://p%40%2F%3A%25x:p%40%2F%3A%25x@h/x"),
        ("rtsp://u@v:${P}@h/a@b", "rtsp://u@v:p%40%2F%3A%25x@h/a@b"),
        ("rtsp://h/${Q}@x", "rtsp://h/word@x"),
        ("rtsp://h/x?token=${Q}", "rtsp://h/x?token=word"),
        ("rtsp://u:a$$b@h/x", "rtsp://u:a$b@h/x"),
        ("rtsp://${H}/x", "rtsp://10.0.0.9:554/x"),
        ("${URL}", "rtsp://u:p%40@h/x"),
    ],
)
def test_secrets_are_encoded_where_a_login_stands_and_nowhere_else(
    tmp_path: Path, template: str, expected: str
) -> None:
    environment = {"P": "p@/:%x", "Q": "word", "H": "10.0.0.9:554", "URL": "rtsp://u:p%40@h/x"}
    assert (
        _cameras(tmp_path, f"cameras: [{{name: a, source: '{template}'}}]", **environment)[0].source
        == expected
    )


@pytest.mark.parametrize(("content", "part"), [(b"", "is empty"), (b"\nx", "is empty"), (b"\xff", "is no text"),
                                               (b"x" * 5000, "longer than")])  # fmt: skip
def test_secret_files_that_hold_no_secret(tmp_path: Path, content: bytes, part: str) -> None:
    (tmp_path / "s").write_bytes(content)
    with pytest.raises(ConfigError, match=part):
        _cameras(tmp_path, "cameras: [{name: a, source: 'rtsp://u:${file:s}@h/x'}]")


@given(secret=st.text(st.characters(codec="ascii", min_codepoint=33), min_size=1, max_size=30))
def test_any_password_reaches_the_camera_as_it_is(secret: str) -> None:
    from urllib.parse import unquote, urlsplit

    from crowdstream.configs.secrets import expand

    parts = urlsplit(expand("rtsp://u:${P}@h:554/x?y=1", {"P": secret}, Path()))
    assert unquote(parts.password or "") == secret
    assert (parts.username, parts.hostname, parts.port, parts.path) == ("u", "h", 554, "/x")


def test_one_source_is_an_array_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "pictures.d"
    folder.mkdir()
    specs = ["rtsp://u:p@cam-3.local/1", "device:/dev/video1", "clips/plaza.mp4", str(folder)]
    assert [[e.name for e in entries_of(spec)] for spec in specs] == [
        ["cam-3.local"], ["video1"], ["plaza"], ["pictures.d"]
    ]  # fmt: skip
    assert entries_of("clips/plaza.mp4")[0].source == "clips/plaza.mp4"
    path = _written(tmp_path, "cameras: [{name: a, source: 'rtsp://${H}/1'}, {name: b, source: rtsp://h/2}]")
    assert [e.name for e in entries_of(str(path), {"H": "h"})] == ["a", "b"]


@given(st.text(max_size=100))
def test_whatever_a_file_is_called_gives_a_name(text: str) -> None:
    try:
        name = name_of(text)
    except CrowdstreamError:
        return  # an address that cannot be one
    assert CameraEntry(name, text).name == name


def test_a_camera_that_is_added_gets_no_secret_of_this_machine() -> None:
    entry = make_entry("", "rtsp://u:${HOME}@h/1", others=("a",))
    assert entry.source == "rtsp://u:${HOME}@h/1" and entry.name == "h"


@pytest.mark.parametrize(
    ("name", "source", "role", "part"),
    [
        ("a", "rtsp://h/1", "bodies", "camera 'a' already"),
        ("no good", "rtsp://h/1", "bodies", "'no good'"),
        ("b", "rtsp://h/1", "none", "role 'none'"),
        ("b", " ", "bodies", "without a source"),
        ("b", "x.yaml", "bodies", "one by one"),
        ("b", "rtsp://u:hunter2@h:x/1", "bodies", "cannot read the address"),
    ],
)
def test_a_camera_that_cannot_be_added_says_why(name: str, source: str, role: str, part: str) -> None:
    with pytest.raises(CrowdstreamError, match=part) as caught:
        make_entry(name, source, role=role, others=("a",))
    assert SECRET not in str(caught.value)
