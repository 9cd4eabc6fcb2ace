"""The ladder takes the best rung that works, and keeps why the better ones did not."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.errors import InferenceError
from crowdstream.kernels.inference.backend import InferenceBackend, ShapeProfile, TensorSpec
from crowdstream.stream.inference.ladder import RungOpener, engine_key, open_network
from crowdstream.stream.inference.ladder_config import InferenceConfig
from crowdstream.stream.inference.probe import ProbeVerdict
from crowdstream.stream.inference.profiles import ShapeHints, profiles_for
from crowdstream.stream.models.catalogue import Role
from crowdstream.stream.models.folder import ModelFile


class Echo:
    """A backend that gives back what it is fed."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, rung: str) -> None:
        self.rung = rung

    def run(self, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return dict(feeds)

    def close(self) -> None: ...


def _works(rung: str) -> RungOpener:
    def opener(content: bytes, config: InferenceConfig, hints: ShapeHints) -> InferenceBackend:
        return Echo(rung)

    return opener


def _fails(reason: str) -> RungOpener:
    def opener(content: bytes, config: InferenceConfig, hints: ShapeHints) -> InferenceBackend:
        raise InferenceError(reason)

    return opener


@pytest.fixture
def model(tmp_path: Path) -> ModelFile:
    path = tmp_path / "own.onnx"
    path.write_bytes(b"bytes")
    return ModelFile(path, Role.POSE, None, "named by the user")


def test_first_working_rung_wins(model: ModelFile) -> None:
    rungs = {"a": _fails("no GPU"), "b": _works("b"), "c": _works("c")}
    opened = open_network(model, InferenceConfig(ladder=("a", "b", "c")), rungs=rungs)
    assert opened.backend.rung == "b"
    assert opened.refused == (("a", "no GPU"),)
    assert opened.describe()["refused"] == {"a": "no GPU"}


def test_no_rung_lists_every_reason(model: ModelFile) -> None:
    rungs = {"a": _fails("no GPU"), "b": _fails("not a network")}
    with pytest.raises(InferenceError, match=r"a: no GPU; b: not a network"):
        open_network(model, InferenceConfig(ladder=("a", "b")), rungs=rungs)


def test_unknown_rung_lists_the_known(model: ModelFile) -> None:
    with pytest.raises(InferenceError, match="onnxruntime-cpu"):
        open_network(model, InferenceConfig(ladder=("magic",)))


def test_without_a_gpu_the_real_ladder_says_why_and_reports_a_broken_file(model: ModelFile) -> None:
    with pytest.raises(InferenceError) as caught:
        open_network(model, InferenceConfig(probe_timeout_s=60))
    text = str(caught.value)
    assert "tensorrt:" in text and "onnxruntime-cpu:" in text and "\n" not in text


def test_the_key_follows_network_machine_and_shapes() -> None:
    verdict = ProbeVerdict(True, "", "11.4.0", "13.0", "GPU", "9.0")
    profile = ShapeProfile("x", (1, 3), (8, 3), (32, 3))
    base = engine_key(b"net", verdict, (profile,), 1 << 30).digest()
    assert base == engine_key(b"net", verdict, (profile,), 1 << 30).digest()
    wider = ShapeProfile("x", (1, 3), (8, 3), (64, 3))
    others = [
        engine_key(b"other", verdict, (profile,), 1 << 30),
        engine_key(b"net", ProbeVerdict(True, "", "10.9", "13.0", "GPU", "9.0"), (profile,), 1 << 30),
        engine_key(b"net", verdict, (wider,), 1 << 30),
    ]
    assert base not in {key.digest() for key in others}


def test_free_dimensions_take_the_hints() -> None:
    hints = ShapeHints(batch=(1, 4, 16), height=(64, 96, 128), width=(32, 64, 96))
    dynamic = TensorSpec("images", (None, 3, None, 192), "float32")
    fixed = TensorSpec("scale", (1, 2), "float32")
    (profile,) = profiles_for((dynamic, fixed), hints)
    assert profile == ShapeProfile("images", (1, 3, 64, 192), (4, 3, 96, 192), (16, 3, 128, 192))


def test_a_free_channel_is_refused() -> None:
    with pytest.raises(InferenceError, match="only batch, height and width"):
        profiles_for((TensorSpec("x", (1, None, 8, 8), "float32"),), ShapeHints())
