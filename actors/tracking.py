"""The tracking worker: one site's tracks, calibration and windows."""

from __future__ import annotations

from ..stream.records import Observation
from ..stream.site import SiteOutput, SiteStage
from .plan import EnginePlan, SourceInfo
from .stopwatch import Stopwatch


class TrackingWorker:
    """start -> step ... -> finish -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._stage: SiteStage | None = None
        self.watch = Stopwatch()

    def start(self, info: SourceInfo) -> None:
        """Build the site for a source that is open."""
        config = self._plan.config
        given = self._plan.calibration_of(info)
        self._stage = SiteStage(
            info.camera, info.size_px, config.track, config.calibrate, config.window, given, config.stitch
        )

    def step(self, observations: list[Observation]) -> list[SiteOutput]:
        """One output a frame, in order."""
        assert self._stage is not None
        with self.watch.measure("tracking"):
            return [self._stage.step(observation) for observation in observations]

    def finish(self) -> SiteOutput:
        """The last windows."""
        assert self._stage is not None
        with self.watch.measure("tracking"):
            return self._stage.finish()

    def stop(self) -> dict[str, object]:
        """What the site counted."""
        report: dict[str, object] = {"seconds": dict(self.watch.seconds), "site": {}}
        if self._stage is not None:
            report |= {"site": self._stage.stats.as_dict(), "calibration": self._stage.calibration_text}
        return report
