"""Body files: what is read, and how what is not a body is refused."""

from __future__ import annotations

import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse

from crowdstream.kernels.body.data import BodyData
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.kernels.skeleton import PARENTS
from crowdstream.stream.body_files import load_body, read_smpl_pickle
from crowdstream.stream.errors import ModelError


def _arrays(body: BodyData) -> dict[str, Any]:
    """The same body under the names of an SMPL file, without soles."""
    kintree = np.stack(
        [PARENTS.astype(np.uint32), np.arange(24, dtype=np.uint32)]
    )  # the root's -1 wraps there
    return {
        "v_template": body.v_template.astype(np.float64),
        "shapedirs": np.concatenate([body.shapedirs, body.shapedirs], axis=2),
        "posedirs": body.posedirs,
        "J_regressor": body.J_regressor,
        "weights": body.weights,
        "f": body.faces.astype(np.uint32),
        "kintree_table": kintree,
    }


def test_npz_of_an_smpl_file(tmp_path: Path) -> None:
    shipped = load_body()
    path = tmp_path / "SMPL_NEUTRAL.npz"
    np.savez(path, **_arrays(shipped))
    body = load_body(path)
    assert body.name == "SMPL_NEUTRAL" and body.shapedirs.shape[-1] == 10
    np.testing.assert_allclose(body.joint_template_m, shipped.joint_template_m, atol=1e-7)
    assert set(body.sole_vertices) == set(shipped.sole_vertices)


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("sparse", [scipy.sparse.csc_matrix, scipy.sparse.csr_matrix])
def test_pickle_with_sparse_regressor(tmp_path: Path, protocol: int, sparse: Callable[..., Any]) -> None:
    shipped = load_body()
    arrays = _arrays(shipped) | {
        "J_regressor": sparse(shipped.J_regressor),
        "bs_style": "lbs",
        "gender": None,
    }
    path = tmp_path / "basicmodel.pkl"
    path.write_bytes(pickle.dumps(arrays, protocol=protocol))
    body = load_body(path)
    np.testing.assert_allclose(body.J_regressor, shipped.J_regressor, atol=1e-7)
    np.testing.assert_allclose(body.weights, shipped.weights)


def test_chumpy_arrays_need_no_chumpy() -> None:
    # the opcodes a Python 2 pickle of {"v": Ch(x=array)} holds: object.__reduce_ex__(1) by copy_reg
    plain = pickle.dumps(np.arange(6.0).reshape(2, 3), protocol=2)
    array = plain[2:-1]  # without protocol header and STOP
    ch = b"ccopy_reg\n_reconstructor\n(cchumpy.ch\nCh\nc__builtin__\nobject\nNtR}U\x01x" + array + b"sb"
    # memo numbers of `array` are its own; nothing else uses the memo
    loaded = read_smpl_pickle(b"\x80\x02}U\x01v" + ch + b"s.", "made up")
    np.testing.assert_array_equal(loaded["v"], np.arange(6.0).reshape(2, 3))


class _Calls:
    def __init__(self, function: Callable[..., Any], *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.function, self.args


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("call", ["system", "popen", "eval", "getattr", "load"])
def test_hostile_pickles_run_nothing(tmp_path: Path, protocol: int, call: str) -> None:
    mark = tmp_path / "ran"
    payload = {
        "system": _Calls(os.system, f"touch {mark}"),
        "popen": _Calls(subprocess.Popen, ["touch", str(mark)]),
        "eval": _Calls(eval, f"open({str(mark)!r}, 'w')"),
        "getattr": _Calls(getattr, np.ndarray, "tofile"),
        "load": _Calls(np.load, str(mark)),
    }[call]
    path = tmp_path / "body.pkl"
    path.write_bytes(pickle.dumps({"v_template": payload}, protocol=protocol))
    with pytest.raises(ModelError, match=r"refused: it asks for .*may hold numpy arrays"):
        load_body(path)
    assert not mark.exists()


def test_dotted_names_do_not_reach_through_allowed_modules() -> None:
    # protocol 4 resolves "a.b" by attribute walks; the name list must not
    payload = b"\x80\x04\x8c\x05numpy\x8c\x0fndarray.__new__\x93."
    with pytest.raises(ModelError, match="refused"):
        read_smpl_pickle(payload, "made up")


def _without(key: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda arrays: {name: value for name, value in arrays.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_without("J_regressor"), "lacks J_regressor"),
        (_without("f"), "lacks faces|lacks f"),
        (lambda a: a | {"weights": a["weights"][:, :22]}, "body of 24 joints"),
        (lambda a: a | {"shapedirs": a["shapedirs"][..., :6]}, r"shapedirs has shape .* expected"),
        (lambda a: a | {"v_template": np.array(["x"] * 7)}, "not an array of numbers"),
        (lambda a: a | {"kintree_table": np.zeros((2, 52))}, "joint tree has 52 joints"),
        (lambda a: a | {"J_regressor": a["J_regressor"] * 3}, "must sum to 1"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, change: Callable[..., Any], message: str) -> None:
    path = tmp_path / "body.npz"
    np.savez(path, **change(_arrays(load_body())))
    with pytest.raises(ModelError, match=message) as caught:
        load_body(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_files_that_are_no_bodies(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no body file at"):
        load_body(tmp_path / "none.npz")
    for name, content in (
        ("a.npz", b"not a zip"),
        ("b.pkl", b"not a pickle"),
        ("c.txt", b""),
        ("d.npz", b""),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CrowdstreamError, match=name):
            load_body(tmp_path / name)
    np.savez(tmp_path / "e.npz", v_template=np.array([{"an": "object"}], dtype=object))
    with pytest.raises(ModelError, match="without pickles"):
        load_body(tmp_path / "e.npz")
    (tmp_path / "f.pkl").write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(ModelError, match="holds a list"):
        load_body(tmp_path / "f.pkl")


def test_shipped_file_is_small_and_loaded_once() -> None:
    assert load_body() is load_body()
    weights = Path(__import__("crowdstream.kernels", fromlist=["x"]).__file__).parent / "weights" / "body.npz"
    assert weights.stat().st_size < 2.5e6
