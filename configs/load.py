"""Fill the configuration: a preset or a YAML file, then `--set a.b=c`, later ones winning.

An unknown key is an error that lists the keys there are; a value out of range says the range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel

from .building import build
from .errors import ConfigError
from .schema import EngineConfig

Tree = dict[str, Any]
Record = TypeVar("Record", bound=BaseModel)


def preset_names() -> list[str]:
    """The presets that ship, alphabetically."""
    folder = resources.files(__package__) / "presets"
    return sorted(
        entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml")
    )


def load_config(preset: str = "replay", overrides: Iterable[str] = ()) -> EngineConfig:
    """The configuration of a run.

    Args:
        preset: name of a shipped preset, or path of a YAML file of the same form.
        overrides: `a.b=value` strings; the value is read as YAML.

    Raises:
        ConfigError: no such preset, not YAML, unknown key, value out of range.
    """
    return fill(EngineConfig, _read_tree(preset), overrides)


def fill(record: type[Record], tree: Mapping[str, Any], overrides: Iterable[str] = ()) -> Record:
    """Any settings record from plain values, then `a.b=value` strings.

    Raises:
        ConfigError: unknown key, value out of range, or an override that is none.
    """
    filled = dict(tree)
    for item in overrides:
        _apply(filled, item)
    return build(record, filled)


def _read_tree(preset: str) -> Tree:
    if preset in preset_names():
        text = (resources.files(__package__) / "presets" / f"{preset}.yaml").read_text("utf-8")
        where = f"preset {preset}"
    else:
        path = Path(preset)
        if not path.is_file():
            raise ConfigError(
                f"no configuration {preset!r}: not a file, and the presets are {', '.join(preset_names())}"
            )
        where = str(path)
        try:
            text = path.read_text("utf-8")
        except OSError as exc:
            raise ConfigError(f"cannot read the configuration {path}: {exc.strerror or exc}") from exc
        except UnicodeDecodeError as exc:
            raise ConfigError(f"{path} is no text; expected a YAML file of settings") from exc
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"{where} is not YAML: {str(exc).splitlines()[0]}") from exc
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{where}: expected a map of stages at the top, got {type(tree).__name__}")
    return tree


def _apply(tree: Tree, item: str) -> None:
    key, eq, text = item.partition("=")
    path = key.strip().split(".")
    if not eq or not all(path):
        raise ConfigError(f"--set {item!r}: expected stage.key=value, e.g. perception.detect_stride=2")
    node = tree
    for part in path[:-1]:
        child = node.setdefault(part, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {item!r}: {part!r} is a value, not a group of settings")
        node = child
    try:
        node[path[-1]] = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        raise ConfigError(f"--set {item!r}: the value is not YAML") from exc
