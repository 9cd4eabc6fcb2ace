"""The bytes of every published minor version: still made, still read, and read with what later ones may add."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import msgpack
import numpy as np
import pytest

from crowdstream.stream.errors import ProtocolError
from crowdstream.stream.identity import IdentityChange
from crowdstream.stream.refine.records import RevisionCause
from crowdstream.stream.wire.codec import decode, encode, glance
from crowdstream.stream.wire.identity import identity_record
from crowdstream.stream.wire.ledger import Ledger
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import VERSION, Control, Gap, Hello, Kind, Message
from crowdstream.stream.wire.revision import revision_record
from crowdstream.stream.wire.schema import SiteSchema, schema_hash
from crowdstream.stream.wire.tiers import live_record, window_record

HERE = Path(__file__).parent
FOLDERS = sorted(HERE.glob("wire_*_*"))
FILES = [file for folder in FOLDERS for file in sorted(folder.glob("*.msg"))]
CURRENT = HERE / "wire_{}_{}".format(*VERSION)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_wire", HERE / "make_wire.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_current_version_makes_the_golden_bytes(maker: ModuleType, tmp_path: Path) -> None:
    made = {name: encode(message) for name, message in maker.golden_messages().items()}
    held = {file.stem: file.read_bytes() for file in CURRENT.glob("*.msg")}
    assert made.keys() == held.keys()
    assert [name for name in made if made[name] != held[name]] == []
    maker.write_golden_log(tmp_path / "a.cslog")
    assert (tmp_path / "a.cslog").read_bytes() == (CURRENT / "recording.cslog").read_bytes()


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_every_published_message_is_read(file: Path) -> None:
    message = decode(file.read_bytes())
    match message:
        case Message(kind=Kind.SCHEMA):
            assert message.body["hash"] == schema_hash(message.body)
            assert SiteSchema.from_message(message).to_body()["hash"] == message.body["hash"]
        case Message(window=int()):
            assert window_record([message]).window == message.window
            revision = revision_record([message])  # 1.0 gave no reasons
            assert (revision is not None) == (message.rev == 1 and message.version >= (1, 1))
            assert revision is None or revision.cause.tolist() == [
                RevisionCause.GAP_FILLED,
                RevisionCause.GUIDED,
            ]
        case Message() if message.topic.startswith("identity."):
            event = identity_record(message)
            assert event is not None and event.gap_s == 3.2 and (event.track, event.previous) == (17, 5)
            assert event.person == (5 if event.change is IdentityChange.MERGE else 17)
        case Message() if message.topic.startswith(("live.", "late.")):
            assert live_record(message).t_capture_ns == message.t_capture_ns
        case Control(kind=Kind.GAP):
            assert Gap.parse(message).first == 4
        case Control(kind=Kind.HELLO) if not message.sid:
            assert Hello.parse(message).last == {"live.hall": 3}
        case Message() | Control():
            assert message.body


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_a_glance_sees_the_same_numbers(file: Path) -> None:
    whole, seen = decode(file.read_bytes()), glance(file.read_bytes())
    assert type(seen) is type(whole)
    assert all(getattr(seen, name) == value for name, value in vars(whole).items() if name != "body")
    plain = {key: value for key, value in whole.body.items() if type(value) in (str, int, float, bool)}
    assert plain.items() <= seen.body.items()
    if isinstance(ids := whole.body.get("person_ids"), np.ndarray):
        np.testing.assert_array_equal(seen.body["person_ids"], ids)  # type: ignore[arg-type]


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x90", b"\x80", b"\xc1", b"\x81\xa1v\x92\x63\x00"])
def test_a_glance_at_what_is_no_message_says_so(data: bytes) -> None:
    with pytest.raises(ProtocolError):
        glance(data)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_ledger_is_the_same_by_a_glance(folder: Path) -> None:
    whole, seen = Ledger(), Ledger()
    for record in LogReader(folder / "recording.cslog").records():
        for data in record.messages:
            for ledger, read in ((whole, decode), (seen, glance)):
                message = read(data)
                assert isinstance(message, Message)
                ledger.note(message, data)
    assert vars(seen) == vars(whole) and seen.sites


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_unknown_keys_are_ignored_everywhere(file: Path) -> None:
    raw = msgpack.unpackb(file.read_bytes())
    wider = _widen(raw) | {"v": [VERSION[0], VERSION[1] + 1]}
    later, now = decode(msgpack.packb(wider)), decode(file.read_bytes())
    assert _plain(later.body) == _plain(now.body)
    if isinstance(later, Message) and later.topic.startswith("live."):
        assert live_record(later).drops == live_record(now).drops  # type: ignore[arg-type]


def test_unknown_kind_of_a_later_minor_is_skipped_not_refused() -> None:
    raw = {"v": [VERSION[0], VERSION[1] + 1], "kind": "weather", "sid": "s", "t_pub": 0, "body": {}}
    assert decode(msgpack.packb(raw)).kind is Kind.OTHER
    with pytest.raises(ProtocolError, match="weather"):
        decode(msgpack.packb(raw | {"v": list(VERSION)}))


@pytest.mark.parametrize("major", [0, 2, 99])
def test_other_major_is_refused_with_a_reason(major: int) -> None:
    raw = msgpack.unpackb((CURRENT / "live.msg").read_bytes())
    with pytest.raises(ProtocolError, match=rf"protocol {major}\.0, expected 1\.x"):
        decode(msgpack.packb(raw | {"v": [major, 0]}))


@pytest.mark.parametrize("file", FILES, ids=lambda f: f"{f.parent.name}/{f.stem}")
def test_every_missing_required_key_is_named(file: Path) -> None:
    raw = msgpack.unpackb(file.read_bytes())
    optional = {"win", "rev", "part", "parts", "skew_ns"}
    for key in raw.keys() - optional:
        with pytest.raises(ProtocolError, match=f"'{key}'|kind"):
            decode(msgpack.packb({k: v for k, v in raw.items() if k != key}))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda f: f.name)
def test_golden_log_is_read(folder: Path) -> None:
    reader = LogReader(folder / "recording.cslog")
    topics = [message.topic.removesuffix(".hall") for message in reader.messages()]
    since_1_1 = ["identity", "refined"] if folder.name >= "wire_1_1" else []
    assert topics == ["schema", "live", "live", "live", "late", "window", "window", *since_1_1, "status"]
    assert reader.last_state() == {"slots": [48, 52], "betas_weight": 2.0}
    assert reader.health.describe() == ""


def _widen(value: object) -> object:
    """Every map gets one more key, but those whose keys are data (drops by cause, numbers by topic)."""
    if isinstance(value, dict):
        return {k: v if k in ("drops", "seqs", "evidence") else _widen(v) for k, v in value.items()} | {
            "zz_later": 1
        }
    return [_widen(item) for item in value] if isinstance(value, list) else value


def _plain(value: object) -> object:
    """Comparable, without the keys of `_widen`."""
    if isinstance(value, np.ndarray):
        return value.tobytes(), value.shape, value.dtype.str
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if k != "zz_later"}
    return [_plain(item) for item in value] if isinstance(value, list) else value
