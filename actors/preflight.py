"""What can be refused before anything is started: a second instead of a cluster, networks and a log."""

from __future__ import annotations

from ..stream.models.catalogue import Role
from ..stream.models.folder import choose
from ..stream.sources import open_source
from .plan import EnginePlan, SourceInfo


def check(plan: EnginePlan) -> SourceInfo:
    """Open and close the source, read its calibration, find the networks; what the source says of itself.

    The workers check again when they open the same things for good: files may change in between.

    Raises:
        CrowdstreamError: whatever the user has to mend, in one line.
    """
    with open_source(plan.source, plan.config.source) as source:
        info = SourceInfo(source.camera, source.size_px, source.fps, source.start_ns, source.num_frames)
    plan.calibration_of(info)
    inference = plan.config.inference
    for role, wanted in ((Role.DETECTOR, inference.detector), (Role.POSE, inference.pose)):
        choose(plan.models, role, wanted)
    return info
