"""Which adapter reads a network: told by the catalogue, or read off its tensors.

dets + labels                 rtmdet (the default) or end_to_end (YOLOX pixels, must be told)
one output [1, n, 5 + c]      yolox
one output [batch, 17+, h, w] heatmap
simcc_x + simcc_y             simcc
one output [n, a], a > 8      embedding
"""

from __future__ import annotations

from enum import StrEnum

from ..errors import InferenceError
from ..inference.backend import InferenceBackend, TensorSpec
from .appearance_coder import AppearanceCoder
from .detector import Detector
from .end_to_end import YOLOX_PIXELS, EndToEndDetector, RtmDetDetector
from .heatmap_pose import HeatmapPose
from .pose import NUM_KEYPOINTS, PoseEstimator
from .reid import ReidNetwork
from .simcc_pose import SimccPose
from .yolox import YoloxDetector


class AdapterKind(StrEnum):
    """The tensor contracts that are understood; values are the catalogue's words."""

    RTMDET = "rtmdet"
    END_TO_END = "end_to_end"
    YOLOX = "yolox"
    HEATMAP = "heatmap"
    SIMCC = "simcc"
    EMBEDDING = "embedding"
    EMBEDDING_NARROW = "embedding_narrow"
    """Its codes of different people lie close together."""


DETECTORS = (AdapterKind.RTMDET, AdapterKind.END_TO_END, AdapterKind.YOLOX)
POSES = (AdapterKind.HEATMAP, AdapterKind.SIMCC)
REIDS = (AdapterKind.EMBEDDING, AdapterKind.EMBEDDING_NARROW)


def adapter_for(backend: InferenceBackend) -> AdapterKind:
    """The contract a network's tensors follow.

    `dets` + `labels` cannot tell RTMDet from an exported YOLOX (they differ in how pixels are scaled): RTMDet is said.

    Raises:
        InferenceError: none of the contracts; the message lists them.
    """
    names = {spec.name for spec in backend.outputs}
    image_in = len(backend.inputs) == 1 and len(backend.inputs[0].shape) == 4
    if image_in and {"dets", "labels"} <= names:
        return AdapterKind.RTMDET
    if image_in and {"simcc_x", "simcc_y"} <= names:
        return AdapterKind.SIMCC
    if image_in and len(backend.outputs) == 1:
        shape = backend.outputs[0].shape
        if len(shape) == 3 and shape[2] is not None and shape[2] >= 6:
            return AdapterKind.YOLOX
        if len(shape) == 4 and shape[1] is not None and shape[1] >= NUM_KEYPOINTS:
            return AdapterKind.HEATMAP
        if len(shape) == 2 and shape[1] is not None and shape[1] > 8:
            return AdapterKind.EMBEDDING
    raise InferenceError(
        f"no adapter for a network with inputs {_list(backend.inputs)} and outputs {_list(backend.outputs)}; "
        "understood: image [n,3,h,w] -> dets [n,k,5] + labels [n,k] (rtmdet, end_to_end), [n,k,5+classes] (yolox), "
        "[n,17+,h,w] (heatmap), simcc_x + simcc_y (simcc), [n,a] (embedding)"
    )


def build_detector(
    backend: InferenceBackend,
    max_side_px: int = 960,
    score_threshold: float = 0.1,
    kind: AdapterKind | str | None = None,
) -> Detector:
    """The detector of a loaded network; `kind` None: read off its tensors.

    Raises:
        InferenceError: not a detector.
    """
    chosen = _checked(backend, kind, DETECTORS, "a detector")
    if chosen is AdapterKind.YOLOX:
        return YoloxDetector(backend, max_side_px, score_threshold)
    if chosen is AdapterKind.END_TO_END:
        return EndToEndDetector(backend, max_side_px, score_threshold, YOLOX_PIXELS)
    return RtmDetDetector(backend, max_side_px, score_threshold)


def build_pose(
    backend: InferenceBackend,
    workers: int = 1,
    buckets: tuple[int, ...] | None = None,
    kind: AdapterKind | str | None = None,
) -> PoseEstimator:
    """The pose estimator of a loaded network; on a CPU give it a backend of one thread and `workers` cores.

    Raises:
        InferenceError: not a pose network.
    """
    chosen = _checked(backend, kind, POSES, "a pose network")
    if chosen is AdapterKind.SIMCC:
        return SimccPose(backend, workers, buckets)
    return HeatmapPose(backend, workers, buckets)


def build_reid(backend: InferenceBackend, kind: AdapterKind | str | None = None) -> AppearanceCoder:
    """The appearance coder of a loaded re-id network.

    Raises:
        InferenceError: not a re-id network.
    """
    chosen = _checked(backend, kind, REIDS, "a re-id network")
    return ReidNetwork(backend, narrow=chosen is AdapterKind.EMBEDDING_NARROW)


def _checked(
    backend: InferenceBackend, kind: AdapterKind | str | None, wanted: tuple[AdapterKind, ...], role: str
) -> AdapterKind:
    if kind is not None and kind not in {k.value for k in wanted}:
        raise InferenceError(
            f"adapter {str(kind)!r} is not for {role}; expected one of {', '.join(k.value for k in wanted)}"
        )
    sniffed = adapter_for(backend)
    if sniffed not in wanted:
        raise InferenceError(
            f"expected {role}, got a network whose tensors follow {sniffed.value!r}: outputs {_list(backend.outputs)}; "
            "check which model is set for which role"
        )
    chosen = AdapterKind(kind) if kind is not None else sniffed
    alike = ((AdapterKind.RTMDET, AdapterKind.END_TO_END), REIDS)  # tensors do not tell them apart
    if chosen is not sniffed and not any(chosen in pair and sniffed in pair for pair in alike):
        raise InferenceError(
            f"adapter {chosen.value!r} was asked for, but the tensors follow {sniffed.value!r}: "
            f"outputs {_list(backend.outputs)}"
        )
    return chosen


def _list(specs: tuple[TensorSpec, ...]) -> str:
    parts = (f"{s.name}[{','.join('?' if d is None else str(d) for d in s.shape)}]" for s in specs)
    return " ".join(parts) or "none"
