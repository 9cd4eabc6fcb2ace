"""Rendered video of virtual crowds: dressed bodies in sun and shadow, as one camera would record them."""

from .config import RenderConfig as RenderConfig
from .picture import frames as frames
from .video import RenderReport as RenderReport
from .video import render_video as render_video
