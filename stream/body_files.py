"""Body files: the shipped body, or a user's licensed SMPL model as .npz or .pkl.

Pickles run through an unpickler that knows numpy arrays and inert stand-ins for scipy's sparse matrices and
chumpy's arrays, and nothing else: no name outside its list is ever looked up, so a hostile file cannot
call anything. chumpy itself is not needed.
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from ..kernels.body.data import NUM_BETAS, NUM_JOINTS, NUM_POSE_DIRS, BodyData
from ..kernels.body.sole_vertices import choose_sole_vertices
from ..kernels.errors import ShapeError
from ..kernels.skeleton import PARENTS
from .errors import ModelError

Array = np.ndarray

SHIPPED = "body.npz"
NEEDED = ("v_template", "shapedirs", "J_regressor", "weights")


def load_body(path: Path | str | None = None) -> BodyData:
    """The shipped body (None), or a user's SMPL file.

    Raises:
        ModelError: no such file, not a body, or arrays of another model's shapes.
    """
    return _shipped() if path is None else _load(Path(path))


@cache
def _shipped() -> BodyData:
    entry = resources.files("crowdstream.kernels") / "weights" / SHIPPED
    with resources.as_file(entry) as path:
        return _load(path)


def _load(path: Path) -> BodyData:
    if not path.is_file():
        raise ModelError(f"no body file at {path}; give an SMPL model as .npz or .pkl")
    if path.suffix == ".npz":
        arrays = _read_npz(path)
    elif path.suffix == ".pkl":
        arrays = read_smpl_pickle(path.read_bytes(), str(path))
    else:
        raise ModelError(f"body file {path} ends in '{path.suffix}', expected .npz or .pkl")
    try:
        return _body_of(arrays, path)
    except ShapeError as error:
        raise ModelError(f"{path}: {error}") from error


def _read_npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (BadZipFile, EOFError, OSError, ValueError) as error:
        raise ModelError(
            f"{path} cannot be read as a numpy archive without pickles ({error}); "
            "expected an .npz of plain arrays, or give the .pkl it was made from"
        ) from error


def _body_of(arrays: Mapping[str, Any], path: Path) -> BodyData:
    faces_key = "faces" if "faces" in arrays else "f"
    missing = [key for key in (*NEEDED, faces_key) if key not in arrays]
    if missing:
        raise ModelError(
            f"{path} lacks {', '.join(missing)}; an SMPL body has {', '.join(NEEDED)} and f; "
            f"got {', '.join(sorted(arrays)) or 'nothing'}"
        )
    _check_tree(arrays.get("kintree_table"), path)
    v_template = _floats(arrays, "v_template", path)
    weights = _floats(arrays, "weights", path)
    if v_template.ndim != 2 or weights.shape != (len(v_template), NUM_JOINTS):
        raise ModelError(
            f"{path}: v_template {v_template.shape} and weights {weights.shape}, expected (V, 3) and "
            f"(V, {NUM_JOINTS}): an SMPL body of 24 joints (not SMPL-H, SMPL-X or STAR)"
        )
    if "posedirs" in arrays:
        posedirs = _floats(arrays, "posedirs", path)
    else:
        posedirs = np.zeros((len(v_template), 3, NUM_POSE_DIRS), np.float32)
    if "sole_vertices" in arrays:
        soles = np.asarray(arrays["sole_vertices"]).astype(np.int64)
    else:
        soles = choose_sole_vertices(v_template, weights)
    return BodyData(
        name=str(arrays.get("name", path.stem)),
        v_template=v_template,
        shapedirs=_floats(arrays, "shapedirs", path)[..., :NUM_BETAS],
        posedirs=posedirs,
        J_regressor=_floats(arrays, "J_regressor", path),
        weights=weights,
        faces=np.asarray(arrays[faces_key]).astype(np.int64),
        sole_vertices=soles,
    )


def _floats(arrays: Mapping[str, Any], key: str, path: Path) -> Array:
    try:
        value = np.asarray(arrays[key])
        return value.astype(np.float64 if value.dtype == np.float64 else np.float32)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{path}: {key} is not an array of numbers ({error})") from error


def _check_tree(kintree: Any, path: Path) -> None:
    if kintree is None:
        return
    parents = np.asarray(kintree)[0].astype(np.int64)
    if len(parents) != NUM_JOINTS or not np.array_equal(parents[1:], PARENTS[1:]):
        raise ModelError(f"{path}: its joint tree has {len(parents)} joints, expected SMPL's {NUM_JOINTS}")


# The restricted unpickler


class _StandIn:
    """Holds the state of a foreign object; runs none of its code."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"state of type {type(state).__name__} for a matrix")
        self.state = state


