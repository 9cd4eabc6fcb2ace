"""`array.yaml`: the cameras of one engine, each with a name, an address and what is known of it.

cameras:
  - name: gate
    source: rtsp://user:${GATE_PASSWORD}@10.0.0.7/stream1
    calibration: gate.json          # beside this file; optional
    role: bodies                    # bodies (default) | tracks | watch
    source_options: {...}           # any of the settings `source`
    live: {transport: udp}          # any of the settings `live`
defaults: {...}                     # role, source_options and live of every camera that says nothing else

The whole of it with examples: docs/arrays.md.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from ..stream.errors import SourceError
from ..stream.sources.base import SourceConfig
from ..stream.sources.live.address import is_live, parse_address
from ..stream.sources.live.config import LiveConfig
from .building import build
from .errors import ConfigError
from .lined_yaml import Lined, read_lined
from .secrets import expand

MAX_CAMERAS = 256
"""Of one engine."""
_MOST_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_YAML = (".yaml", ".yml")


class CameraRole(StrEnum):
    """What a camera is for."""

    BODIES = "bodies"
    """Everything: tracks, windows, bodies, refinement."""
    TRACKS = "tracks"
    """Who is where, without bodies: the live tier alone."""
    WATCH = "watch"
    """Decoded and timed, not looked at: its health is published, nobody in it."""


@dataclass(frozen=True)
class CameraEntry:
    """One camera of an array. Its name is the name of its site: of the topics `live.<name>` and so on."""

    name: str
    source: str = field(repr=False)
    """As `crowdstream run` takes it; may hold credentials, so it is never printed as it is."""
    calibration: Path | None = None
    role: CameraRole = CameraRole.BODIES
    source_options: dict[str, Any] = field(default_factory=dict)
    """Changes of `source` settings for this camera."""
    live: dict[str, Any] = field(default_factory=dict)
    """Changes of `live` settings for this camera."""

    def __post_init__(self) -> None:
        if self.name and not _is_name(self.name):
            raise ConfigError(
                f"a camera called {self.name!r:.80}: expected 1 to 64 letters, digits, '_', '-', '.', not dots alone"
            )


def load_array(path: str | Path, environment: Mapping[str, str] | None = None) -> tuple[CameraEntry, ...]:
    """The cameras of an array file, in its order.

    Args:
        path: YAML; relative paths in it are relative to its folder.
        environment: what `${NAME}` stands for; None: the environment of this process.

    Raises:
        ConfigError: with file and line, and never with an address: nothing of a source is printed.
    """
    path = Path(path).expanduser()
    document = read_lined(_text(path), str(path))
    return _ArrayReader(path, os.environ if environment is None else environment).read(document)


def entries_of(source: str, environment: Mapping[str, str] | None = None) -> tuple[CameraEntry, ...]:
    """The cameras that one argument of `crowdstream run` names: those of an array file, or the one it is.

    A recording is called after its file or folder, a camera after its host or device.

    Raises:
        ConfigError: an array file that cannot be taken. SourceError: an address that cannot be one.
    """
    if _is_array_file(source):
        return load_array(source, environment)
    return (CameraEntry(name_of(source), source),)


def make_entry(
    name: str,
    source: str,
    calibration: Path | None = None,
    role: str = CameraRole.BODIES,
    others: Iterable[str] = (),
) -> CameraEntry:
    """A camera that is asked for while the engine runs; no secret of this machine is put into what others send.

    Args:
        name: empty: after its host, device or file.
        others: names that are taken.

    Raises:
        ConfigError: a name that is none or taken, a role that is none. SourceError: an address that cannot be one.
    """
    if not source.strip():
        raise ConfigError("a camera without a source; expected an address, a device or a file")
    if _is_array_file(source):
        raise ConfigError("an array file is no camera; add its cameras one by one")
    if is_live(source):
        parse_address(source)
    entry = CameraEntry(name or name_of(source), source, calibration, _role(role))
    if entry.name in set(others):
        raise ConfigError(f"there is a camera {entry.name!r} already; remove it first, or give another name")
    return entry


def name_of(source: str) -> str:
    """What a camera is called whose name nobody gave.

    Raises:
        SourceError: an address that cannot be one.
    """
    if source.startswith("device:"):
        text = parse_address(source).shown.removeprefix("device:").rsplit("/", 1)[-1]
    elif is_live(source):
        parse_address(source)
        text = urlsplit(source).hostname or "camera"
    else:
        path = Path(source.removeprefix("file://")).expanduser()
        text = path.resolve().name if path.is_dir() else path.stem
    text = re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:64]
    return text if _is_name(text) else "camera"


def _is_name(text: str) -> bool:
    return bool(_NAME.fullmatch(text)) and bool(text.strip("."))


def _is_array_file(source: str) -> bool:
    return not is_live(source) and Path(source).suffix.lower() in _YAML


def _role(value: object) -> CameraRole:
    role = next((role for role in CameraRole if role == value), None)
    if role is None:
        raise ConfigError(f"role {value!r:.40}: expected {', '.join(CameraRole)}")
    return role


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise ConfigError(f"{path} is larger than {_MOST_BYTES} bytes; expected a list of cameras")
        return path.read_text("utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot read the array {path}: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"{path} is no text; expected a YAML file of cameras") from exc


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` over `base`, group by group."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _over(merged[key], value) if both else value
    return merged


_KEYS = ("name", "source", "calibration", "role", "source_options", "live")
_DEFAULTS = ("role", "source_options", "live")


class _ArrayReader:
    """One file. Every complaint says file and line, and never the source."""

    def __init__(self, path: Path, environment: Mapping[str, str]) -> None:
        self._path, self._folder, self._environment = path, path.parent, environment

    def read(self, document: Lined) -> tuple[CameraEntry, ...]:
        top = self._map(document, "the file", ("cameras", "defaults"))
        if "cameras" not in top:
            raise self._error(document.line, "no list 'cameras'")
        listed = top["cameras"]
        if not isinstance(listed.value, list) or not listed.value:
            raise self._error(listed.line, f"cameras: expected a list of cameras, got {listed.kind}")
        if len(listed.value) > MAX_CAMERAS:
            raise self._error(listed.line, f"{len(listed.value)} cameras; one engine takes {MAX_CAMERAS}")
        defaults = self._map(top["defaults"], "defaults", _DEFAULTS) if "defaults" in top else {}
        entries: dict[str, CameraEntry] = {}
        for item in listed.value:
            entry = self._entry(item, defaults)
            if entry.name in entries:
                raise self._error(
                    item.line, f"a second camera called {entry.name!r}; names are topics, give another"
                )
            entries[entry.name] = entry
        return tuple(entries.values())

    def _entry(self, item: Lined, defaults: Mapping[str, Lined]) -> CameraEntry:
        given = self._map(item, "a camera", _KEYS)
        if "source" not in given:
            raise self._error(item.line, "a camera without a source")
        with self._placed(given["source"].line):
            source = self._source(self._words(given["source"], "source"))
            name = name_of(source)
        role = given.get("role") or defaults.get("role") or Lined(CameraRole.BODIES, item.line)
        with self._placed(role.line):
            purpose = _role(role.plain())
        if "name" in given:
            name = self._words(given["name"], "name")
        options = self._options("source_options", given, defaults, SourceConfig)
        if "camera" in options:
            raise self._error(item.line, "source_options: a camera is called by its 'name', not by 'camera'")
        live = self._options("live", given, defaults, LiveConfig)
        with self._placed(item.line):
            return CameraEntry(
                name, source, self._calibration(given.get("calibration")), purpose, options, live
            )

    @contextmanager
    def _placed(self, line: int) -> Iterator[None]:
        """Puts file and line before a complaint that has none yet."""
        try:
            yield
        except _Placed:
            raise
        except (ConfigError, SourceError) as exc:
            raise self._error(line, str(exc)) from None

    def _source(self, template: str) -> str:
        source = expand(template, self._environment, self._folder)
        if is_live(source):
            parse_address(source)
            return source
        if "://" in source and not source.startswith("file://"):
            raise ConfigError(
                "a source of a kind that is not known; expected rtsp://, http://, device:N or a file"
            )
        path = self._folder / Path(source.removeprefix("file://")).expanduser()
        if path.suffix.lower() in _YAML:
            raise ConfigError("an array inside an array; put its cameras into this one")
        return str(path)

    def _calibration(self, given: Lined | None) -> Path | None:
        if given is None or given.value is None:
            return None
        path = self._folder / Path(self._words(given, "calibration")).expanduser()
        if not path.is_file():
            raise self._error(given.line, f"calibration: no file {path}")
        return path

    def _options(
        self, key: str, given: Mapping[str, Lined], defaults: Mapping[str, Lined], record: type[BaseModel]
    ) -> dict[str, Any]:
        """The defaults with the camera's own on top, checked all together."""
        merged: dict[str, Any] = {}
        for place in (defaults.get(key), given.get(key)):
            if place is None or place.value is None:
                continue
            own = {name: each.plain() for name, each in self._map(place, key, record.model_fields).items()}
            merged = _over(merged, own)
            try:
                build(record, merged)
            except ConfigError as exc:
                raise self._error(place.line, f"{key}: {exc}") from None
        return merged

    def _map(self, item: Lined, what: str, known: Iterable[str]) -> dict[str, Lined]:
        if not isinstance(item.value, dict):
            raise self._error(item.line, f"{what}: expected a map of settings, got {item.kind}")
        names = list(known)
        for key in item.value:
            if key not in names:
                close = difflib.get_close_matches(key, names, n=1)
                hint = f"; did you mean {close[0]!r}?" if close else ";"
                text = f"unknown key {key!r:.40}{hint} keys of {what}: {', '.join(sorted(names))}"
                raise self._error(item.key_lines[key], text)
        return dict(item.value)

    def _words(self, item: Lined, key: str) -> str:
        if not isinstance(item.value, str) or not item.value.strip():
            raise self._error(item.line, f"{key}: expected text, got {item.kind}; put it into quotes")
        return item.value.strip()

    def _error(self, line: int, text: str) -> ConfigError:
        return _Placed(f"{self._path}:{line}: {text}")


class _Placed(ConfigError):
    """A complaint that says where already."""
