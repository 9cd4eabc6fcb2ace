"""A small real RTSP server that can go wrong in every way cameras do. H.264 over interleaved TCP, or UDP.

    with RtspStub() as camera:
        open(camera.url)                  # rtsp://127.0.0.1:<port>/live
        camera.dark = True                # connections stay, frames stop (a black-out); False: they come again
        camera.held = True                # frames wait; False: all that waited come at once (a burst)
        camera.cut()                      # every connection is closed, in the midst of a picture
        camera.refuse(); camera.listen()  # nobody at the port; again at the same port
        camera.clip = make_clip((320, 240))    # the picture size changes in the running stream
        camera.ntp_offset_s += 5          # the camera's wall clock is set
        camera.rtp_shift_s -= 3           # its media clock jumps

Set before a client connects:  `fault` (see `Fault`), `auth`, `reports`, `report_after_s`, `rtp_base` (wraps at 2**32),
`ppm` (how much faster its clocks run than the host's), `fps`.
What happened: `frames_sent`, `open_connections`, `requests` [(method, status)], `truth` [(host ns, rtp time s, index)].

Everything runs in daemon threads that `close` (or leaving the `with`) ends and joins.
"""

from __future__ import annotations

import base64
import hashlib
import re
import socket
import struct
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from types import TracebackType
from typing import Self

from rig.h264_clip import Clip, make_clip

_NTP_EPOCH_S = 2_208_988_800  # 1900 to 1970
_REALM, _NONCE = "stub", "5d1f0c"
_MTU = 1200


class Fault(StrEnum):
    """How the server answers."""

    NONE = "none"
    SILENT = "silent"
    """Takes the connection, says nothing."""
    SILENT_PLAY = "silent_play"
    """Answers everything, and sends no frame."""
    NOT_FOUND = "not_found"
    BUSY = "busy"
    """453 Not Enough Bandwidth, as cameras answer one client too many."""
    WRONG_CODEC = "wrong_codec"
    """Announces a codec that nobody has."""
    NO_VIDEO = "no_video"
    """Announces sound alone."""
    GARBAGE = "garbage"
    """Announces H.264 and sends noise."""
    NOT_RTSP = "not_rtsp"
    """Speaks first, as some other kind of server."""


@dataclass(frozen=True)
class Auth:
    """What the camera asks for."""

    user: str = "admin"
    password: str = "secret"
    scheme: str = "digest"
    """basic or digest."""


