"""Secrets in addresses: `${NAME}` is an environment variable, `${file:PATH}` the first line of a file.

    rtsp://user:${GATE_PASSWORD}@10.0.0.7/stream1
    rtsp://viewer:${file:/run/secrets/gate}@10.0.0.7/stream1
    ${GATE_URL}

Where one stands for a user or a password inside an address, its characters are encoded as an address needs them
(`p@ss/word` becomes `p%40ss%2Fword`), so a secret is kept as plain text. `$$` is a dollar. No message of this module
contains a value, nor the address around it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from .errors import ConfigError

_TOKEN = re.compile(r"\$\$|\$\{([^{}]*)\}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_FILE = "file:"
_MOST_BYTES = 4096
"""A secret is a word, not a document."""


@dataclass(frozen=True)
class _Part:
    """A piece of an address: text as it stands, or a reference."""

    text: str
    is_reference: bool


def expand(template: str, environment: Mapping[str, str], folder: Path) -> str:
    """The address with its secrets in place.

    Args:
        template: as it stands in the file.
        environment: variables by name.
        folder: what relative paths of secret files are relative to.

    Raises:
        ConfigError: a variable that is not set, a file that cannot be read, or a reference that is none.
    """
    parts = _split(template)
    login = _login_of(parts)
    out = []
    for place, part in enumerate(parts):
        if not part.is_reference:
            out.append(part.text)
            continue
        value = _value(part.text, environment, folder)
        out.append(quote(value, safe="") if place in login else value)
    return "".join(out)


def _split(template: str) -> list[_Part]:
    parts: list[_Part] = []
    at = 0
    for match in _TOKEN.finditer(template):
        parts.append(_Part(template[at : match.start()], False))
        parts.append(_Part("$", False) if match[1] is None else _Part(match[1], True))
        at = match.end()
    rest = template[at:]
    parts.append(_Part(rest, False))
    if any("${" in part.text for part in parts if not part.is_reference):
        raise ConfigError("'${' without its '}'; expected ${NAME} or ${file:PATH}, and $$ for a dollar")
    return parts


def _login_of(parts: list[_Part]) -> range:
    """Places of the parts that lie between `://` and the last `@` of an address's host part."""
    if parts[0].is_reference or not _SCHEME.match(parts[0].text):
        return range(0)
    end = 0
    for place, part in enumerate(parts):
        if part.is_reference:
            continue
        text = part.text.split("://", 1)[1] if place == 0 else part.text
        host, *path = re.split(r"[/?#]", text, maxsplit=1)
        if "@" in host:
            end = place
        if path:
            break
    return range(end)


def _value(reference: str, environment: Mapping[str, str], folder: Path) -> str:
    if reference.startswith(_FILE):
        return _read(folder / Path(reference.removeprefix(_FILE)).expanduser())
    if not _NAME.fullmatch(reference):
        raise ConfigError("a reference that is neither ${NAME} nor ${file:PATH}")
    if reference not in environment:
        raise ConfigError(f"the environment variable {reference} is not set; set it, or use ${{file:PATH}}")
    value = environment[reference]
    if not value:
        raise ConfigError(f"the environment variable {reference} is empty")
    return value


def _read(path: Path) -> str:
    try:
        with path.open("rb") as handle:
            text = handle.read(_MOST_BYTES + 1).decode("utf-8")
    except OSError as exc:
        raise ConfigError(f"cannot read the secret file {path}: {exc.strerror or exc}") from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(f"the secret file {path} is no text") from exc
    if len(text.encode()) > _MOST_BYTES:
        raise ConfigError(f"the secret file {path} is longer than {_MOST_BYTES} bytes; expected one line")
    lines = text.splitlines()
    if not lines or not lines[0]:
        raise ConfigError(f"the secret file {path} is empty; expected the secret in its first line")
    return lines[0]
