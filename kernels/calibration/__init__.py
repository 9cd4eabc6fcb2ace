"""Camera and ground from people who stand and walk upright (Crowd3D's idea, closed form; algorithms 2.1)."""

from .outcome import CalibrationConfidence, Refusal

__all__ = ["CalibrationConfidence", "Refusal"]
