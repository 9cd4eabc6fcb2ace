"""ONNX Runtime behind the backend door: right numbers, told shapes, errors that teach; and which adapter fits."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.inference.backend import TensorSpec
from crowdstream.kernels.inference.onnx import OnnxBackend
from crowdstream.kernels.perception.adapters import AdapterKind, adapter_for, build_detector, build_pose

onnx = pytest.importorskip("onnx")
Shape = list[int | str]


def _network(outputs: dict[str, Shape], image: Shape | None = None) -> bytes:
    """A network whose outputs are its image times two, whatever shapes are declared for them."""
    h, t = onnx.helper, onnx.TensorProto
    image = image or ["n", 3, "h", "w"]
    nodes = [h.make_node("Add", ["image", "image"], [name]) for name in outputs]
    graph = h.make_graph(
        nodes,
        "tiny",
        [h.make_tensor_value_info("image", t.FLOAT, image)],
        [h.make_tensor_value_info(name, t.FLOAT, shape) for name, shape in outputs.items()],
    )
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString())


IMAGE: Shape = ["n", 3, "h", "w"]


def test_runs_and_tells_its_tensors() -> None:
    backend = OnnxBackend(_network({"twice": IMAGE}), threads=1)
    x = np.arange(12, dtype=np.float32).reshape(1, 3, 2, 2)
    np.testing.assert_array_equal(backend.run({"image": x})["twice"], 2 * x)
    assert backend.rung == "onnxruntime-cpu"
    assert backend.inputs[0].shape == (None, 3, None, None) and backend.inputs[0].dtype == "float32"
    assert backend.outputs[0].name == "twice"


def test_threads_may_share_it() -> None:
    backend = OnnxBackend(_network({"twice": IMAGE}))
    inputs = [np.full((1, 3, 8, 8), i, np.float32) for i in range(32)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda x: backend.run({"image": x})["twice"], inputs))
    for i, result in enumerate(results):
        assert (result == 2 * i).all()


def test_bytes_that_are_no_network() -> None:
    with pytest.raises(InferenceError, match=r"mine: 9 bytes are not a network .* check its sha256"):
        OnnxBackend(b"not a net", name="mine")


def test_an_absent_provider_lists_the_present_ones() -> None:
    with pytest.raises(InferenceError, match=r"NoSuchProvider is not in this onnxruntime; available: .*CPU"):
        OnnxBackend(_network({"y": IMAGE}), providers=["NoSuchProvider"])


def test_no_threads_is_refused() -> None:
    with pytest.raises(InferenceError, match="threads=0, expected at least 1"):
        OnnxBackend(_network({"y": IMAGE}), threads=0)


@pytest.mark.parametrize(
    ("feeds", "words"),
    [
        ({"picture": np.zeros((1, 3, 2, 2), np.float32)}, r"got feeds \['picture'\], expected image float32"),
        ({"image": np.zeros((1, 3, 2, 2))}, r"got float64 \[1, 3, 2, 2\], expected image float32 \[\?, 3"),
        ({"image": np.zeros((1, 4, 2, 2), np.float32)}, r"got float32 \[1, 4, 2, 2\], expected"),
        ({"image": np.zeros((3, 2, 2), np.float32)}, r"got float32 \[3, 2, 2\], expected"),
    ],
)
def test_wrong_feeds_say_what_was_expected(feeds: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(InferenceError, match=words):
        OnnxBackend(_network({"y": IMAGE})).run(feeds)


def test_a_closed_network_says_so() -> None:
    backend = OnnxBackend(_network({"y": IMAGE}))
    backend.close()
    backend.close()
    with pytest.raises(InferenceError, match="run after close"):
        backend.run({"image": np.zeros((1, 3, 2, 2), np.float32)})


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        ({"dets": ["n", "k", 5], "labels": ["n", "k"]}, AdapterKind.RTMDET),
        ({"output": ["n", "a", 85]}, AdapterKind.YOLOX),
        ({"heatmaps": ["n", 17, 64, 48]}, AdapterKind.HEATMAP),
        ({"simcc_x": ["n", 26, 384], "simcc_y": ["n", 26, 512]}, AdapterKind.SIMCC),
    ],
)
def test_adapters_are_read_off_the_tensors(outputs: dict[str, Shape], kind: AdapterKind) -> None:
    assert adapter_for(_declared(outputs)) is kind


def test_an_unknown_contract_lists_the_known_ones() -> None:
    with pytest.raises(InferenceError, match=r"outputs embedding\[\?,256\].*dets.*yolox.*heatmap.*simcc"):
        adapter_for(_declared({"embedding": ["n", 256], "more": ["n", 4]}))


def test_a_pose_network_is_no_detector() -> None:
    pose = _declared({"heatmaps": ["n", 17, 64, 48]})
    with pytest.raises(InferenceError, match=r"expected a detector, got .*'heatmap'"):
        build_detector(pose)
    with pytest.raises(InferenceError, match="'yolox' is not for a pose network"):
        build_pose(pose, kind="yolox")
    with pytest.raises(InferenceError, match="'simcc' was asked for, but the tensors follow 'heatmap'"):
        build_pose(pose, kind="simcc")


def test_a_side_that_is_no_multiple_of_32_is_refused() -> None:
    with pytest.raises(InferenceError, match="500 px: expected a positive multiple of 32"):
        build_detector(_declared({"dets": ["n", "k", 5], "labels": ["n", "k"]}), 500)


def test_a_fixed_input_is_its_own_limit() -> None:
    backend = _declared({"output": [1, 3549, 85]}, [1, 3, 416, 416])
    assert build_detector(backend, 960).max_side_px == 416


class _Declared:
    """A network of which only the declarations are there."""

    rung = "onnxruntime-cpu"

    def __init__(self, inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...]) -> None:
        self.inputs, self.outputs = inputs, outputs

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        raise AssertionError("not run")

    def close(self) -> None:
        pass


def _declared(outputs: dict[str, Shape], image: Shape | None = None) -> _Declared:
    def spec(name: str, shape: Shape) -> TensorSpec:
        return TensorSpec(name, tuple(s if isinstance(s, int) else None for s in shape), "float32")

    return _Declared((spec("image", image or IMAGE),), tuple(spec(n, s) for n, s in outputs.items()))
