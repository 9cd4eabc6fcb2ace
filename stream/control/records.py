"""What is asked of a running engine, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Permission(StrEnum):
    """What a token allows."""

    READ = "read"
    CONTROL = "control"
    """Reading, and control."""


class Verb(StrEnum):
    """What can be asked."""

    STATUS = "status"
    """The health report of the moment. Needs reading only; all others need control."""
    ADD_CAMERA = "add_camera"
    """`camera`: name, `source`: URL; also `calibration`, `role`."""
    REMOVE_CAMERA = "remove_camera"
    """`camera`."""
    PAUSE_CAMERA = "pause_camera"
    """`camera`."""
    RESUME_CAMERA = "resume_camera"
    """`camera`; also brings back one that had failed."""
    SET_OPTION = "set_option"
    """`key`, `value`: a setting that may change while the engine runs."""
    RELOAD_CALIBRATION = "reload_calibration"
    """`camera`, and `calibration`: another file than the one given at the start."""
    STOP = "stop"
    """End the run as Ctrl-C does."""


READ_VERBS = frozenset({Verb.STATUS})


@dataclass(frozen=True)
class Request:
    """One request, as it came from a connection that may make it."""

    ticket: str
    """Of the server: who the answer goes to."""
    verb: Verb
    args: Mapping[str, object] = field(default_factory=dict)
    """Plain values, checked for their types and sizes."""


@dataclass(frozen=True)
class Reply:
    """The answer to one request."""

    ticket: str
    ok: bool
    text: str
    """One line for people: what was done, or why not and what to do."""
    result: Mapping[str, object] = field(default_factory=dict)
    """Plain values."""
