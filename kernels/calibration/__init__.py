"""Camera and ground from people who stand and walk upright (Crowd3D's idea, closed form; algorithms 2.1)."""

from .outcome import CalibrationConfidence, Refusal
from .refine import RodNoise
from .solve import Estimate, Known, Limits, calibrate_from_uprights
from .uprights import UprightRules, Uprights, find_uprights, rod_length_m

__all__ = [
    "CalibrationConfidence",
    "Estimate",
    "Known",
    "Limits",
    "Refusal",
    "RodNoise",
    "UprightRules",
    "Uprights",
    "calibrate_from_uprights",
    "find_uprights",
    "rod_length_m",
]
