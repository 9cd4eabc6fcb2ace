"""What operators ask of a running engine, done between two turns of the supervisor."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..configs.array import MAX_CAMERAS, CameraRole, make_entry
from ..kernels.errors import CrowdstreamError
from ..stream.calibration_file import load_calibration
from ..stream.control.records import Reply, Request, Verb
from ..stream.errors import ControlError
from ..stream.health.redact import redact
from ..stream.health.wire import report_map
from .lane import Lane
from .place import Ticket, WorkerLost

if TYPE_CHECKING:
    from .supervisor import Supervisor

_LOOK_S = 0.2
OPTIONS = ("perception.detect_stride", "perception.pose_rate_hz", "perception.pose_budget", "refine.enabled")
"""Settings that may change while the engine runs."""


class Operator:
    """Takes requests from the publisher, acts, and answers."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._s = supervisor
        self._asked: Ticket = None
        self._due_s = 0.0

    def look(self) -> None:
        """Fetch what has been asked, and do it; never waits."""
        s = self._s
        now_s = time.monotonic()
        if self._asked is not None and s.place.ready([self._asked], 0):
            ticket, self._asked = self._asked, None
            try:
                requests: list[Request] = s.place.take(ticket)
            except WorkerLost:
                requests = []  # the publisher is replaced when its next push is missed
            for request in requests:
                s.outbox.ask("answer", self.answer(request))
        if self._asked is None and now_s >= self._due_s and s.outbox.address:
            self._due_s = now_s + _LOOK_S
            self._asked = s.outbox.ask("requests")

    def answer(self, request: Request) -> Reply:
        """Do it, and say what was done, or why not."""
        try:
            text, result = self._do(request.verb, request.args)
        except CrowdstreamError as exc:
            return Reply(request.ticket, False, redact(str(exc)))
        if request.verb is not Verb.STATUS:
            self._s.tell("control", f"{request.verb.value}: {text}")
        return Reply(request.ticket, True, text, result)

    def _do(self, verb: Verb, args: Mapping[str, object]) -> tuple[str, dict[str, Any]]:
        match verb:
            case Verb.STATUS:
                report = self._s.overview.report(time.monotonic())
                running = sum(camera.phase == "running" for camera in report.cameras)
                return f"{running} of {len(report.cameras)} cameras run", report_map(report)
            case Verb.ADD_CAMERA:
                return self._add(args), {}
            case Verb.REMOVE_CAMERA:
                lane = self._lane(args)
                lane.ended = lane.removed = True
                return f"{lane.name} is removed; its last windows are being solved", {}
            case Verb.PAUSE_CAMERA | Verb.RESUME_CAMERA:
                return self._pause(self._lane(args), verb is Verb.PAUSE_CAMERA), {}
            case Verb.SET_OPTION:
                return self._set(str(args["key"]), args["value"]), {}
            case Verb.RELOAD_CALIBRATION:
                return self._reload(self._lane(args), args.get("calibration")), {}
            case Verb.STOP:
                self._s.stopping = True
                return "stopping: the windows at hand are solved and committed", {}

    def _lane(self, args: Mapping[str, object]) -> Lane:
        name = str(args["camera"])
        for lane in self._s.lanes:
            if name == (lane.name or lane.entry.name) and not lane.finished:
                return lane
        known = ", ".join(lane.name or lane.entry.name for lane in self._s.lanes if not lane.finished)
        raise ControlError(f"no camera {name!r}; there are: {known or 'none'}")

    def _add(self, args: Mapping[str, object]) -> str:
        s = self._s
        name = str(args["camera"])
        if sum(not lane.finished for lane in s.lanes) >= MAX_CAMERAS:
            raise ControlError(f"there are {MAX_CAMERAS} cameras already; remove one first")
        calibration = args.get("calibration")
        path = Path(str(calibration)) if calibration else None
        if path is not None:
            load_calibration(path, name)  # refused here, where somebody reads why
        taken = [lane.name or lane.entry.name for lane in s.lanes if not lane.finished]
        role = str(args.get("role", CameraRole.BODIES.value))
        s.opening.add_camera(make_entry(name, str(args["source"]), path, role, taken))
        return f"{name} is added and being opened"

    def _pause(self, lane: Lane, pause: bool) -> str:
        if lane.camera is None or not lane.live:
            raise ControlError(
                f"{lane.name} is a recording, or not open now; only live cameras can be paused"
            )
        self._s.place.ask(lane.camera, "command", "pause" if pause else "resume")
        return f"{lane.name} is {'paused' if pause else 'opened again'}"

    def _set(self, key: str, value: object) -> str:
        s = self._s
        if key not in OPTIONS:
            raise ControlError(
                f"{key} cannot change while the engine runs; these can: {', '.join(OPTIONS)}; all others need a "
                "restart (run --resume goes on with the log)"
            )
        stage, _, name = key.partition(".")
        settings = getattr(s.plan.config, stage)
        try:
            type(settings).model_validate({**settings.model_dump(), name: value})
        except ValueError as exc:
            said = str(exc).splitlines()
            raise ControlError(f"{key}: {said[2].strip() if len(said) > 2 else said[0]}") from None
        if stage == "refine":
            s.refines = bool(value)
        else:
            s.options[name] = value
            for crew in s.crews:
                crew.ask("perception", "set_options", dict(s.options))
        return f"{key} = {value} from now on, until the engine ends"

    def _reload(self, lane: Lane, calibration: object) -> str:
        s = self._s
        path = Path(str(calibration)) if calibration else lane.entry.calibration
        if path is None or lane.info is None:
            raise ControlError(f"{lane.name} was given no calibration file, or is not open yet; name a file")
        wanted = lane.name if s.plan.array else s.plan.config.source.camera
        found = load_calibration(path, wanted or None, lane.info.size_px)
        s.tell_tracking(lane, "set_calibration", found)
        lane.calibration, lane.geometry = found, (found, lane.last_index + 1)
        s.tell_perception(lane)
        s.outbox.push("push_calibration", lane.name, found)
        return f"{lane.name}: {path.name} holds from the next frame on"
