"""Bodies that move: recordings and drawn gait, set on planned paths."""

from .animate import animate
from .library import MotionLibrary

__all__ = ["MotionLibrary", "animate"]
