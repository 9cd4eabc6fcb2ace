"""Bodies that move: recordings and drawn gait, set on planned paths."""

from .animate import animate
from .motion_library import MotionLibrary
from .quality import MotionQuality, motion_quality

__all__ = ["MotionLibrary", "MotionQuality", "animate", "motion_quality"]
