"""A recorded log over its video: bodies, ground marks, a bird's-eye view."""

from .config import Colouring, OverlayConfig
from .render import OverlayReport, render_overlay

__all__ = ["Colouring", "OverlayConfig", "OverlayReport", "render_overlay"]
