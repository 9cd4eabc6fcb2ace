"""Makes the golden files of the wire protocol: one message per file, and one small log.

    python tests/golden/make_wire.py            # from outside the repository root, into wire_<major>_<minor>/

Files of a published minor version are never made anew: a change that alters them is a new minor version with a
new folder, and the old folder stays as what must still be readable.
"""

from __future__ import annotations

from pathlib import Path

from crowdstream.lab.bench.wire_cases import (
    walkers_frame,
    walkers_late,
    walkers_return,
    walkers_revision,
    walkers_schema,
    walkers_window,
)
from crowdstream.stream.wire.codec import encode
from crowdstream.stream.wire.identity import identity_message
from crowdstream.stream.wire.log import LogWriter
from crowdstream.stream.wire.log_format import pack_state
from crowdstream.stream.wire.messages import VERSION, Control, Gap, Hello, Kind, Message, Tier
from crowdstream.stream.wire.revision import revision_messages
from crowdstream.stream.wire.tiers import Stamp, live_message, window_messages

SID = "golden"


def golden_messages() -> dict[str, Message | Control]:
    """File name -> message; every kind, and every shape of a data message."""

    def stamp(seq: int) -> Stamp:
        return Stamp(SID, seq, 1_000_000_000 + seq, recorded=True)

    def plain(topic: str, kind: Kind, body: dict[str, object]) -> Message:
        return Message(SID, topic, 1, kind, 80_000_000, "file_pts", 1_000_000_001, {"recorded": True}, body)

    window = walkers_window(2, 3, frames=4)
    return {
        "schema": plain("schema.hall", Kind.SCHEMA, walkers_schema().to_body()),
        "live": live_message(walkers_frame(3, 2, unseen=1), "hall", stamp(1)),
        "live_without_ground": live_message(walkers_frame(2, 3, ground=False), "hall", stamp(2)),
        "live_empty": live_message(walkers_frame(0, 4), "hall", stamp(3)),
        "late": live_message(walkers_late(2, 3), "hall", stamp(1), Tier.LATE),
        "window": window_messages(window, "hall", stamp(1))[0],
        "window_empty": window_messages(walkers_window(0, 4, frames=4), "hall", stamp(2))[0],
        "refined": revision_messages(walkers_revision(2, 3, frames=4, guide=7), "hall", stamp(1), hop=16)[0],
        "identity_merge": identity_message(walkers_return(17, 5), "hall", stamp(1), "file_pts"),
        "identity_split": identity_message(walkers_return(17, 5, split=True), "hall", stamp(2), "file_pts"),
        "status": plain(
            "status", Kind.DATA, {"event": "camera_ended", "camera": "cam0", "text": "end of file"}
        ),
        "health": plain(
            "health", Kind.DATA, {"component": "cam0", "fps": 24.5, "drops": {"late": 2}, "backend": None}
        ),
        "hello_request": Hello(
            "secret", ("live", "window.hall"), SID, {"live.hall": 3}, 10.0, True
        ).control(),
        "hello_answer": Control(
            Kind.HELLO,
            {
                "server": "crowdstream",
                "topics": {"live.hall": {"first": 1, "last": 3}},
                "permission": "control",
            },
            SID,
            7,
        ),
        "gap": Gap("live.hall", 4, 9, "slow").control(SID, 7),
        "gap_held": Gap("window.hall", 4, 9, "slow", held=True).control(SID, 7),
        "snapshot": Control(Kind.SNAPSHOT, {"topic": "live.hall", "seq": 9, "count": 1}, SID, 7),
        "ping": Control(Kind.PING, {"n": 1}, SID, 7),
        "pong": Control(Kind.PONG, {"n": 1}),
        "pull": Control(Kind.PULL, {"topic": "window.hall", "from": 4, "to": 9}),
        "request": Control(Kind.REQUEST, {"id": 3, "verb": "pause_camera", "args": {"camera": "cam0"}}),
        "request_status": Control(Kind.REQUEST, {"id": 4, "verb": "status", "args": {}}),
        "reply": Control(
            Kind.REPLY, {"id": 3, "ok": True, "text": "cam0 pauses", "result": {"camera": "cam0"}}, SID, 7
        ),
        "reply_no": Control(
            Kind.REPLY, {"id": 3, "ok": False, "text": "pause_camera needs control", "result": {}}, SID, 7
        ),
        "bye": Control(Kind.BYE, {"reason": "end"}, SID, 7),
    }


def write_golden_log(path: Path) -> None:
    """Schema, three frames, late rows of the second, a window with its state, who came back, revisions, an event."""
    messages = golden_messages()
    with LogWriter(path) as log:
        for name in (
            "schema",
            "live",
            "live_without_ground",
            "live_empty",
            "late",
            "window",
            "window_empty",
            "identity_merge",
            "refined",
            "status",
        ):
            message = messages[name]
            assert isinstance(message, Message)
            state = pack_state({"slots": [48, 52], "betas_weight": 2.0}) if name == "window" else b""
            log.append([message], [encode(message)], state)


if __name__ == "__main__":
    folder = Path(__file__).parent / "wire_{}_{}".format(*VERSION)
    folder.mkdir(exist_ok=True)
    for name, message in golden_messages().items():
        (folder / f"{name}.msg").write_bytes(encode(message))
    write_golden_log(folder / "recording.cslog")
