"""A recorded log over its video: bodies, ground marks, a bird's-eye view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .config import Colouring, OverlayConfig

if TYPE_CHECKING:
    from .render import OverlayReport, render_overlay

__all__ = ["Colouring", "OverlayConfig", "OverlayReport", "render_overlay"]


def __getattr__(name: str) -> Any:
    """Drawing brings a body and compiled kernels along; settings alone shall not."""
    if name in ("OverlayReport", "render_overlay"):
        from . import render

        return getattr(render, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
