"""`crowdstream control` and the options of `tail` that reach a server: what they print, and how they end."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdstream.actors.main import main
from crowdstream.stream.control.records import Reply, Request, Verb
from crowdstream.stream.wire.tls import server_context

sys.path.insert(0, str(Path(__file__).parent.parent / "rig"))
from wire_server import LIMIT_S, TestServer, serving

sys.path.pop(0)

FOLDER = Path(__file__).parent.parent / "rig" / "certificate"
STATUS = {"ready": True, "cameras": [{"name": "gate", "phase": "running"}], "drops": {"gate": {"late": 3}}}


class Engine(threading.Thread):
    """Answers what a supervisor would."""

    def __init__(self, server: TestServer) -> None:
        super().__init__(daemon=True)
        self.server, self.taken, self.ended = server, list[Request](), threading.Event()
        self.start()

    def run(self) -> None:
        while not self.ended.wait(0.002):
            for request in self.server.wire.take_requests():
                self.taken.append(request)
                self.server.wire.reply(self._answer(request))

    @staticmethod
    def _answer(request: Request) -> Reply:
        match request.verb:
            case Verb.STATUS:
                return Reply(request.ticket, True, "1 camera runs", STATUS)
            case Verb.PAUSE_CAMERA if request.args["camera"] != "gate":
                return Reply(request.ticket, False, "no camera 'yard'; there is: gate")
            case _:
                return Reply(request.ticket, True, f"{request.verb} done")

    def finish(self) -> None:
        self.ended.set()
        self.join(LIMIT_S)


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CROWDSTREAM_CONTROL_TOKEN", raising=False)
    monkeypatch.delenv("CROWDSTREAM_TOKEN", raising=False)
    Path("token").write_text("c\n")
    Path("token").chmod(0o600)
    with serving(token="r", control_token="c") as server:
        made = Engine(server)
        yield made
        made.finish()


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def test_a_request_is_made_and_its_answer_printed(engine: Engine, capsys: pytest.CaptureFixture[str]) -> None:
    url = engine.server.url
    assert run(capsys, "control", url, "pause_camera", "camera=gate", "--token-file", "token")[:2] == (
        0,
        "pause_camera done\n",
    )
    code, out, _ = run(capsys, "control", url, "status", "--token-file", "token")
    assert code == 0
    assert out.splitlines() == [
        "1 camera runs", "ready: True", "cameras: gate", "  phase: running", "drops:", "  gate:", "    late: 3",
    ]  # fmt: skip
    code, out, _ = run(capsys, "control", url, "status", "--json", "--token-file", "token")
    assert code == 0 and json.loads(out) == {"ok": True, "text": "1 camera runs", "result": STATUS}


def test_the_token_may_stand_in_the_environment(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CROWDSTREAM_CONTROL_TOKEN", "c")
    assert run(capsys, "control", engine.server.url, "stop")[0] == 0
    monkeypatch.setenv("CROWDSTREAM_CONTROL_TOKEN", "x")
    code, _, err = run(capsys, "control", engine.server.url, "stop")
    assert code == 1 and err.strip().endswith("refuses: wrong token") and len(err.splitlines()) == 1
    monkeypatch.delenv("CROWDSTREAM_CONTROL_TOKEN")
    monkeypatch.setenv("CROWDSTREAM_TOKEN", "r")
    assert run(capsys, "control", engine.server.url, "status")[0] == 0
    code, _, err = run(capsys, "control", engine.server.url, "stop")
    assert code == 1 and "needs control" in err
    assert [r.verb for r in engine.taken] == ["stop", "status"]


@pytest.mark.parametrize("as_json", [False, True])
def test_a_no_is_exit_code_1(engine: Engine, capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    words = ["control", engine.server.url, "pause_camera", "camera=yard", "--token-file", "token"]
    code, out, err = run(capsys, *words, *(["--json"] if as_json else []))
    assert code == 1
    if as_json:
        assert json.loads(out) == {"ok": False, "text": "no camera 'yard'; there is: gate", "result": {}}
    else:
        assert err == "crowdstream: no camera 'yard'; there is: gate\n"


@pytest.mark.parametrize(
    "words",
    [[], ["dance"], ["pause_camera"], ["pause_camera", "gate"], ["pause_camera", "camera=a", "camera=b"],
     ["stop", "now=1"], ["set_option", "key=solve.x", "value={a: 1}"], ["add_camera", "camera=../x", "source=a"]],
)  # fmt: skip
def test_a_wrong_word_is_exit_code_2_and_nobody_is_asked(
    engine: Engine, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    code, _, err = run(capsys, "control", engine.server.url, *words, "--token-file", "token")
    assert code == 2 and "Usage" in err
    assert engine.taken == [] and engine.server.wire.stats().accepted == 0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        ("0.5", 0.5),
        ("true", True),
        ("[1, 2]", [1, 2]),
        ("live", "live"),
        ("a: [", "a: ["),
        ("'3'", "3"),
    ],
)
def test_values_are_read_as_in_a_configuration(
    engine: Engine, capsys: pytest.CaptureFixture[str], text: str, value: object
) -> None:
    words = ["set_option", "key=solve.iterations", f"value={text}", "--token-file", "token"]
    assert run(capsys, "control", engine.server.url, *words)[0] == 0
    (request,) = engine.taken
    assert request.args == {"key": "solve.iterations", "value": value}
    assert type(request.args["value"]) is type(value)


def test_an_address_with_an_equals_sign_is_text_and_not_the_engines(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    source = "rtsp://u:p@10.0.0.7/s?a=b=c"
    words = ["add_camera", "camera=7", f"source={source}", "--token-file", "token"]
    assert run(capsys, "control", engine.server.url, *words)[0] == 0
    assert engine.taken[0].args == {"camera": "7", "source": source}  # 7 is a name, not a number


def test_all_verbs_are_listed_without_an_engine(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "control", "list")
    assert code == 0 and [line.split()[0] for line in out.splitlines()] == [verb.value for verb in Verb]
    code, out, _ = run(capsys, "control", "list", "--json")
    assert json.loads(out)["reload_calibration"] == {"camera": True, "calibration": False}


def test_the_control_token_goes_to_no_other_machine_in_the_clear(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, "control", "tcp://192.0.2.1:7447", "stop", "--token-file", "token")
    assert code == 1 and "in the clear" in err and "tls://" in err


def test_tail_and_control_over_tls(
    engine: Engine, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = FOLDER / "test_cert.pem", FOLDER / "test_key.pem"
    with serving("tls://127.0.0.1:0", tls=server_context(cert, key), token="c") as server:
        tail = ["tail", server.url, "--count", "1", "--token-file", "token"]
        code, _, err = run(capsys, *tail)
        assert code == 1 and "is not believed" in err and "--ca FILE" in err
        for trust in (["--ca", str(cert)], ["--insecure"]):
            code, out, _ = run(capsys, *tail, *trust)
            assert code == 0 and "schema.hall #1" in out
        code, _, err = run(capsys, *tail, "--insecure", "--ca", str(cert))
        assert code == 1 and "leave out" in err
        code, _, err = run(capsys, *tail, "--fingerprint", "00")
        assert code == 1 and "64 hex digits" in err
        second = Engine(server)
        words = ["control", server.url, "status", "--ca", str(cert), "--token-file", "token"]
        assert run(capsys, *words)[:2][0] == 0
        second.finish()


def test_a_token_file_that_others_can_read_is_not_used(
    engine: Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("token").chmod(0o644)
    for command in (["control", engine.server.url, "stop"], ["tail", engine.server.url]):
        code, _, err = run(capsys, *command, "--token-file", "token")
        assert code == 1 and "chmod 600" in err
