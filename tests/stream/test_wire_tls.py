"""TLS: who is believed, what is refused, and handshakes that never end."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import socket
import ssl
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdstream.stream.control.client import ControlClient
from crowdstream.stream.control.desk import DeskLimits
from crowdstream.stream.errors import PublishError
from crowdstream.stream.wire.address import Address
from crowdstream.stream.wire.client import Reconnect, subscribe, subscribe_async
from crowdstream.stream.wire.conversation import Bye, Welcome
from crowdstream.stream.wire.publish_config import PublishConfig
from crowdstream.stream.wire.server_settings import server_settings
from crowdstream.stream.wire.tls import Trust, server_context

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from wire_server import LIMIT_S, TestServer, serving, wait_for

sys.path.pop(0)

FOLDER = Path(__file__).parent.parent / "rig" / "certificate"
CERT, KEY = FOLDER / "test_cert.pem", FOLDER / "test_key.pem"
FINGERPRINT = hashlib.sha256(ssl.PEM_cert_to_DER_cert(CERT.read_text())).hexdigest()


@pytest.fixture
def server() -> Iterator[TestServer]:
    with serving("tls://127.0.0.1:0", tls=server_context(CERT, KEY), desk=DeskLimits(answer_s=0.1)) as made:
        yield made


def welcomed(url: str, trust: Trust | None) -> bool:
    with contextlib.closing(subscribe(url, reconnect=Reconnect(), tls=trust)) as events:  # type: ignore[type-var]
        return isinstance(next(events), Welcome)


async def welcomed_async(url: str, trust: Trust | None) -> bool:
    events = subscribe_async(url, reconnect=Reconnect(), tls=trust)
    async with contextlib.aclosing(events):  # type: ignore[type-var]
        return isinstance(await anext(events), Welcome)


@pytest.mark.parametrize(
    "trust",
    [
        Trust(ca=CERT),
        Trust(fingerprint=FINGERPRINT),
        Trust(fingerprint=":".join(FINGERPRINT[i : i + 2] for i in range(0, 64, 2)).upper()),
        Trust(insecure=True),
    ],
    ids=["authority", "fingerprint", "fingerprint as openssl prints it", "insecure"],
)
def test_a_server_is_believed_for_a_reason(server: TestServer, trust: Trust) -> None:
    assert welcomed(server.url, trust)
    assert asyncio.run(asyncio.wait_for(welcomed_async(server.url, trust), LIMIT_S))
    reply = ControlClient(server.url, tls=trust).request("status")
    assert "did not answer" in reply.text


@pytest.mark.parametrize(
    ("trust", "match"),
    [
        (None, "is not believed: self-signed certificate"),
        (Trust(), "is not believed: self-signed certificate"),
        (Trust(fingerprint="0" * 64), "somebody stands in between"),
    ],
)
def test_a_server_that_is_not_believed_hears_no_token(
    server: TestServer, trust: Trust | None, match: str
) -> None:
    with pytest.raises(PublishError, match=match):
        welcomed(server.url, trust)
    with pytest.raises(PublishError, match=match):
        asyncio.run(asyncio.wait_for(welcomed_async(server.url, trust), LIMIT_S))
    with pytest.raises(PublishError, match=match):
        ControlClient(server.url, "secret", trust).request("status")
    wait_for(lambda: server.wire.stats().connections == 0)
    assert server.wire.stats().subscribers == 0 and server.wire.stats().refused["wrong_token"] == 0


def test_a_name_that_is_not_in_the_certificate_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    context = server_context(CERT, KEY)
    with serving("tls://127.0.0.1:0", tls=context) as server:
        lookup = socket.getaddrinfo
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda host, *a, **k: lookup("127.0.0.1" if host == "gate.test" else host, *a, **k)
        )  # fmt: skip
        url = f"tls://gate.test:{server.address.port}"
        with pytest.raises(PublishError, match="mismatch"):
            welcomed(url, Trust(ca=CERT))
        assert welcomed(url, Trust(fingerprint=FINGERPRINT))


def test_old_versions_of_tls_are_refused(server: TestServer) -> None:
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    assert server_context(CERT, KEY).minimum_version is ssl.TLSVersion.TLSv1_2
    assert Trust(ca=CERT).context().minimum_version is ssl.TLSVersion.TLSv1_2
    with pytest.warns(DeprecationWarning):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with server.connect() as sock, pytest.raises(OSError):
        old.wrap_socket(sock)
    wait_for(lambda: server.wire.stats().refused["tls"] == 1)


def test_a_handshake_that_never_ends_is_cut_off_in_time_and_counted() -> None:
    context = server_context(CERT, KEY)
    with serving("tls://127.0.0.1:0", tls=context, hello_timeout_s=0.5) as server:
        begin_s = time.monotonic()
        with contextlib.ExitStack() as stack:
            silent = [stack.enter_context(server.connect()) for _ in range(5)]
            for sock in silent:
                with contextlib.suppress(ConnectionError):
                    assert sock.recv(1) == b""
        assert 0.4 < time.monotonic() - begin_s < LIMIT_S / 2
        assert server.wire.stats().refused["tls"] == 5


def test_plain_words_to_a_tls_server_end_that_connection_only(server: TestServer) -> None:
    for words in (b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x16\x03\x01\xff\xff" + bytes(300)):
        with server.connect() as sock, contextlib.suppress(ConnectionError):
            sock.sendall(words)
            while sock.recv(1 << 12):
                pass
    wait_for(lambda: server.wire.stats().refused["tls"] == 3)
    assert welcomed(server.url, Trust(ca=CERT))


def test_a_tls_server_says_goodbye(server: TestServer) -> None:
    with contextlib.closing(subscribe(server.url, reconnect=Reconnect(), tls=Trust(ca=CERT))) as events:  # type: ignore[type-var]
        assert isinstance(next(events), Welcome)
        server.wire.stop("end")
        assert list(events)[-1] == Bye("end")


@pytest.mark.parametrize("fingerprint", ["12", "g" * 64, FINGERPRINT + "00"])
def test_a_fingerprint_is_64_hex_digits(fingerprint: str) -> None:
    with pytest.raises(PublishError, match="64 hex digits"):
        Trust(fingerprint=fingerprint)


def test_files_that_are_no_certificate_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("no certificate")
    for bad in (tmp_path / "a.pem", tmp_path / "nowhere.pem"):
        with pytest.raises(PublishError, match=bad.name):
            server_context(bad, KEY)
        with pytest.raises(PublishError, match=bad.name):
            Trust(ca=bad).context()


def test_the_configuration_makes_the_server_it_describes(tmp_path: Path) -> None:
    reads, controls = tmp_path / "reads", tmp_path / "controls"
    for path, token in ((reads, "r"), (controls, "c")):
        path.write_text(token + "\n")
        path.chmod(0o600)
    config = PublishConfig(
        listen="tls://0.0.0.0:0",
        tls_cert=CERT,
        tls_key=KEY,
        token_file=reads,
        control_token_file=controls,
        answer_s=3.0,
    )
    settings = server_settings(config)
    assert (settings.token, settings.control_token, settings.desk.answer_s) == ("r", "c", 3.0)
    assert settings.address == Address("tls", "0.0.0.0", 0) and settings.tls is not None
    with pytest.raises(PublishError, match="both set"):
        server_settings(config.model_copy(update={"token": PublishConfig(token="x").token}))
    plain = PublishConfig(listen="tcp://0.0.0.0:0", token_file=reads)
    with pytest.raises(PublishError, match=r"in the clear .*publish\.allow_plain=true"):
        server_settings(plain)
    assert server_settings(plain.model_copy(update={"allow_plain": True})).token == "r"
