"""YAML that knows its lines, so that an error can say where.

Only what a list of settings needs: maps with text keys, lists, plain values, anchors and merges (`<<`). A key that
stands twice is an error, and a document that unfolds into too much is refused before it is built.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

from .errors import ConfigError

_MOST_NODES = 50_000
"""Far more than 256 cameras have; anchors of anchors could unfold without end."""

_PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@dataclass(frozen=True)
class Lined:
    """A value and the line it begins on."""

    value: Any
    """A plain value, a list of `Lined`, or a dict of `Lined` by text key."""
    line: int
    """From 1."""
    key_lines: dict[str, int] = field(default_factory=dict)
    """Of a map: where each key stands."""

    def plain(self) -> Any:
        """The same without lines."""
        if isinstance(self.value, dict):
            return {key: each.plain() for key, each in self.value.items()}
        if isinstance(self.value, list):
            return [each.plain() for each in self.value]
        return self.value

    @property
    def kind(self) -> str:
        """What it is, in words of the file."""
        if self.value is None:
            return "nothing"
        names = {
            dict: "a map",
            list: "a list",
            str: "text",
            bool: "true or false",
            int: "a number",
            float: "a number",
        }
        return names.get(type(self.value), type(self.value).__name__)


def read_lined(text: str, where: str) -> Lined:
    """The document.

    Raises:
        ConfigError: not YAML, a key twice, a key that is no text, or too much of it. Nothing of the document is in
            the message: it may hold credentials.
    """
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Lined(None, 1)
        return _Reader(loader, where).read(node)
    except yaml.MarkedYAMLError as exc:
        line = exc.problem_mark.line + 1 if exc.problem_mark else 1
        raise ConfigError(f"{where}:{line}: not YAML ({exc.problem or 'it cannot be read'})") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ConfigError(f"{where} is not YAML") from None
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: yaml.SafeLoader, where: str) -> None:
        self._loader, self._where = loader, where
        self._nodes = 0

    def read(self, node: yaml.Node) -> Lined:
        self._nodes += 1
        line = node.start_mark.line + 1
        if self._nodes > _MOST_NODES:
            raise ConfigError(
                f"{self._where}:{line}: more than {_MOST_NODES} values; expected a list of cameras"
            )
        if not isinstance(node, yaml.ScalarNode) and node.tag not in _PLAIN:
            raise ConfigError(f"{self._where}:{line}: a tag ('!...'); expected plain maps, lists and values")
        if isinstance(node, yaml.SequenceNode):
            return Lined([self.read(each) for each in node.value], line)
        if isinstance(node, yaml.MappingNode):
            return self._map(node, line)
        return Lined(self._loader.construct_object(node), line)  # type: ignore[no-untyped-call]

    def _map(self, node: yaml.MappingNode, line: int) -> Lined:
        own = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
        twice = next((key for key in own if own.count(key) > 1), None)
        if twice is not None:
            raise ConfigError(f"{self._where}:{line}: the key {twice!r:.40} stands twice in one map")
        self._loader.flatten_mapping(node)  # merged keys first, so that the map's own win
        values: dict[str, Lined] = {}
        lines: dict[str, int] = {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigError(f"{self._where}:{at}: a key that is no text")
            values[key.value], lines[key.value] = self.read(value), at
        return Lined(values, line, lines)
