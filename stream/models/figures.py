"""How good the networks are and what they cost, in words for `models list` and `doctor`; and which one to try next.

Accuracy of the catalogue's networks is what their authors published: COCO AP, of people where it says so, of 80 kinds
of things for YOLOX, of keypoints for pose networks. Cost is of one pass: a picture for a detector, one person's crop
for a pose network; milliseconds were measured on one core of a server (2.5 GHz, AVX-512), GFLOP are the authors'.
"""

from __future__ import annotations

from dataclasses import dataclass

from .catalogue import CatalogueEntry, Role, entry_by_name
from .folder import ModelFile


@dataclass(frozen=True)
class NetworkFigures:
    """What a network reaches and costs; "" where nobody measured it."""

    accuracy: str = ""
    cost: str = ""

    def sentence(self) -> str:
        """Both in one phrase."""
        return "; ".join(part for part in (self.accuracy, self.cost) if part) or "no figures known"


FIGURES: dict[str, NetworkFigures] = {
    "crowdstream-detector": NetworkFigures(
        "96 % of RTMDet-nano's boxes in a hall, AP 83 on PETS09 where that has 93", "67 ms at 960x544"
    ),
    "crowdstream-pose": NetworkFigures(
        "89 % of PP-TinyPose-256's keypoints within a tenth of the height", "4 ms a person"
    ),
    "rtmdet-nano-person-dynamic": NetworkFigures("person AP 40.3 (at 320 px)", "68 ms at 960x544"),
    "rtmdet-nano-person-320": NetworkFigures("person AP 40.3", "14 ms, 0.3 GFLOP"),
    "yolox-nano": NetworkFigures("AP 25.8", "1.1 GFLOP"),
    "yolox-nano-dynamic": NetworkFigures("AP 25.8 (at 416 px)", "64 ms at 960x544"),
    "yolox-tiny": NetworkFigures("AP 32.8", "6.5 GFLOP"),
    "yolox-s": NetworkFigures("AP 40.5", "26.8 GFLOP"),
    "rtmpose-t": NetworkFigures("keypoint AP 65.9", "0.36 GFLOP a person"),
    "rtmpose-s": NetworkFigures("keypoint AP 69.7", "0.68 GFLOP a person"),
    "rtmpose-m": NetworkFigures("keypoint AP 74.9", "1.93 GFLOP a person"),
    "rtmpose-l": NetworkFigures("keypoint AP 76.7", "4.16 GFLOP a person"),
    "rtmpose-l-384": NetworkFigures("keypoint AP 78.3", "9.33 GFLOP a person"),
    "rtmpose-x-384": NetworkFigures("keypoint AP 78.8", "17.2 GFLOP a person"),
    "person-reid-retail-0287": NetworkFigures(
        "same from different people on PETS09: AUC 0.93", "8.4 ms a person"
    ),
    "person-reid-retail-0288": NetworkFigures(
        "same from different people on PETS09: AUC 0.87", "4.3 ms a person"
    ),
    "pp-tinypose-128x96": NetworkFigures("keypoint AP 58.4", "5.5 ms a person"),
    "pp-tinypose-256x192": NetworkFigures("keypoint AP 68.3", "24 ms a person"),
}

_TRY_NEXT = {
    Role.DETECTOR: ("rtmdet-nano-person-dynamic", "rtmdet-nano-person-dynamic"),
    Role.POSE: ("rtmpose-t", "rtmpose-m"),
}
"""What to pull on a machine (without, with) a GPU: the best that it still runs at a useful rate."""


def figures_of(name: str) -> NetworkFigures:
    """Figures by catalogue or shipped name."""
    return FIGURES.get(name, NetworkFigures())


def stronger(used: ModelFile, gpu: bool) -> CatalogueEntry | None:
    """The network to try next for a role; None where it, or a better one, is in use, or nobody can tell.

    Args:
        used: what a run takes now; of a file outside the catalogue nothing is known, so nothing is said.
        gpu: whether this machine has one that networks can run on.
    """
    if used.entry is None or used.role not in _TRY_NEXT:
        return None
    entry = entry_by_name(_TRY_NEXT[used.role][gpu])
    return entry if entry is not None and entry.rank > used.entry.rank else None
