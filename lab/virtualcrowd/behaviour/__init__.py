"""Who goes where and when: from a scene and settings to the paths of a crowd."""

from .planner import plan_crowd

__all__ = ["plan_crowd"]
