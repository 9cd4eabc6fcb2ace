"""Metrics of crowd reconstruction: placement, pose, motion, identity, streaming."""
