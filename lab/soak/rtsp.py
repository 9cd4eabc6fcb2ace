"""The RTSP server of `rtsp_server.py` as a thing to hold: started, obeyed, ended."""

from __future__ import annotations

import json
import selectors
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import TracebackType

from ...kernels.errors import CrowdstreamError

SYSTEM_PYTHON = "/usr/bin/python3"
"""GStreamer's bindings come with the system's packages, and its Python finds them."""
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly "
    "gstreamer1.0-libav python3-gi"
)
"""Of Debian and Ubuntu."""
_SERVER = Path(__file__).with_name("rtsp_server.py")
_ANSWER_S = 20.0
"""Starting Python and GStreamer on a machine that is busy."""


class NoRtspServer(CrowdstreamError):
    """GStreamer's RTSP server is not on this machine, or does not answer."""


@cache
def why_not() -> str:
    """Empty where the server can run; else what is missing and what to do."""
    probe = "import gi; gi.require_version('Gst','1.0'); gi.require_version('GstRtspServer','1.0'); "
    probe += "from gi.repository import Gst, GstRtspServer; Gst.init(None); "
    probe += "assert all(Gst.ElementFactory.find(n) for n in ('appsrc','h264parse','rtph264pay','rtpbin'))"
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-c", probe], capture_output=True, timeout=60, text=True)
    except (OSError, subprocess.TimeoutExpired) as exc:
        return f"{SYSTEM_PYTHON} does not run ({type(exc).__name__})"
    if done.returncode != 0:
        return f"GStreamer's RTSP server is not installed; apt-get install {PACKAGES}"
    return ""


class RtspCameras:
    """Cameras on 127.0.0.1, one port each; `with` it.

    Raises NoRtspServer where GStreamer is absent or an order is not obeyed.
    """

    def __init__(
        self, clips: Mapping[str, Path], user: str = "", password: str = "", auth: str = "basic"
    ) -> None:
        """Args:
        clips: name of the camera -> file of `camera_clip`.
        """
        if missing := why_not():
            raise NoRtspServer(missing)
        command = [SYSTEM_PYTHON, str(_SERVER)]
        for name, clip in clips.items():
            command += ["--camera", f"{name}={clip}"]
        if user:
            command += ["--user", user, "--password", password, "--auth", auth]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            ports = self._hear()["ports"]
        except BaseException:
            self.close()
            raise
        self.ports: dict[str, int] = {str(name): int(port) for name, port in ports.items()}

    @property
    def pid(self) -> int:
        return self._process.pid

    def url(self, name: str, access: str = "") -> str:
        """Args:
        access: `user:password@`, where the cameras ask for it.
        """
        return f"rtsp://{access}127.0.0.1:{self.ports[name]}/{name}"

    def tell(self, order: str) -> dict[str, int]:
        """One order (see `rtsp_server.py`); pictures that every camera has sent so far."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(order + "\n")
            self._process.stdin.flush()
        except OSError as exc:
            raise NoRtspServer("the RTSP server has ended") from exc
        answer = self._hear()
        if "error" in answer:
            raise NoRtspServer(answer["error"])
        return {str(name): int(count) for name, count in answer["sent"].items()}

    def sent(self) -> dict[str, int]:
        return self.tell("stats")

    def _hear(self) -> dict[str, dict[str, int]]:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            ready = waiting.select(_ANSWER_S)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            raise NoRtspServer(f"the RTSP server said nothing within {_ANSWER_S:.0f} s")
        return dict(json.loads(line))

    def close(self) -> None:
        """End the server; a second call does nothing."""
        process = self._process
        if process.stdin is not None and not process.stdin.closed:
            process.stdin.close()
        try:
            process.wait(5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> RtspCameras:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        self.close()
