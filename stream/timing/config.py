"""Settings of the capture clock."""

from __future__ import annotations

from pydantic import Field

from ...kernels.settings import StageConfig


class TimingConfig(StageConfig):
    """When a frame of a live camera was taken."""

    sender_reports: bool = True
    """Believe the camera's own wall clock where it sends one (RTCP); false: arrival always."""
    max_clock_error_s: float = Field(default=10.0, gt=0)
    """A camera whose wall clock is further off this machine's is not believed; arrival is used, health says so."""
    report_age_s: float = Field(default=30.0, gt=0)
    """So long after the last sender report frames still rest on it."""
    report_step_s: float = Field(default=0.1, gt=0)
    """A report further off the line of those before is an outlier or, when the next one agrees, a step."""
    delay_window_s: float = Field(default=60.0, ge=2, le=600)
    """The shortest delay is looked for in this much of the past."""
    slew_rate: float = Field(default=0.05, gt=0, lt=0.5)
    """Differences are taken out by this share of the time that passes: 0.05 is 50 ms a second."""
    catch_up_rate: float = Field(default=0.5, gt=0, lt=1)
    """The same for a time that lies after the frame's own arrival, which is wrong for sure."""
    slew_s: float = Field(default=5.1, gt=0)
    """Larger forward steps of a clock are jumped, and begin a new timeline. Just more than
    `window.jump_ahead_s`, so that no window spans a jump."""
    step_s: float = Field(default=1.0, gt=0)
    """Presentation times earlier than the shortest delay allows by more than this are a step of the media clock."""
    step_hold_s: float = Field(default=5.0, ge=1, le=60)
    """When the shortest delay of this long exceeds the one known by `step_s`, the stream has been held: step."""
