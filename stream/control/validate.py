"""What may stand in a request: every verb with its arguments, their types and their sizes.

A request comes from outside. It is either exactly one of these, or refused with what was expected; values are never
repeated in a refusal, as an address of a camera may hold a password.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from ..errors import ControlError
from .records import Verb

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
"""A camera: it becomes part of topics, labels and file names."""
KEY = re.compile(r"[a-z][a-z0-9_]{0,63}(\.[a-z0-9][a-z0-9_]{0,63}){1,5}")
"""A setting, `stage.key`."""
MOST_CHARACTERS = 2048
MOST_VALUES = 64
"""Entries of a list given as a value."""
ROLES = ("bodies", "tracks", "watch")


class ArgKind(StrEnum):
    """What an argument is."""

    NAME = "a name of 1 to 64 letters, digits, . _ or -"
    TEXT = f"text of 1 to {MOST_CHARACTERS} characters, without control characters"
    ROLE = f"one of {', '.join(ROLES)}"
    KEY = "a setting such as solve.iterations"
    VALUE = f"text, a number, true, false or a list of at most {MOST_VALUES} of them"


@dataclass(frozen=True)
class Arg:
    """One argument of a verb."""

    kind: ArgKind
    required: bool = True


VERB_ARGS: Mapping[Verb, Mapping[str, Arg]] = {
    Verb.STATUS: {},
    Verb.ADD_CAMERA: {
        "camera": Arg(ArgKind.NAME),
        "source": Arg(ArgKind.TEXT),
        "calibration": Arg(ArgKind.TEXT, required=False),
        "role": Arg(ArgKind.ROLE, required=False),
    },
    Verb.REMOVE_CAMERA: {"camera": Arg(ArgKind.NAME)},
    Verb.PAUSE_CAMERA: {"camera": Arg(ArgKind.NAME)},
    Verb.RESUME_CAMERA: {"camera": Arg(ArgKind.NAME)},
    Verb.SET_OPTION: {"key": Arg(ArgKind.KEY), "value": Arg(ArgKind.VALUE)},
    Verb.RELOAD_CALIBRATION: {
        "camera": Arg(ArgKind.NAME),
        "calibration": Arg(ArgKind.TEXT, required=False),
    },
    Verb.STOP: {},
}
"""All there is; a verb that is not here cannot be asked for."""


def usage(verb: Verb) -> str:
    """`add_camera camera=... source=... [calibration=...] [role=...]`."""
    args = (f"{n}=..." if arg.required else f"[{n}=...]" for n, arg in VERB_ARGS[verb].items())
    return " ".join([verb.value, *args])


def check_verb(verb: object) -> Verb:
    """Raises ControlError for a verb that there is not."""
    try:
        return Verb(verb)  # type: ignore[arg-type]
    except ValueError:
        known = ", ".join(v.value for v in Verb)
        said = repr(verb[:40]) if isinstance(verb, str) else f"a {type(verb).__name__}"
        raise ControlError(f"verb {said}: expected one of {known}") from None


def check_args(verb: Verb, args: object) -> dict[str, object]:
    """The arguments, unchanged.

    Raises:
        ControlError: not a map, an argument the verb does not have, a missing one, or one of another type or size.
    """
    if not isinstance(args, Mapping):
        raise ControlError(f"{verb}: args is a {type(args).__name__}, expected a map")
    wanted = VERB_ARGS[verb]
    for name in args:
        if name not in wanted:
            said = repr(name[:40]) if isinstance(name, str) else f"of type {type(name).__name__}"
            raise ControlError(f"{verb}: unknown argument {said}; expected {usage(verb)}")
    for name, arg in wanted.items():
        if name not in args:
            if arg.required:
                raise ControlError(f"{verb}: {name} is missing; expected {usage(verb)}")
        elif not _fits(arg.kind, args[name]):
            raise ControlError(
                f"{verb}: {name} is {_described(args[name])}, expected {arg.kind.value}; {usage(verb)}"
            )
    return dict(args)


def _fits(kind: ArgKind, value: object) -> bool:
    match kind:
        case ArgKind.NAME:
            return isinstance(value, str) and NAME.fullmatch(value) is not None
        case ArgKind.TEXT:
            return isinstance(value, str) and _is_text(value) and bool(value.strip())
        case ArgKind.ROLE:
            return isinstance(value, str) and value in ROLES
        case ArgKind.KEY:
            return isinstance(value, str) and KEY.fullmatch(value) is not None
        case ArgKind.VALUE:
            if isinstance(value, list):
                return len(value) <= MOST_VALUES and all(_is_plain(item) for item in value)
            return _is_plain(value)


def _is_text(value: str) -> bool:
    return len(value) <= MOST_CHARACTERS and value.isprintable()


def _is_plain(value: object) -> bool:
    if isinstance(value, str):
        return _is_text(value)
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, bool | int) and abs(value) < 1 << 63


def _described(value: object) -> str:
    """Type and size only."""
    if isinstance(value, str | list | Mapping):
        what = {str: "characters", list: "entries"}.get(type(value), "entries")
        kind = {str: "text", list: "a list"}.get(type(value), "a map")
        return f"{kind} of {len(value)} {what}"
    return f"a {type(value).__name__}"
