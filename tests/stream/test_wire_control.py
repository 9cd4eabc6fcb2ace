"""Requests over real sockets: who may ask for what, what comes back, and what of an engine that says nothing."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crowdstream.stream.control.client import ControlClient, require
from crowdstream.stream.control.desk import DeskLimits
from crowdstream.stream.control.records import Permission, Reply, Request
from crowdstream.stream.errors import ControlError, PublishError
from crowdstream.stream.wire.codec import Deframer, decode, encode, framed
from crowdstream.stream.wire.conversation import Conversation, Event, Welcome
from crowdstream.stream.wire.messages import VERSION, Control, Kind, Message

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from wire_server import LIMIT_S, TestServer, goodbye, hello, serving, wait_for

sys.path.pop(0)


class Engine(threading.Thread):
    """Takes requests and answers them, as a supervisor would."""

    def __init__(self, server: TestServer, result: object = None) -> None:
        super().__init__(daemon=True)
        self.server, self.result = server, result
        self.taken: list[Request] = []
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.wait(0.002):
            for request in self.server.wire.take_requests():
                self.taken.append(request)
                result = {"args": len(request.args)} if self.result is None else self.result
                self.server.wire.reply(
                    Reply(request.ticket, True, f"{request.verb} done", result)  # type: ignore[arg-type]
                )


@contextmanager
def engine(listen: str = "tcp://127.0.0.1:0", result: object = None, **settings: object) -> Iterator[Engine]:
    with serving(listen, **settings) as server:
        made = Engine(server, result)
        made.start()
        try:
            yield made
        finally:
            made.ended.set()
            made.join(LIMIT_S)


def listen(sock: socket.socket, talk: Conversation, count: int) -> list[Reply]:
    """Reads until so many replies have come."""
    replies: list[Reply] = []
    while len(replies) < count:
        data = sock.recv(1 << 16)
        assert data, "the connection ended"
        replies += [event for event in talk.feed(data) if isinstance(event, Reply)]
    return replies


def test_a_request_is_done_and_its_answer_comes_back() -> None:
    with engine(token="r", control_token="c") as made:
        client = ControlClient(made.server.url, "c")
        reply = client.request("pause_camera", camera="gate")
        assert (reply.ok, reply.text, reply.result) == (True, "pause_camera done", {"args": 1})
        assert client.permission is Permission.CONTROL
        (request,) = made.taken
        assert request.args == {"camera": "gate"}
        again = asyncio.run(client.request_async("set_option", key="solve.iterations", value=3))
        assert again.ok and made.taken[-1].args == {"key": "solve.iterations", "value": 3}
        assert require(again) is again


def test_a_subscriber_may_ask_in_between(tmp_path: Path) -> None:
    with engine(f"unix://{tmp_path / 's'}") as made, made.server.connect() as sock:
        talk = Conversation()
        sock.sendall(talk.open())
        tickets = [talk.ask("status"), talk.ask("resume_camera", {"camera": "gate"})]
        sock.sendall(talk.outgoing())
        replies = listen(sock, talk, 2)
        assert sorted(r.ticket for r in replies) == tickets and all(r.ok for r in replies)


@pytest.mark.parametrize(
    ("tokens", "shown", "may_control"),
    [
        ({}, "", False),
        ({"control_loopback": True}, "", True),
        ({"token": "r"}, "r", False),
        ({"token": "r", "control_token": "c"}, "r", False),
        ({"token": "r", "control_token": "c"}, "c", True),
        ({"control_token": "c"}, "", False),
        ({"control_token": "c", "control_loopback": True}, "", False),
        ({"control_token": "c"}, "c", True),
    ],
)
def test_who_may_control_over_the_network(tokens: dict[str, object], shown: str, may_control: bool) -> None:
    with engine(**tokens) as made:
        client = ControlClient(made.server.url, shown)
        assert client.request("status").ok  # whoever is let in may ask how it is
        assert client.permission is (Permission.CONTROL if may_control else Permission.READ)
        reply = client.request("stop")
        assert reply.ok is may_control
        assert [r.verb for r in made.taken] == (["status", "stop"] if may_control else ["status"])
        if not may_control:
            assert "needs control" in reply.text
            with pytest.raises(ControlError, match="needs control"):
                require(reply)


@pytest.mark.parametrize("shown", ["", "x", "rr", "R", "r "])
def test_a_wrong_token_may_nothing(shown: str) -> None:
    with engine(token="r", control_token="c") as made:
        with pytest.raises(PublishError, match="refuses: wrong token"):
            ControlClient(made.server.url, shown).request("status")
        assert not made.taken and made.server.wire.stats().refused["wrong_token"] == 1


def test_over_a_unix_socket_the_same_user_controls_unless_a_token_was_set(tmp_path: Path) -> None:
    if not hasattr(socket, "SO_PEERCRED"):
        pytest.skip("this system does not say who the peer is")
    with engine(f"unix://{tmp_path / 'a'}") as made:
        assert ControlClient(made.server.url).request("stop").ok
    with engine(f"unix://{tmp_path / 'b'}", control_token="c") as made:
        assert not ControlClient(made.server.url).request("stop").ok
        assert ControlClient(made.server.url, "c").request("stop").ok


def test_over_a_unix_socket_another_user_only_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = os.geteuid()
    with engine(f"unix://{tmp_path / 'a'}") as made:
        monkeypatch.setattr(os, "geteuid", lambda: own + 1)
        assert not ControlClient(made.server.url).request("stop").ok


def test_what_is_wrong_with_a_request_is_said_and_the_connection_lives() -> None:
    with engine(control_token="c") as made, made.server.connect() as sock:
        talk = Conversation(token="c")
        sock.sendall(talk.open())
        bodies: list[dict[str, object]] = [
            {"id": 1, "verb": "dance"},
            {"id": 2, "verb": "pause_camera", "args": {}},
            {"id": 3, "verb": "pause_camera", "args": {"camera": "../x"}},
            {"id": 4, "verb": "stop", "args": {"now": True}},
            {"id": 5, "verb": "status"},
            {"id": 6, "verb": 7, "args": [1]},
        ]
        sock.sendall(b"".join(framed(encode(Control(Kind.REQUEST, body))) for body in bodies))
        replies = {reply.ticket: reply for reply in listen(sock, talk, 6)}
        assert {ticket for ticket, reply in replies.items() if reply.ok} == {"5"}
        assert "expected one of status" in replies["1"].text
        assert "camera is missing" in replies["2"].text and "unknown argument" in replies["4"].text
        assert made.server.wire.stats().requests == {"invalid": 5, "done": 1}


def test_a_request_without_a_number_ends_the_connection() -> None:
    with engine() as made, made.server.connect() as sock:
        sock.sendall(hello() + framed(encode(Control(Kind.REQUEST, {"verb": "status"}))))
        assert "request.id" in goodbye(sock)
        made.server.assert_alive()


def test_an_engine_that_does_not_answer_is_answered_for() -> None:
    with serving(control_token="c", desk=DeskLimits(answer_s=0.2)) as server:
        begin_s = time.monotonic()
        reply = ControlClient(server.url, "c").request("stop")
        assert not reply.ok and "the engine did not answer within 0.2 s" in reply.text
        assert time.monotonic() - begin_s < 5.0
        assert server.wire.take_requests() == []  # too late: nobody is surprised by a stop
        server.assert_alive()


def test_an_impatient_asker_is_told_that_it_may_have_been_done() -> None:
    with serving(control_token="c") as server:
        with pytest.raises(PublishError, match="stop may have been done"):
            ControlClient(server.url, "c", timeout_s=0.2).request("stop")
        wait_for(lambda: server.wire.num_subscribers == 0)
        (request,) = server.wire.take_requests()
        server.wire.reply(Reply(request.ticket, True, ""))  # goes nowhere, and hurts nobody
        server.assert_alive()


def test_requests_made_again_and_again_are_held_back_by_number() -> None:
    desk = DeskLimits(outstanding=3, per_s=1.0, burst=10)
    with serving(control_token="c", desk=desk) as server, server.connect() as sock:
        talk = Conversation(token="c")
        sock.sendall(talk.open())
        for _ in range(30):
            talk.ask("status")
        sock.sendall(talk.outgoing())
        replies = listen(sock, talk, 27)
        assert not any(reply.ok for reply in replies)
        assert len(server.wire.take_requests()) == 3
        counts = server.wire.stats().requests
        assert counts.keys() == {"busy", "flood"} and sum(counts.values()) == 27


def test_an_answer_too_large_for_the_wire_loses_its_figures_and_not_its_line() -> None:
    with engine(result={"x": "y" * (1 << 21)}) as made:
        reply = ControlClient(made.server.url).request("status")
        assert reply.ok and reply.text.startswith("status done (message of") and reply.result == {}


def test_answers_hold_whatever_the_engine_says_of_itself() -> None:
    figures = {"age_s": float("nan"), "cameras": [{"name": "gate", "drops": {"late": 3}}], "ready": True}
    with engine(result=figures) as made:
        reply = ControlClient(made.server.url).request("status")
        assert reply.result == {**figures, "age_s": None}


def test_a_server_of_1_1_takes_no_requests_and_that_is_said() -> None:
    """It skips the kind it does not know; waiting for an answer would be in vain."""
    talk = Conversation()
    talk.open()
    welcome = Control(Kind.HELLO, {"topics": {}}, "s", version=(1, 1))
    (event,) = talk.feed(framed(encode(welcome)))
    assert isinstance(event, Welcome) and event.permission is None
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        sock, _ = listener.accept()
        with sock:
            sock.recv(1 << 16)
            sock.sendall(framed(encode(welcome)))
            sock.recv(1)

    old = threading.Thread(target=serve)
    old.start()
    with listener, pytest.raises(PublishError, match=r"older than protocol 1\.2"):
        ControlClient(f"tcp://127.0.0.1:{listener.getsockname()[1]}").request("status")
    old.join(LIMIT_S)


def test_a_reader_of_1_1_meets_nothing_it_must_know() -> None:
    """What the server says unasked is of kinds that 1.1 knew; `permission` is one more key of the hello."""
    known = {"data", "schema", "hello", "snapshot", "gap", "ping", "bye"}
    with engine() as made, made.server.connect() as sock:
        sock.sendall(hello())
        made.server.live()
        made.server.window()
        deframer, kinds = Deframer(), set()
        while "data" not in kinds:
            for data in deframer.feed(sock.recv(1 << 16)):
                said = decode(data)
                kinds.add(said.kind.value)
                assert said.version == VERSION
        assert kinds <= known


def test_asking_for_what_there_is_not_fails_before_anybody_is_asked() -> None:
    client = ControlClient("tcp://127.0.0.1:1")
    with pytest.raises(ControlError, match="verb 'dance'"):
        client.request("dance")
    with pytest.raises(ControlError, match="source is missing"):
        client.request("add_camera", camera="gate")
    with pytest.raises(PublishError, match="no engine answers at"):
        client.request("status")


def test_answers_are_events_among_others() -> None:
    with engine() as made, made.server.connect() as sock:
        talk = Conversation(topics=("live",))
        sock.sendall(talk.open())
        events: list[Event] = []
        while not any(isinstance(e, Welcome) for e in events):
            events += talk.feed(sock.recv(1 << 16))
        made.server.live()
        talk.ask("status")
        sock.sendall(talk.outgoing())
        while {type(e) for e in events} < {Welcome, Message, Reply}:
            events += talk.feed(sock.recv(1 << 16))
        assert talk.missed == 0
