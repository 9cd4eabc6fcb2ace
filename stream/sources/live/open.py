"""A camera of an array, opened: its own settings over those of all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from ...clock import Clock
from ...errors import SourceError
from ..base import SourceConfig
from .config import LiveConfig
from .source import LiveSource


class CameraLike(Protocol):
    """What an entry of `array.yaml` says of a live camera."""

    @property
    def name(self) -> str: ...

    @property
    def source(self) -> str: ...

    @property
    def live(self) -> Mapping[str, Any]: ...


def open_live(
    camera: CameraLike,
    config: LiveConfig | None = None,
    source_config: SourceConfig | None = None,
    clock: Clock | None = None,
    *,
    first_index: int = 0,
) -> LiveSource:
    """The live camera; it is connected to by polling. A camera that cannot be reached is a state, not an error.

    Args:
        config: settings of all cameras; those of the camera itself go before them.
        first_index: number of its first frame.

    Raises:
        SourceError: settings that make no sense.
    """
    settings = live_config(camera, config)
    return LiveSource(camera.source, camera.name, settings, source_config, clock, first_index=first_index)


def live_config(camera: CameraLike, config: LiveConfig | None = None) -> LiveConfig:
    """Settings of one camera: its own over those of all.

    Raises:
        SourceError: an unknown setting, or one out of range.
    """
    base = (config or LiveConfig()).model_dump()
    try:
        return LiveConfig.model_validate(_over(base, camera.live))
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise SourceError(
            f"camera '{camera.name}', live.{where}: {first['msg']}; see `live` in the configuration"
        ) from None


def _over(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`changes` over `base`, group by group."""
    merged = dict(base)
    for key, value in changes.items():
        below = merged.get(key)
        merged[key] = _over(below, value) if isinstance(below, dict) and isinstance(value, Mapping) else value
    return merged
