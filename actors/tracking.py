"""The tracking worker: tracks, calibration and windows of every site of a crew."""

from __future__ import annotations

from collections.abc import Sequence

from ..stream.calibration_file import Calibration
from ..stream.records import Observation
from ..stream.site import SiteOutput, SiteStage
from .plan import EnginePlan, SourceInfo
from .stopwatch import Stopwatch


class TrackingWorker:
    """start -> open, step ... -> finish -> stop."""

    def __init__(self, plan: EnginePlan) -> None:
        self._plan = plan
        self._sites: dict[str, SiteStage] = {}
        self.watch = Stopwatch()

    def start(self) -> None:
        """Nothing to load."""

    def open(self, info: SourceInfo) -> None:
        """Build the site of a camera that is open."""
        config = self._plan.config
        given = self._plan.calibration_of(info)
        self._sites[info.camera] = SiteStage(
            info.camera, info.size_px, config.track, config.calibrate, config.window, given, config.stitch
        )

    def step(self, observations: Sequence[Observation]) -> list[SiteOutput]:
        """One output a frame, in order."""
        with self.watch.measure("tracking"):
            return [self._sites[observation.camera].step(observation) for observation in observations]

    def finish(self, camera: str) -> SiteOutput:
        """The last windows of a site."""
        with self.watch.measure("tracking"):
            return self._sites[camera].finish()

    def snapshot(self, camera: str) -> bytes:
        """All that a site knows; of one that is not open, nothing."""
        with self.watch.measure("tracking"):
            return self._sites[camera].snapshot()

    def restore(self, camera: str, snapshot: bytes) -> None:
        """A site goes on from what another has known."""
        self._sites[camera].restore(snapshot)

    def move_on(self, camera: str, next_window: int, next_person: int) -> None:
        """A live site that was away: windows and ids continue above these."""
        self._sites[camera].move_on(next_window, next_person)

    def set_calibration(self, camera: str, calibration: Calibration) -> None:
        """An operator knows better how a camera stands."""
        self._sites[camera].set_calibration(calibration)

    def stop(self) -> dict[str, object]:
        """What the sites counted."""
        sites = {
            camera: {**site.stats.as_dict(), "calibration": site.calibration_text}
            for camera, site in self._sites.items()
        }
        return {"seconds": dict(self.watch.seconds), "sites": sites}
