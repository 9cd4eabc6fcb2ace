"""Cameras on a real RTSP server (GStreamer's), each with a port of its own, each to be broken on command.

Run by the system's python3, which has GStreamer's bindings; imports nothing of this package. Every camera sends a
file of `camera_clip` in a loop at its own rate: access units go in as they were encoded, stamped with the pipeline's
clock, so a camera costs a percent of a core. RTCP sender reports are on, as in any camera.

    python3 rtsp_server.py --camera gate=gate.au [--camera ...] [--user U --password P --auth basic|digest]

Says `{"event": "listening", "ports": {"gate": 40123}}` on its standard output, then obeys lines of its input, each
answered by one JSON line with what was sent so far:

    drop gate        unplugged: every connection cut, the port refuses
    restore gate     plugged in again, on the same port
    silence gate     frozen: takes connections, keeps them, sends no picture
    speak gate       sends again
    switch gate F    another file (other size, other rate) from now on, as when somebody changes the settings
    stats            nothing but the answer
    quit             also at the end of its input
"""

from __future__ import annotations

import argparse
import json
import struct
import sys
import threading
import time
from pathlib import Path
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

UNIT_HEAD = struct.Struct(">IB")
LAUNCH = (
    "( appsrc name=source is-live=true format=time max-bytes=4000000 block=false "
    "caps=video/x-h264,stream-format=byte-stream,alignment=au "
    "! h264parse config-interval=-1 ! rtph264pay name=pay0 pt=96 config-interval=-1 )"
)


class Clip:
    """The access units of one file."""

    def __init__(self, path: Path) -> None:
        with path.open("rb") as file:
            head = json.loads(file.readline())
            data = file.read()
        self.fps: int = head["fps"]
        self.units: list[tuple[bytes, bool]] = []
        at = 0
        while at < len(data):
            length, key = UNIT_HEAD.unpack_from(data, at)
            at += UNIT_HEAD.size
            self.units.append((data[at : at + length], bool(key)))
            at += length


class Camera:
    """One camera: a server with one mount, and the thread that feeds it."""

    def __init__(self, name: str, clip: Clip, port: int, access: tuple[str, str, str] | None) -> None:
        self.name, self.clip, self.port, self._access = name, clip, port, access
        self.sent = 0
        """Pictures handed to the network while somebody watched."""
        self.silent = False
        self._source: Any = None
        self._server: Any = None
        self._watch: Any = None
        self._next = 0
        self._wait_for_key = True
        self._lock = threading.Lock()
        self.listen()
        threading.Thread(target=self._feed, daemon=True).start()

    def listen(self) -> None:
        """Open the port; clients come as they like."""
        if self._server is not None:
            return
        server = GstRtspServer.RTSPServer()
        server.set_address("127.0.0.1")
        server.set_service(str(self.port))
        factory = GstRtspServer.RTSPMediaFactory()
        factory.set_launch(LAUNCH)
        factory.set_shared(True)
        factory.connect("media-configure", self._configure)
        if self._access is not None:
            self._guard(server, factory)
        server.get_mount_points().add_factory("/" + self.name, factory)
        self._watch = server.create_source(None)
        self._watch.attach(None)
        self.port = server.get_bound_port() if self.port == 0 else self.port
        self._server = server

    def _guard(self, server: Any, factory: Any) -> None:
        """Only with user and password."""
        user, password, kind = self._access or ("", "", "")
        auth = GstRtspServer.RTSPAuth()
        token = GstRtspServer.RTSPToken()
        token.set_string(GstRtspServer.RTSP_TOKEN_MEDIA_FACTORY_ROLE, "viewer")
        if kind == "digest":
            auth.set_supported_methods(2)  # GST_RTSP_AUTH_DIGEST
            auth.add_digest(user, password, token)
        else:
            auth.add_basic(GstRtspServer.RTSPAuth.make_basic(user, password), token)
        server.set_auth(auth)
        permissions = GstRtspServer.RTSPPermissions()
        permissions.add_permission_for_role("viewer", "media.factory.access", True)
        permissions.add_permission_for_role("viewer", "media.factory.construct", True)
        factory.set_permissions(permissions)

    def cut(self) -> None:
        """Close the port and every connection."""
        if self._server is None:
            return
        self._watch.destroy()
        self._server.client_filter(lambda server, client: GstRtspServer.RTSPFilterResult.REMOVE)
        self._server = self._watch = None
        with self._lock:
            self._source = None

    def _configure(self, factory: Any, media: Any) -> None:
        """A first client came: its pipeline is fed from now on."""
        source = media.get_element().get_by_name("source")
        # of this very pipeline: the end of one that was cut may be told when the next one runs already
        media.connect("unprepared", lambda media: self._forget(source))
        with self._lock:
            self._source = source
            self._wait_for_key = True

    def _forget(self, source: Any) -> None:
        with self._lock:
            if source == self._source:
                self._source = None

    def switch(self, clip: Clip) -> None:
        with self._lock:
            self.clip, self._next, self._wait_for_key = clip, 0, True

    def _feed(self) -> None:
        due_s = time.monotonic()
        while True:
            with self._lock:
                self._push()
                due_s += 1.0 / self.clip.fps
            behind_s = time.monotonic() - due_s
            if behind_s > 0.5:  # the machine stood still: no burst to make up for it
                due_s += behind_s
            time.sleep(max(0.0, due_s - time.monotonic()))

    def _push(self) -> None:
        """The picture of this moment, to whoever watches."""
        unit, key = self.clip.units[self._next]
        self._next = (self._next + 1) % len(self.clip.units)
        source = self._source
        if source is None or self.silent or (self._wait_for_key and not key):
            self._wait_for_key = self._wait_for_key or self.silent
            return
        clock, base_ns = source.get_clock(), source.get_base_time()
        if clock is None or not base_ns:
            # it does not run yet: it gets its clock first, and without the moment it began at no stamp means anything
            return
        self._wait_for_key = False
        buffer = Gst.Buffer.new_wrapped(unit)
        buffer.pts = buffer.dts = max(0, clock.get_time() - base_ns)
        buffer.duration = Gst.SECOND // self.clip.fps
        if source.emit("push-buffer", buffer) == Gst.FlowReturn.OK:
            self.sent += 1


