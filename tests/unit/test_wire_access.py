"""Who may do what; tokens in files."""

from __future__ import annotations

import hmac
import os
import socket
from pathlib import Path

import pytest

from crowdstream.stream.control.records import Permission
from crowdstream.stream.errors import PublishError
from crowdstream.stream.wire import access
from crowdstream.stream.wire.access import Access, Peer, read_token_file
from crowdstream.stream.wire.address import Address, is_loopback
from crowdstream.stream.wire.server_settings import ServerSettings

READ, CONTROL = Permission.READ, Permission.CONTROL
FAR = Peer("192.0.2.9")
NEAR = Peer("127.0.0.1", loopback=True)
SELF = Peer("unix", uid=os.geteuid())
OTHER = Peer("unix", uid=os.geteuid() + 1)
UNKNOWN = Peer("unix")


@pytest.mark.parametrize(
    ("peer", "shown", "free", "reads", "controls", "both"),
    [
        (FAR, "", READ, None, READ, None),
        (FAR, "r", None, READ, None, READ),
        (FAR, "c", None, None, CONTROL, CONTROL),
        (FAR, "x", None, None, None, None),
        (NEAR, "", READ, None, READ, None),
        (NEAR, "r", None, READ, None, READ),
        (NEAR, "c", None, None, CONTROL, CONTROL),
        (SELF, "", CONTROL, None, READ, None),
        (SELF, "r", None, CONTROL, None, READ),
        (SELF, "c", None, None, CONTROL, CONTROL),
        (OTHER, "", READ, None, READ, None),
        (OTHER, "r", None, READ, None, READ),
        (UNKNOWN, "", READ, None, READ, None),
    ],
)
def test_the_table_of_permissions(
    peer: Peer,
    shown: str,
    free: Permission | None,
    reads: Permission | None,
    controls: Permission | None,
    both: Permission | None,
) -> None:
    got = [
        Access(token, control).permission(shown, peer)
        for token, control in (("", ""), ("r", ""), ("", "c"), ("r", "c"))
    ]
    assert got == [free, reads, controls, both]


def test_loopback_controls_only_where_it_was_said_and_no_control_token_is_set() -> None:
    assert Access(control_loopback=True).permission("", NEAR) is CONTROL
    assert Access(control_loopback=True).permission("", FAR) is READ
    assert Access(control_loopback=True).permission("", OTHER) is READ
    assert Access("r", control_loopback=True).permission("", NEAR) is None
    assert Access(control_token="c", control_loopback=True).permission("", NEAR) is READ


@pytest.mark.parametrize("shown", ["", "r", "c", "other", "r" * 5000, "\ud800", "ü"])
@pytest.mark.parametrize("rule", [Access(), Access("r"), Access("r", "c"), Access("", "c")])
def test_every_login_makes_the_same_two_comparisons_of_the_same_length(
    rule: Access, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared, and how often, must not depend on what was shown, nor on whether it is right."""
    made: list[tuple[int, int]] = []

    def compare(a: bytes, b: bytes) -> bool:
        made.append((len(a), len(b)))
        return hmac.compare_digest(a, b)

    monkeypatch.setattr(access, "hmac", type("Watched", (), {"compare_digest": staticmethod(compare)}))
    rule.permission(shown, FAR)
    assert made == [(32, 32), (32, 32)]


def test_equal_tokens_and_tokens_that_cannot_be_typed_are_refused() -> None:
    with pytest.raises(PublishError, match="the same"):
        Access("a", "a")
    with pytest.raises(PublishError, match=r"publish\.control_token"):
        Access("a", "b\n")
    with pytest.raises(PublishError, match="1024"):
        Access("a" * 1025)
    with pytest.raises(PublishError, match="the same"):
        ServerSettings(Address.parse("tcp://127.0.0.1:0"), token="a", control_token="a")


def test_tokens_are_in_no_repr() -> None:
    settings = ServerSettings(Address.parse("tcp://127.0.0.1:0"), token="sesame", control_token="hunter2")
    assert "sesame" not in repr((settings, settings.access)) and "hunter2" not in repr(settings)
    assert "sesame" not in repr(settings.access)


def test_the_peer_of_a_unix_socket_is_known_by_its_user() -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        pytest.skip("this system does not say who the peer is")
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    with ours, theirs:
        assert Peer.of(ours) == Peer("unix", uid=os.geteuid())


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("::ffff:127.0.0.1", True), ("localhost", True),
     ("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("fe80::1%eth0", False), ("example.org", False)],
)  # fmt: skip
def test_loopback_is_told_from_the_rest(host: str, local: bool) -> None:
    assert is_loopback(host) is local


def test_a_token_file_is_read_where_only_its_owner_may(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("open sesame \nand a remark\n")
    for mode in (0o600, 0o400, 0o640):
        path.chmod(mode)
        assert read_token_file(path) == "open sesame"
    for mode in (0o644, 0o604, 0o660, 0o602):
        path.chmod(mode)
        with pytest.raises(PublishError, match="chmod 600"):
            read_token_file(path)


@pytest.mark.parametrize(
    ("content", "match"),
    [(b"", "is empty"), (b"\n\n", "is empty"), (b"\xff\xfe", "is no text"), (b"x" * 5000, "more than 4096")],
)
def test_a_token_file_of_something_else_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(PublishError, match=match):
        read_token_file(path)


def test_what_is_no_file_does_not_hold_the_engine_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "nowhere", "."):
        with pytest.raises(PublishError, match=name if name != "." else "token_file"):
            read_token_file(tmp_path / name)


@pytest.mark.parametrize(
    ("peer", "machine"),
    [(FAR, "192.0.2.9"), (NEAR, ""), (SELF, ""), (Peer("2001:db8:1:2:3::4"), "2001:db8:1:2::/64"),
     (Peer("2001:db8:1:2:ffff::9"), "2001:db8:1:2::/64"), (Peer("fe80::1%eth0"), "fe80::/64"), (Peer("gone"), "gone")],
)  # fmt: skip
def test_a_machine_is_one_whatever_address_of_its_own_it_takes(peer: Peer, machine: str) -> None:
    assert peer.machine == machine
