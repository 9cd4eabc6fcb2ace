"""One evaluation from end to end: what is asked, what the engine is given, what comes out.

`paper` solves every window from scratch, so overlapping windows would only cost four times as much: unless a hop
is set, its windows stand side by side (hop = 64 slots), as the paper cuts its clips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

from ...configs.load import load_config
from ...configs.schema import EngineConfig
from ...kernels.body.data import BodyData
from ...stream.body_files import load_body
from ...stream.calibration_file import Calibration
from ...stream.records import Observation
from ..virtualcrowd.sighting_appearance import simulated_codes
from ..virtualcrowd.sightings import Sightings
from ..virtualcrowd.truth import CrowdMotion, View
from .errors import EvaluateError
from .perfect import perfect_sightings, published_truth
from .published import Published
from .score import Comparison, score_crowd
from .server_clock import Costs
from .stages import Clip, run_stages
from .switches import without_components, without_energies

ObservationKind = Literal["simulated", "rendered", "perfect", "truth"]
OBSERVATIONS: tuple[ObservationKind, ...] = ("simulated", "rendered", "perfect", "truth")
"""simulated: the crowd's sightings. rendered: networks on its video. perfect: true boxes and visible keypoints without
noise. truth: no engine at all, the truth is its own result (0 errors)."""


@dataclass(frozen=True)
class Question:
    """What is to be evaluated, and how."""

    preset: str = "live"
    """Shipped preset or YAML file."""
    settings: tuple[str, ...] = ()
    """`stage.key=value`, over the preset."""
    observations: ObservationKind = "simulated"
    self_calibrate: bool = False
    """The engine is not given camera and ground."""
    without: tuple[str, ...] = ()
    """Components to leave out."""
    without_energy: tuple[str, ...] = ()
    """Energy terms to leave out."""
    seconds: float | None = None
    """Only the first so many; None for all."""
    costs: Costs = "processor"
    """What the clock of availability takes work to cost."""

    def config(self) -> EngineConfig:
        """The engine's settings.

        Raises:
            ConfigError: a preset, key or value that is not there.
            SwitchError: a component or an energy that is not there.
        """
        config = without_components(load_config(self.preset, self.settings), self.without)
        hop_set = any(item.split("=")[0].strip() == "window.hop" for item in self.settings)
        if config.solve.preset == "paper" and not hop_set:
            config = config.model_copy(
                update={"window": config.window.model_copy(update={"hop": config.window.frames})}
            )
        return without_energies(config, self.without_energy)

    def facts(self) -> dict[str, Any]:
        """`run` of a report: all that decides the figures but the crowd."""
        config = self.config()
        clocks = {
            "processor": "each stage a server with a queue; costs are processor time over the threads it uses; "
            "capture, decoding and networks are not in it",
            "none": "everything is there at once",
        }
        return {
            "config": self.preset,
            "settings": list(self.settings),
            "solver": config.solve.preset,
            "hop": config.window.hop,
            "observations": self.observations,
            "calibration": "self" if self.self_calibrate else "given",
            "without": list(self.without),
            "without_energy": list(self.without_energy),
            "seconds": self.seconds,
            "clock": clocks[self.costs],
        }


@dataclass(frozen=True)
class Seen:
    """One camera of a crowd, with what was observed."""

    motion: CrowdMotion
    view: View
    sightings: Sightings | None = None
    """Simulated ones, of the crowd's folder."""
    observations: Iterable[Observation] | None = None
    """Of networks on the rendered video, frame by frame."""


def evaluate(
    question: Question,
    seen: Seen,
    progress: Callable[[int, int], None] | None = None,
    body: BodyData | None = None,
    keep: Callable[[Comparison], None] | None = None,
) -> dict[str, Any]:
    """The report of one camera of a crowd, without `about`.

    Args:
        progress: called with frames done and frames in all.
        keep: given result and truth side by side, for whoever compares runs.

    Raises:
        EvaluateError: nothing observed of that kind, or nothing to be found.
        SwitchError, ConfigError: as `Question.config`.
    """
    body = body or load_body()
    motion, view = seen.motion, seen.view
    if question.observations == "truth":
        published = published_truth(motion, view)
    else:
        published = run_stages(_clip(question, seen), question.config(), question.costs, progress, body)
    return report(question, seen, published, body, keep)


def report(
    question: Question,
    seen: Seen,
    published: Published,
    body: BodyData | None = None,
    keep: Callable[[Comparison], None] | None = None,
) -> dict[str, Any]:
    """The report of what was published of a camera of a crowd, without `about`.

    Raises:
        EvaluateError: nothing to be found.
    """
    motion, view = seen.motion, seen.view
    known = seen.sightings if question.observations == "simulated" else None
    results = score_crowd(published, motion, view, body or load_body(), question.seconds, known, keep)
    w, h = view.camera.size_px
    results["run"] = {
        "scene": motion.scene.name, "seed": motion.seed, "camera": view.name, "size_px": [w, h],
        "people_in_scene": len(motion.person_ids), **question.facts(),
    }  # fmt: skip
    return results


def _clip(question: Question, seen: Seen) -> Clip:
    view = seen.view
    calibration = None if question.self_calibrate else Calibration(view.camera, view.ground, "file")
    frames = _frames_within(view, question.seconds)
    observations = _cut(_observations(question, seen), view, frames)
    return Clip(view.name, view.camera.size_px, frames, observations, calibration)


def _observations(question: Question, seen: Seen) -> Iterable[Observation]:
    if question.observations == "perfect":
        return perfect_sightings(seen.view).observations(seen.view.name)
    if question.observations == "rendered":
        if seen.observations is None:
            raise EvaluateError("the crowd has no rendered video; make it with --render")
        return seen.observations
    if seen.sightings is None:
        raise EvaluateError(f"the crowd has no sightings of camera {seen.view.name!r}; make it again")
    codes = simulated_codes(seen.view, seen.sightings, seen.motion.seed)
    return seen.sightings.observations(seen.view.name, codes)


def _frames_within(view: View, seconds: float | None) -> int:
    if seconds is None:
        return view.num_frames
    frames = int((view.t_ns < view.t_ns[0] + seconds * 1e9 - 1e6).sum())
    if frames == 0:
        raise EvaluateError(f"{seconds:g} s hold no frame of the clip; ask for more")
    return frames


def _cut(observations: Iterable[Observation], view: View, frames: int) -> Iterator[Observation]:
    """The first frames, named after the view and with its own times: a container rounds them."""
    for observation in observations:
        if observation.index >= frames:
            return
        yield replace(observation, camera=view.name, t_capture_ns=int(view.t_ns[observation.index]))
