"""Soft-DTW of several makes against one another: compiled, plain torch, Triton, and the public package `pysdtw`."""

from __future__ import annotations

import importlib
import importlib.util
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "golden"))

from make_soft_dtw import sequences

sys.path.pop(0)

from crowdstream.kernels.errors import SolveError
from crowdstream.kernels.fused.soft_dtw import soft_dtw
from crowdstream.kernels.grouping import soft_dtw as face
from crowdstream.kernels.grouping.soft_dtw_diagonals import soft_dtw_diagonals

GOLDEN = json.loads((Path(__file__).resolve().parent.parent / "golden/soft_dtw/pysdtw.json").read_text())
TOLERANCE = 1e-5
"""Theirs is float32 throughout and gets weights from differences of sums; ours is nearer to float64."""


def rounding(gamma: float) -> float:
    """Of alignments: a cost of 3 in float32 is known to 2e-7, and a weight to that over gamma, some steps in a row."""
    return 2e-6 * max(1.0, 0.5 / gamma)


def ours(x: np.ndarray, y: np.ndarray, gamma: float) -> tuple[np.ndarray, np.ndarray]:
    moved = torch.tensor(x, requires_grad=True)
    value = face.soft_dtw_loss(moved, torch.tensor(y), torch.ones(x.shape[2]), gamma)
    value.sum().backward()
    assert moved.grad is not None
    return value.detach().numpy(), moved.grad.numpy()


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"{case['n']}x{case['m']}")
def test_values_and_gradients_are_those_that_pysdtw_gave(case: dict[str, Any]) -> None:
    value, gradient = ours(*sequences(case["n"], case["m"]), case["gamma"])
    np.testing.assert_allclose(value, case["value"], rtol=TOLERANCE, atol=TOLERANCE)
    np.testing.assert_allclose(gradient, case["gradient"], rtol=1e-4, atol=1e-4)


def test_values_and_gradients_are_those_that_pysdtw_gives() -> None:
    if importlib.util.find_spec("pysdtw") is None:
        pytest.skip("pysdtw is not installed; what it gave is kept in tests/golden/soft_dtw")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it asks numba for CUDA
        theirs = importlib.import_module("pysdtw").SoftDTW(gamma=0.3, use_cuda=False)
        rng = np.random.default_rng(2)
        x, y = (rng.normal(size=(20, steps, 7)).astype(np.float32) for steps in (15, 18))
        moved = torch.tensor(x, requires_grad=True)
        want = theirs(moved, torch.tensor(y))
        want.sum().backward()
    assert moved.grad is not None
    value, gradient = ours(x, y, 0.3)
    np.testing.assert_allclose(value, want.detach().numpy(), rtol=TOLERANCE)
    np.testing.assert_allclose(gradient, moved.grad.numpy(), rtol=1e-3, atol=1e-3)


def table(pairs: int, n: int, m: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    cost = (3 * rng.random((pairs, n, m))).astype(np.float32)
    rows, columns = rng.integers(1, n + 1, pairs), rng.integers(1, m + 1, pairs)
    rows[0], columns[0] = n, m
    return cost, rows, columns


@pytest.mark.parametrize("gamma", [0.05, 1.0])
@pytest.mark.parametrize("shape", [(3, 6, 9), (2, 20, 13), (1, 1, 4), (2, 12, 1)])
def test_diagonals_in_torch(shape: tuple[int, int, int], gamma: float) -> None:
    cost, rows, columns = table(*shape)
    value, alignment = soft_dtw(cost, gamma, rows, columns)
    theirs = soft_dtw_diagonals(torch.tensor(cost).double(), gamma, torch.tensor(rows), torch.tensor(columns))
    np.testing.assert_allclose(value, theirs[0].numpy(), rtol=1e-6, atol=1e-5 * gamma + 1e-6)
    np.testing.assert_allclose(alignment, theirs[1].numpy(), atol=rounding(gamma))


@pytest.fixture
def triton_kernel(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The Triton kernel, run by Triton's interpreter."""
    if importlib.util.find_spec("triton") is None:
        pytest.skip("Triton is not installed (it comes with torch for GPUs)")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    name = "crowdstream.kernels.fused.soft_dtw_triton"
    monkeypatch.delitem(sys.modules, name, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kernel = importlib.import_module(name)
        yield kernel
    sys.modules.pop(name, None)  # the next one may want it compiled


@pytest.mark.parametrize("gamma", [0.05, 1.0])
@pytest.mark.parametrize("shape", [(3, 6, 9), (2, 20, 13), (1, 1, 4), (1, 33, 2)])
def test_triton(triton_kernel: Any, shape: tuple[int, int, int], gamma: float) -> None:
    cost, rows, columns = table(*shape)
    value, alignment = soft_dtw(cost, gamma, rows, columns)
    theirs = triton_kernel.soft_dtw_triton(
        torch.tensor(cost), gamma, torch.tensor(rows), torch.tensor(columns)
    )
    np.testing.assert_allclose(value, theirs[0].numpy(), rtol=1e-6, atol=1e-5 * gamma + 1e-6)
    np.testing.assert_allclose(alignment, theirs[1].numpy(), atol=rounding(gamma))


def test_triton_takes_no_pairs_and_no_more_rows_than_threads(triton_kernel: Any) -> None:
    none = torch.zeros(0, dtype=torch.long)
    assert triton_kernel.soft_dtw_triton(torch.zeros(0, 3, 4), 0.1, none, none)[1].shape == (0, 3, 4)
    one = torch.ones(1, dtype=torch.long)
    with pytest.raises(SolveError, match="1025 steps"):
        triton_kernel.soft_dtw_triton(torch.zeros(1, 1025, 2), 0.1, one, one)


def test_without_triton_there_is_no_such_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "triton", None)
    monkeypatch.delitem(sys.modules, "crowdstream.kernels.fused.soft_dtw_triton", raising=False)
    assert face.triton_kernel() is None
