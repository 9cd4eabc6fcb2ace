"""The re-id adapter on a made-up network: what it is shown, what it gives, what it refuses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.inference.backend import TensorSpec
from crowdstream.kernels.perception.adapters import adapter_for, build_pose, build_reid
from crowdstream.kernels.perception.appearance_code import compare_codes
from crowdstream.kernels.perception.reid import CPU_BUDGET

Array = np.ndarray


class MeanColours:
    """Embeds a crop as the mean colours of its 16 rows of blocks; remembers what it was shown."""

    rung = "onnxruntime-cpu"

    def __init__(
        self, shape: tuple[int | None, ...] = (1, 256, 128, 3), out: tuple[int | None, ...] = (1, 48)
    ) -> None:
        self.inputs = (TensorSpec("in", shape, "float32"),)
        self.outputs = (TensorSpec("out", out, "float32"),)
        self.shown: list[Array] = []

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        crops = feeds["in"]
        self.shown.append(crops)
        last = crops if crops.shape[-1] == 3 else crops.transpose(0, 2, 3, 1)
        return {"out": last.reshape(len(last), 16, -1, 3).mean(axis=2).reshape(len(last), 48)}

    def close(self) -> None:
        pass


def _scene() -> tuple[Array, Array, Array, Array]:
    image = np.zeros((200, 300, 3), np.uint8)
    image[20:120, 20:60], image[20:120, 100:140] = (10, 20, 240), (240, 20, 10)
    boxes = np.array([[20.0, 20, 60, 120], [100.0, 20, 140, 120]])
    return image, boxes, np.zeros((2, 17, 2)), np.zeros((2, 17))


def test_it_shows_the_network_the_box_in_bgr_and_gives_unit_codes() -> None:
    backend = MeanColours()
    codes = build_reid(backend).codes(*_scene(), np.array([0, 1]))
    assert [crop.shape for crop in backend.shown] == [(1, 256, 128, 3)] * 2
    np.testing.assert_allclose(backend.shown[0][0, 5, 5], (10, 20, 240))
    np.testing.assert_allclose(np.linalg.norm(codes, axis=1), 1.0, atol=1e-6)


def test_channels_first_and_any_batch_give_the_same_codes() -> None:
    rows = np.array([0, 1])
    first = build_reid(MeanColours((None, 3, 256, 128), (None, 48))).codes(*_scene(), rows)
    np.testing.assert_allclose(first, build_reid(MeanColours()).codes(*_scene(), rows), atol=1e-6)


def test_a_wide_network_is_brought_to_the_scale_of_a_narrow_one() -> None:
    rows = np.array([0, 1])
    wide, narrow = (
        build_reid(MeanColours(), kind).codes(*_scene(), rows).astype(np.float64)
        for kind in ("embedding", "embedding_narrow")
    )
    far, near = (compare_codes(c[:1], c[1:])[0][0] for c in (narrow, wide))
    assert near == pytest.approx(0.29 * far, rel=1e-4)


def test_people_hidden_by_others_or_outside_get_no_code() -> None:
    image, boxes, keypoints, confidence = _scene()
    boxes[1] = boxes[0] + np.array([-10.0, 5, 10, 30])
    reid = build_reid(MeanColours())
    assert not reid.codes(image, boxes, keypoints, confidence, np.array([0])).any()
    boxes[0] += 1000.0
    assert not reid.codes(image, boxes, keypoints, confidence, np.array([0])).any()


def test_its_budget_is_for_cpus() -> None:
    backend = MeanColours()
    assert build_reid(backend).budget == CPU_BUDGET
    backend.rung = "tensorrt"
    assert build_reid(backend).budget is None


def test_other_networks_are_refused_with_a_reason() -> None:
    with pytest.raises(InferenceError, match="fixed size"):
        build_reid(MeanColours((None, 3, None, None), (None, 48)))
    with pytest.raises(InferenceError, match="a pose network"):
        build_pose(MeanColours())
    assert adapter_for(MeanColours()).value == "embedding"
