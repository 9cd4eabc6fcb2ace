"""The rungs: what is given up first.

Two sides stand on one machine and may be pressed apart: frames wait for perception, windows for the solver. Frames
that wait may cost any rung, for the stages share the processors; windows that wait cost only what the solver uses.

The order is that of what is lost for what is saved. Processor time of one frame of the hall clip (720p, 44 people, 25
frames a second, preset `live`) on one core, from the unit costs measured there: 81 ms a detection, 4.0 ms a pose,
0.415 ms a person and slot of a window; tracks against stride 1 on the hall, against the truth on PETS09 (10 frames a
second, one run each):

    everything              215 ms, of which 81 detection, 58 poses, 67 solver     PETS09: IDF1 0.81, MOTA 0.66
    refinement              a process of its own, beside these                     the live tiers do not have it
    poses at 50 %, 33 %     -23, -33 ms     tracks the same                        0.82, 0.66; 0.78, 0.65
    34 % of the steps       -10 ms          joints move by 16 mm, tracks the same
    1 of 2 detections       -40 ms          hall: IDF1 0.96, MOTA 0.94             0.65, 0.60
    1 of 3                  -54 ms          0.93, 0.90                             0.70, 0.59
    1 of 4                  -61 ms          0.92, 0.87                             0.65, 0.47
    24, 12 poses a frame    -11, -18 ms     tracks the same; the others' bodies are the prior's

What counts of a stride is the rate that is left: 12 detections a second cost little, 5 cost identities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .config import PressureConfig
from .records import FULL_EFFORT, Effort


@dataclass(frozen=True)
class Rung:
    """One rung, with everything above it given up as well."""

    effort: Effort
    """`level` counts from the top of its side."""
    text: str
    """What this rung gives up, in words."""


Step = tuple[str, dict[str, object]]
"""What a rung gives up, in words, and the fields of `Effort` that it changes."""


def frame_rungs(config: PressureConfig) -> tuple[Rung, ...]:
    """From the top: everything, then what is given up while frames wait."""
    steps = _refining(config)
    steps += [(f"poses at {share:.0%} of their rate", {"pose_rate": share}) for share in config.pose_rates]
    steps += _solving(config)
    steps += [(f"1 of {stride} detections", {"detect_stride": stride}) for stride in config.detect_strides]
    steps += [
        (f"poses for {most} people a frame at most", {"pose_budget": most}) for most in config.pose_budgets
    ]
    return _stack(steps)


def window_rungs(config: PressureConfig) -> tuple[Rung, ...]:
    """From the top: everything, then what is given up while windows wait."""
    return _stack(_refining(config) + _solving(config))


def both(frames: Effort, windows: Effort) -> Effort:
    """The lesser of both in everything; the level counts the rungs of both sides."""
    budgets = [e.pose_budget for e in (frames, windows) if e.pose_budget is not None]
    return Effort(
        level=frames.level + windows.level,
        detect_stride=max(frames.detect_stride, windows.detect_stride),
        pose_rate=min(frames.pose_rate, windows.pose_rate),
        pose_budget=min(budgets, default=None),
        solve_iterations=min(frames.solve_iterations, windows.solve_iterations),
        refine=frames.refine and windows.refine,
    )


def _refining(config: PressureConfig) -> list[Step]:
    return [("no refinement", {"refine": False})] if config.pause_refining else []


def _solving(config: PressureConfig) -> list[Step]:
    return [
        (f"{share:.0%} of the solver's steps", {"solve_iterations": share})
        for share in config.solve_iterations
    ]


def _stack(steps: list[Step]) -> tuple[Rung, ...]:
    rungs = [Rung(FULL_EFFORT, "everything")]
    for text, change in steps:
        before = rungs[-1].effort
        rungs.append(Rung(replace(before, level=before.level + 1, **change), text))  # type: ignore[arg-type]
    return tuple(rungs)