class Cameras:
    """All of them, and the commands."""

    def __init__(self, cameras: dict[str, Camera], loop: Any) -> None:
        self._cameras, self._loop = cameras, loop

    def obey(self, line: str) -> bool:
        """One line of the input; False after `quit`. Runs on the main loop's thread."""
        words = line.split()
        verb = words[0] if words else "stats"
        camera = self._cameras.get(words[1]) if len(words) > 1 else None
        error = ""
        if verb == "quit":
            self._loop.quit()
            return False
        if verb != "stats":
            error = self._act(verb, camera, words)
        answer: dict[str, Any] = {"event": verb, "sent": {n: c.sent for n, c in self._cameras.items()}}
        say(answer | ({"error": error} if error else {}))
        return False

    def _act(self, verb: str, camera: Camera | None, words: list[str]) -> str:
        """What went wrong, or nothing."""
        if camera is None:
            return f"no such camera: {' '.join(words[1:2])}; there are {', '.join(self._cameras)}"
        if verb == "drop":
            camera.cut()
        elif verb == "restore":
            camera.listen()
        elif verb in ("silence", "speak"):
            camera.silent = verb == "silence"
        elif verb == "switch" and len(words) == 3:
            camera.switch(Clip(Path(words[2])))
        else:
            return f"no such command: {verb}; there are drop, restore, silence, speak, switch, stats, quit"
        return ""


def say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--camera", action="append", required=True, metavar="NAME=FILE")
    parser.add_argument("--user")
    parser.add_argument("--password", default="")
    parser.add_argument("--auth", choices=("basic", "digest"), default="basic")
    args = parser.parse_args()
    Gst.init(None)
    access = (args.user, args.password, args.auth) if args.user else None
    cameras = {}
    for given in args.camera:
        name, _, path = given.partition("=")
        cameras[name] = Camera(name, Clip(Path(path)), 0, access)
    loop = GLib.MainLoop()
    rule = Cameras(cameras, loop)
    say({"event": "listening", "ports": {name: camera.port for name, camera in cameras.items()}})

    def read() -> None:
        for line in sys.stdin:
            GLib.idle_add(rule.obey, line)
        GLib.idle_add(rule.obey, "quit")

    threading.Thread(target=read, daemon=True).start()
    loop.run()


if __name__ == "__main__":
    main()
