"""A small HTTP camera: motion JPEG, an MPEG transport stream, a file, and answers that are none.

    with HttpStub() as camera:
        open(camera.url + "/mjpeg")     # multipart JPEG pictures, for ever
        open(camera.url + "/clip.ts")   # two seconds of H.264, then the end
        open(camera.url + "/live.m3u8") # a playlist of one segment; /evil.m3u8 names a local file
        camera.status = 401             # every answer from now on

`served` holds the paths that were asked for. Runs in daemon threads that `close` ends.
"""

from __future__ import annotations

import io
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self

import av
import numpy as np
from rig.h264_clip import make_clip


class HttpStub:
    """See the head of this file."""

    def __init__(self, size_px: tuple[int, int] = (160, 120), fps: float = 25.0) -> None:
        self.status = 200
        self.served: list[str] = []
        self.fps, self.size_px = fps, size_px
        self.closing = threading.Event()
        self._jpeg = _jpeg(size_px)
        self._clip = _transport_stream(size_px, fps)
        handler = type("Handler", (_Handler,), {"stub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def body(self, path: str) -> tuple[str, bytes] | None:
        """(content type, bytes) of what has an end."""
        if path == "/clip.ts":
            return "video/mp2t", self._clip
        if path == "/live.m3u8":
            return "application/vnd.apple.mpegurl", _playlist("clip.ts")
        if path == "/evil.m3u8":
            return "application/vnd.apple.mpegurl", _playlist("file:///etc/hostname")
        return None

    @property
    def jpeg(self) -> bytes:
        return self._jpeg

    def close(self) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Handler(BaseHTTPRequestHandler):
    stub: HttpStub

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: tests look at `served`."""

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        self.stub.served.append(path)
        if self.stub.status != 200:
            self.send_error(self.stub.status)
        elif path == "/mjpeg":
            self._pictures()
        elif (found := self.stub.body(path)) is not None:
            self.send_response(200)
            self.send_header("Content-Type", found[0])
            self.send_header("Content-Length", str(len(found[1])))
            self.end_headers()
            self.wfile.write(found[1])
        else:
            self.send_error(404)

    def _pictures(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=part")
        self.end_headers()
        jpeg = self.stub.jpeg
        head = f"--part\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n".encode()
        try:
            while not self.stub.closing.is_set():
                self.wfile.write(head + jpeg + b"\r\n")
                time.sleep(1 / self.stub.fps)
        except OSError:
            pass


def _playlist(segment: str) -> bytes:
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:3",
        "#EXT-X-TARGETDURATION:2",
        "#EXTINF:2.0,",
        segment,
        "#EXT-X-ENDLIST",
        "",
    ]
    return "\n".join(lines).encode()


def _jpeg(size_px: tuple[int, int]) -> bytes:
    width, height = size_px
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.full((height * 3 // 2, width), 128, np.uint8), format="yuvj420p")
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _transport_stream(size_px: tuple[int, int], fps: float) -> bytes:
    """The clip of the RTSP stub as a transport stream of two seconds."""
    clip = make_clip(size_px, fps)
    coded = b"".join(clip.annex_b(i) for i in range(round(2 * fps)))
    out = io.BytesIO()
    with av.open(io.BytesIO(coded), format="h264", options={"framerate": f"{fps:g}"}) as source:
        with av.open(out, "w", format="mpegts") as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for i, packet in enumerate(source.demux(source.streams.video[0])):
                if packet.size == 0:
                    continue
                packet.stream = stream
                packet.time_base = Fraction(1, 90_000)
                packet.pts = packet.dts = round(i * 90_000 / fps)
                target.mux(packet)
    return out.getvalue()