@dataclass
class _Session:
    """One connection and what it has set up."""

    link: socket.socket
    buffer: bytes = b""
    udp: socket.socket | None = None
    udp_to: tuple[tuple[str, int], tuple[str, int]] | None = None
    playing: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class RtspStub:
    """One camera. See the head of this file."""

    def __init__(
        self,
        clip: Clip | None = None,
        *,
        fault: Fault = Fault.NONE,
        auth: Auth | None = None,
        reports: bool = True,
        report_after_s: float = 0.0,
        report_every_s: float = 1.0,
        rtp_base: int = 1000,
        ppm: float = 0.0,
        fps: float | None = None,
    ) -> None:
        self.clip = clip or make_clip()
        self.fps = fps or self.clip.fps
        self.fault, self.auth = fault, auth
        self.reports, self.report_after_s, self.report_every_s = reports, report_after_s, report_every_s
        self.rtp_base, self.ppm = rtp_base, ppm
        self.ntp_offset_s = 0.0
        self.rtp_shift_s = 0.0
        self.dark = False
        self.held = False
        self.frames_sent = 0
        self.requests: list[tuple[str, int]] = []
        self.truth: deque[tuple[int, float, int]] = deque(maxlen=10_000)
        self._closing = threading.Event()
        self._sessions: list[_Session] = []
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._listener: socket.socket | None = None
        self.port = 0
        self.listen()

    @property
    def url(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/live"

    def url_with(self, user: str, password: str) -> str:
        return f"rtsp://{user}:{password}@127.0.0.1:{self.port}/live"

    @property
    def open_connections(self) -> int:
        with self._lock:
            return len(self._sessions)

    def listen(self) -> None:
        """Takes connections (again), at the same port."""
        if self._listener is not None:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(16)
        self.port = listener.getsockname()[1]
        self._listener = listener
        self._spawn(self._accept, listener)

    def refuse(self) -> None:
        """Nobody listens any more, and connections are cut."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)  # wakes `accept`
            listener.close()
        self.cut()

    def cut(self) -> None:
        """Closes every connection, wherever it stands."""
        with self._lock:
            sessions = list(self._sessions)
        for session in sessions:
            with suppress(OSError):
                session.link.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._closing.set()
        self.refuse()
        for thread in self._threads:
            thread.join(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spawn(self, target: object, *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)  # type: ignore[arg-type]
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _accept(self, listener: socket.socket) -> None:
        while not self._closing.is_set():
            try:
                link, _ = listener.accept()
            except OSError:
                return
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = _Session(link)
            with self._lock:
                self._sessions.append(session)
            self._spawn(self._serve, session)

    def _serve(self, session: _Session) -> None:
        """Requests of one connection, until it or the server ends."""
        try:
            if self.fault is Fault.NOT_RTSP:
                session.link.sendall(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi")
                session.link.recv(4096)
                return
            while not self._closing.is_set():
                request = _next_request(session)
                if request is None:
                    return
                if self.fault is Fault.SILENT:
                    continue
                self._answer(session, *request)
        except OSError:
            return
        finally:
            session.playing = False
            with self._lock:
                self._sessions.remove(session)
            with session.lock:
                session.link.close()
                if session.udp is not None:
                    session.udp.close()

    def _answer(self, session: _Session, method: str, uri: str, headers: dict[str, str]) -> None:
        status, extra, body = 200, [], ""
        if method == "OPTIONS":
            extra = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"]
        elif self.auth and not _allowed(self.auth, method, uri, headers.get("authorization", "")):
            status = 401
            extra = [f'WWW-Authenticate: {self.auth.scheme.title()} realm="{_REALM}"']
            if self.auth.scheme == "digest":
                extra[0] += f', nonce="{_NONCE}"'
        elif self.fault is Fault.NOT_FOUND:
            status = 404
        elif method == "DESCRIBE":
            body = self._sdp()
            extra = [f"Content-Base: {uri}/", "Content-Type: application/sdp"]
        elif method == "SETUP" and self.fault is Fault.BUSY:
            status = 453
        elif method == "SETUP":
            extra = [f"Transport: {_set_up(session, headers['transport'])}", "Session: 1;timeout=60"]
        elif method in ("PLAY", "TEARDOWN", "GET_PARAMETER", "SET_PARAMETER", "PAUSE"):
            extra = ["Session: 1"]
        else:
            status = 405
        self.requests.append((method, status))
        words = {200: "OK", 401: "Unauthorized", 404: "Not Found", 453: "Not Enough Bandwidth"}
        head = [
            f"RTSP/1.0 {status} {words.get(status, 'Refused')}",
            f"CSeq: {headers.get('cseq', '0')}",
            *extra,
        ]
        if body:
            head.append(f"Content-Length: {len(body)}")
        _send(session, ("\r\n".join(head) + "\r\n\r\n" + body).encode())
        if method == "PLAY" and status == 200 and self.fault is not Fault.SILENT_PLAY and not session.playing:
            session.playing = True
            self._spawn(self._play, session)
        if method == "TEARDOWN":
            session.playing = False

    def _sdp(self) -> str:
        media, codec, fmtp = "video", "H264/90000", ""
        if self.fault is Fault.WRONG_CODEC:
            codec = "X-NOBODY-HAS-THIS/90000"
        elif self.fault is Fault.NO_VIDEO:
            media, codec = "audio", "L16/16000"
        else:
            sets = ",".join(base64.b64encode(nal).decode() for nal in self.clip.parameter_sets)
            fmtp = f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\n"
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=stub\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\na=control:*\r\n"
            f"m={media} 0 RTP/AVP 96\r\na=rtpmap:96 {codec}\r\n{fmtp}a=control:track0\r\n"
        )

    def _play(self, session: _Session) -> None:
        """Sends pictures at their times until the session ends."""
        start_s = time.monotonic()
        sequence, index, clip = 0, 0, self.clip
        next_report_s = self.report_after_s
        waiting: list[bytes] = []
        with suppress(OSError):
            while session.playing and not self._closing.is_set():
                due_s = index / self.fps
                while (rest_s := start_s + due_s - time.monotonic()) > 0:
                    if self._closing.wait(min(rest_s, 0.1)) or not session.playing:
                        return
                if clip is not self.clip:
                    clip, index_in_clip0 = self.clip, index
                elif index == 0:
                    index_in_clip0 = 0
                media_s = due_s * (1 + self.ppm * 1e-6) + self.rtp_shift_s
                rtp_time = (self.rtp_base + round(media_s * 90_000)) % 2**32
                if not self.dark:
                    if self.reports and due_s >= next_report_s:
                        next_report_s = due_s + self.report_every_s
                        _send_rtcp(
                            session, self._sender_report(rtp_time, due_s - (time.monotonic() - start_s))
                        )
                    picture = clip.pictures[(index - index_in_clip0) % len(clip.pictures)]
                    for packet in self._packets(picture, rtp_time, sequence):
                        waiting.append(packet)
                        sequence += 1
                    if not self.held:
                        for packet in waiting:
                            _send_rtp(session, packet)
                        waiting.clear()
                        self.frames_sent += 1
                        self.truth.append((time.time_ns(), media_s, index))
                index += 1

    def _packets(self, picture: tuple[bytes, ...], rtp_time: int, sequence: int) -> list[bytes]:
        payloads = [payload for nal in picture for payload in _fragments(nal)]
        if self.fault is Fault.GARBAGE:
            payloads = [
                bytes([payload[0]]) + bytes((7 * i) % 251 for i in range(len(payload)))
                for payload in payloads
            ]
        last = len(payloads) - 1
        return [
            struct.pack(
                ">BBHII", 0x80, 96 | (0x80 if i == last else 0), (sequence + i) % 65536, rtp_time, 0x1234
            )
            + payload
            for i, payload in enumerate(payloads)
        ]

    def _sender_report(self, rtp_time: int, ahead_s: float) -> bytes:
        """The camera's wall clock at `rtp_time`; `ahead_s`: how far the frame's due time lies from now."""
        ntp_s = time.time() + ahead_s + self.ntp_offset_s + _NTP_EPOCH_S
        whole = int(ntp_s)
        fraction = int((ntp_s - whole) * 2**32)
        return struct.pack(">BBHIIIIII", 0x80, 200, 6, 0x1234, whole, fraction, rtp_time, self.frames_sent, 0)


def _next_request(session: _Session) -> tuple[str, str, dict[str, str]] | None:
    """(method, uri, headers) of the next request; interleaved packets of the client are passed over."""
    while True:
        head = session.buffer
        if head[:1] == b"$" and len(head) >= 4 and len(head) >= 4 + int.from_bytes(head[2:4], "big"):
            session.buffer = head[4 + int.from_bytes(head[2:4], "big") :]
            continue
        if head[:1] != b"$" and b"\r\n\r\n" in head:
            text, session.buffer = head.split(b"\r\n\r\n", 1)
            lines = text.decode("latin-1").split("\r\n")
            method, uri, *_ = [*lines[0].split(" "), "", ""]
            pairs = (line.split(":", 1) for line in lines[1:] if ":" in line)
            return method, uri, {name.strip().lower(): value.strip() for name, value in pairs}
        data = session.link.recv(65536)
        if not data:
            return None
        session.buffer += data


def _set_up(session: _Session, wanted: str) -> str:
    ports = re.search(r"client_port=(\d+)-(\d+)", wanted)
    if ports is None:
        return "RTP/AVP/TCP;unicast;interleaved=0-1"
    session.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    session.udp.bind(("127.0.0.1", 0))
    session.udp_to = ("127.0.0.1", int(ports[1])), ("127.0.0.1", int(ports[2]))
    own = session.udp.getsockname()[1]
    return f"RTP/AVP;unicast;client_port={ports[1]}-{ports[2]};server_port={own}-{own + 1}"


def _send(session: _Session, data: bytes) -> None:
    with session.lock:
        session.link.sendall(data)


def _send_rtp(session: _Session, packet: bytes) -> None:
    _send_packet(session, 0, packet)


def _send_rtcp(session: _Session, packet: bytes) -> None:
    _send_packet(session, 1, packet)


def _send_packet(session: _Session, channel: int, packet: bytes) -> None:
    if session.udp is not None and session.udp_to is not None:
        session.udp.sendto(packet, session.udp_to[channel])
    else:
        _send(session, struct.pack(">cBH", b"$", channel, len(packet)) + packet)


def _fragments(nal: bytes) -> list[bytes]:
    """RFC 6184: a single NAL unit packet, or FU-A."""
    if len(nal) <= _MTU:
        return [nal]
    parts = [nal[1 + i : 1 + i + _MTU] for i in range(0, len(nal) - 1, _MTU)]
    kind, indicator = nal[0] & 31, (nal[0] & 0xE0) | 28
    flags = [(0x80 if i == 0 else 0) | (0x40 if i == len(parts) - 1 else 0) for i in range(len(parts))]
    return [bytes([indicator, flag | kind]) + part for flag, part in zip(flags, parts, strict=True)]


def _allowed(auth: Auth, method: str, uri: str, header: str) -> bool:
    if auth.scheme == "basic":
        wanted = base64.b64encode(f"{auth.user}:{auth.password}".encode()).decode()
        return header == f"Basic {wanted}"
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', header))
    secret = _md5(f"{auth.user}:{_REALM}:{auth.password}")
    request = _md5(f"{method}:{said.get('uri', uri)}")
    return said.get("response") == _md5(f"{secret}:{_NONCE}:{request}")


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
