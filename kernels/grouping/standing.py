"""People who stand, or only shift their weight: set apart before paths are compared.

A path of a few centimetres is noise; all such paths lie at almost no distance from one another and would make one
group, with ties that affinity propagation breaks by chance (algorithms that propagate messages do not converge on
them).
"""

from __future__ import annotations

from .relative_path import RelativePath


def stands(path: RelativePath, max_reach_m: float, max_speed_mps: float) -> bool:
    """Whether somebody stayed where they were.

    Args:
        max_reach_m: nobody who got farther from the start than this stands.
        max_speed_mps: nor who went faster than this; keeps out who turns on the spot or walks to and fro.
    """
    return path.reach_m < max_reach_m and path.speed_mps < max_speed_mps
