"""What can be wrong with a question to the scorer."""

from __future__ import annotations

from ....kernels.errors import CrowdstreamError


class ScoreError(CrowdstreamError):
    """No data to score on, or boxes and keypoints that do not belong together."""