class _SparseStandIn(_StandIn):
    """scipy.sparse.csc_matrix or csr_matrix."""

    by_column = True

    def dense(self) -> Array:
        rows, columns = (int(size) for size in self.state["_shape" if "_shape" in self.state else "shape"])
        data, inner, ptr = (np.asarray(self.state[key]) for key in ("data", "indices", "indptr"))
        outer = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
        out = np.zeros((rows, columns))
        np.add.at(out, (inner, outer) if self.by_column else (outer, inner), data)
        return out


class _SparseRowStandIn(_SparseStandIn):
    by_column = False


class _ChumpyStandIn(_StandIn):
    """chumpy.ch.Ch holds its array as `x`; chumpy.reordering.Select picks `idxs` out of `a`."""

    def dense(self) -> Array:
        if "x" in self.state:
            return np.asarray(_dense(self.state["x"]))
        picked: Array = np.asarray(_dense(self.state["a"])).ravel()[np.asarray(self.state["idxs"])]
        return picked.reshape(self.state["preferred_shape"]) if "preferred_shape" in self.state else picked


def _dense(value: Any) -> Any:
    return value.dense() if isinstance(value, _SparseStandIn | _ChumpyStandIn) else value


def _reconstructor(cls: Any, base: Any, state: Any) -> Any:
    if not (isinstance(cls, type) and issubclass(cls, _StandIn)):
        raise pickle.UnpicklingError(f"an object of type {cls!r}")
    return cls()


def _encode(text: str, encoding: str) -> bytes:
    return text.encode("latin1")


def _array_shell(*_: Any) -> Array:
    """An empty array for numpy's own __setstate__ to fill."""
    return np.ndarray((0,), np.int8)


def _scalar(dtype: Any, data: Any) -> Any:
    return np.frombuffer(data if isinstance(data, bytes) else data.encode("latin1"), dtype)[0]


def _from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
    return np.frombuffer(data, dtype).reshape(shape, order=order)


def _allowed() -> dict[tuple[str, str], Any]:
    known: dict[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): _encode,
        ("copy_reg", "_reconstructor"): _reconstructor,
        ("copyreg", "_reconstructor"): _reconstructor,
        ("__builtin__", "object"): object,
        ("builtins", "object"): object,
        ("chumpy.ch", "Ch"): _ChumpyStandIn,
        ("chumpy.reordering", "Select"): _ChumpyStandIn,
    }
    for core in ("numpy.core", "numpy._core"):
        known[core + ".multiarray", "_reconstruct"] = _array_shell
        known[core + ".multiarray", "scalar"] = _scalar
        known[core + ".numeric", "_frombuffer"] = _from_buffer
    for private in ("", "_"):
        for kind, stand_in in (("csc", _SparseStandIn), ("csr", _SparseRowStandIn)):
            known[f"scipy.sparse.{private}{kind}", f"{kind}_matrix"] = stand_in
    return known


_ALLOWED: Mapping[tuple[str, str], Callable[..., Any]] = _allowed()


class _BodyUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return _ALLOWED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}") from None


def read_smpl_pickle(data: bytes, source: str) -> dict[str, Any]:
    """Arrays of an SMPL pickle (protocols of Python 2 and 3), sparse matrices made dense.

    Args:
        data: the file's bytes.
        source: what to call it in messages.

    Raises:
        ModelError: not a pickle, or it holds anything but a dict of arrays.
    """
    try:
        loaded = _BodyUnpickler(io.BytesIO(data), encoding="latin1").load()
    except Exception as error:  # a damaged or hostile pickle may raise anything
        raise ModelError(
            f"{source} refused: {error}; a body pickle may hold numpy arrays, scipy sparse matrices and "
            "chumpy arrays only"
        ) from error
    if not isinstance(loaded, dict) or not all(isinstance(key, str) for key in loaded):
        raise ModelError(f"{source} holds a {type(loaded).__name__}, expected a dict of arrays")
    try:
        return {key: _dense(value) for key, value in loaded.items()}
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"{source}: an array of it cannot be rebuilt ({error!r})") from error
