"""Laws of frozen state: what comes back is what went in, references and all; damage is one error, and nothing runs."""

from __future__ import annotations

import struct
import threading
import zlib
from collections import Counter, OrderedDict, defaultdict, deque
from dataclasses import dataclass, field
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crowdstream.kernels.grouping.bank import GroupBank
from crowdstream.kernels.grouping.bank_config import GroupConfig
from crowdstream.kernels.tracking.plane_motion import Motion
from crowdstream.stream.checkpoint import thawed
from crowdstream.stream.checkpoint.cells import DTYPES, HEAD, MAGIC, VERSION
from crowdstream.stream.checkpoint.classes import register
from crowdstream.stream.checkpoint.frozen import freeze
from crowdstream.stream.checkpoint.thawed import thaw
from crowdstream.stream.errors import CheckpointError
from crowdstream.stream.records import ClockOrigin
from crowdstream.stream.stitch.config import StitchConfig
from crowdstream.stream.stitch.scene import SceneMemory

QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

arrays = st.builds(
    lambda dtype, shape, seed, flip: _array(dtype, tuple(shape), seed, flip),
    st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3), st.integers(0, 99), st.booleans(),
)  # fmt: skip
keys = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab\u00e9\x00", max_size=4) | st.binary(max_size=4)
    | st.sampled_from(ClockOrigin) | st.floats(allow_nan=False),
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3), max_leaves=4,
)  # fmt: skip
leaves = (
    keys
    | arrays
    | st.floats()
    | st.sampled_from([np.float32(2.5), np.int64(-3), np.bool_(True), StitchConfig()])
)
values = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=9)
    | st.tuples(inner, inner)
    | st.dictionaries(keys, inner, max_size=5)
    | st.builds(deque, st.lists(inner, max_size=9), st.none() | st.integers(0, 12))
    | st.sets(keys, max_size=5)
    | st.builds(lambda d: Counter({k: 1 for k in d}), st.sets(keys, max_size=3))
    | st.builds(lambda d: defaultdict(list, d), st.dictionaries(keys, inner, max_size=3))
    | st.builds(OrderedDict, st.dictionaries(keys, inner, max_size=3))
    | st.builds(lambda n: Motion.unplaced(n), st.integers(0, 3)),
    max_leaves=25,
)  # fmt: skip


def _array(dtype: np.dtype, shape: tuple[int, ...], seed: int, flip: bool) -> np.ndarray:
    raw = np.random.default_rng(seed).integers(0, 2 if dtype.kind == "b" else 100, shape).astype(dtype)
    return raw.T if flip else raw


def alike(one: Any, other: Any) -> bool:
    """Equal in type, bits and order."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        same_order = one.size < 2 or one.ndim < 2 or one.flags.f_contiguous == other.flags.f_contiguous
        return same_order and (one.dtype, one.shape, one.tobytes()) == (
            other.dtype,
            other.shape,
            other.tobytes(),
        )
    if isinstance(one, float | np.generic):
        return np.asarray(one).tobytes() == np.asarray(other).tobytes()
    if isinstance(one, dict):
        if isinstance(one, defaultdict) and one.default_factory is not other.default_factory:
            return False
        return alike(list(one), list(other)) and alike(list(one.values()), list(other.values()))
    if isinstance(one, deque) and one.maxlen != other.maxlen:
        return False
    if isinstance(one, list | tuple | deque):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, Motion):
        return alike(one.state, other.state) and alike(one.covariance, other.covariance)
    return bool(one == other)


@QUICK
@given(values)
def test_what_comes_back_is_what_went_in(value: Any) -> None:
    data = freeze(value)
    back = thaw(data)
    assert alike(back, value)
    assert freeze(back) == data


@QUICK
@given(st.lists(values, min_size=1, max_size=4), st.data())
def test_shared_references_stay_shared(parts: list[Any], data: st.DataObject) -> None:
    order = data.draw(st.lists(st.integers(0, len(parts) - 1), max_size=8))
    back = thaw(freeze([parts[k] for k in order]))
    for a, i in enumerate(order):
        for b, j in enumerate(order):
            if i == j and not isinstance(parts[i], tuple | frozenset | np.generic | StitchConfig):
                assert back[a] is back[b] or back[a] == back[b]
            if isinstance(parts[i], list | dict | np.ndarray | deque | Motion):
                assert (back[a] is back[b]) == (parts[i] is parts[j])


def test_cycles_stay_cycles() -> None:
    knot: dict[str, Any] = {"list": [], "place": (1, 2)}
    knot["list"] += [knot, knot["list"], ("in a tuple", knot)]
    back = thaw(freeze(knot))
    assert back["list"][0] is back and back["list"][1] is back["list"] and back["list"][2][1] is back


def test_sets_of_any_history_give_the_same_bytes() -> None:
    up, down = set(range(0, 4000, 7)), set(reversed(range(0, 4000, 7)))
    down |= {1, 2, 3}
    down -= {1, 2, 3}
    pairs = {(k, -k) for k in range(300)}
    riap = {(k, -k) for k in reversed(range(300))}
    assert freeze([up, pairs]) == freeze([down, riap])


def test_a_generator_goes_on_with_its_numbers() -> None:
    rng = np.random.default_rng(5)
    rng.random(3)
    back = thaw(freeze({"rng": rng, "again": rng}))
    assert back["rng"] is back["again"]
    assert back["rng"].random(4).tolist() == rng.random(4).tolist()


def test_plain_classes_come_back_without_their_constructor() -> None:
    scene = SceneMemory()
    scene.watch(np.array([[1.0, 2.0], [9.0, 9.0]]), np.array([False, True]))
    scene.born(np.array([1.0, 2.0]), False)
    back = thaw(freeze(scene))
    ask = np.array([[1.0, 2.0]]), np.array([False])
    assert back.birth_rates(*ask) == scene.birth_rates(*ask) and vars(back).keys() == vars(scene).keys()


# --- what is outside, what is refused ---------------------------------------------------------------------


def test_what_is_outside_is_not_frozen_but_found_again() -> None:
    config, other = GroupConfig(max_segments=3), GroupConfig(max_segments=3)
    bank = GroupBank(config)
    back = thaw(freeze({"bank": bank}, {"groups": config}), {"groups": other})
    assert back["bank"].config is other
    with pytest.raises(CheckpointError, match="groups"):
        thaw(freeze(bank, {"groups": config}))


def test_what_cannot_be_frozen_is_refused_with_the_way_to_it() -> None:
    scene = SceneMemory()
    scene._births.append(threading.Lock())  # type: ignore[arg-type]
    with pytest.raises(CheckpointError, match=r"dict\['site'\]\[0\]\._births\[0\].*lock"):
        freeze({"site": [scene]})
    with pytest.raises(CheckpointError, match=r"list\[1\].*function"):
        freeze([1, freeze])
    scene = SceneMemory()
    scene.extra = 1  # type: ignore[attr-defined]
    with pytest.raises(CheckpointError, match="extra"):
        freeze(scene)


@pytest.mark.parametrize(
    "value", [object(), np.array(["text"]), np.array([object()]), (k for k in ()), b"".join, type, range(3),
              1j, np.datetime64(3, "s"), bytearray(b"x"), defaultdict(lambda: 3), threading.Thread],
)  # fmt: skip
def test_what_is_no_state_is_refused(value: object) -> None:
    with pytest.raises(CheckpointError, match="cannot be frozen"):
        freeze({"x": value})


@register
class Holder:
    """A worker's state with something that is none."""

    _TRANSIENT = ("lock",)

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.count = 0


@register
@dataclass
class Slotted:
    """A record without a __dict__."""

    __slots__ = ("a", "b")
    a: int
    b: list[int]


@register
@dataclass(frozen=True)
class Cached:
    """A record that keeps what it has worked out."""

    a: int
    b: tuple[int, ...] = field(default=())

    @property
    def twice(self) -> int:
        vars(self)["_twice"] = 2 * self.a
        return 2 * self.a


def test_what_is_declared_transient_is_left_out() -> None:
    held = Holder()
    held.count = 7
    back = thaw(freeze(held))
    assert back.count == 7 and back.lock is None


def test_records_with_slots_and_with_caches_come_back() -> None:
    shared = [1, 2]
    back = thaw(freeze([Slotted(3, shared), shared]))
    assert back[0].a == 3 and back[0].b is back[1]
    cached = Cached(4, (1,))
    before = freeze(cached)
    assert cached.twice == 8 and freeze(cached) == before and thaw(before) == Cached(4, (1,))


# --- damage and malice ------------------------------------------------------------------------------------

SAMPLE = freeze({
    "bank": GroupBank(GroupConfig(max_segments=2)), "rng": np.random.default_rng(1), "set": {(1, 2), (3, 4)},
    "many": [Motion.unplaced(2)] * 2 + [Motion.unplaced(1) for _ in range(9)], "x": deque([1.5] * 9, 12),
    "big": 2**90, "config": StitchConfig(), "clock": ClockOrigin.HOST, "count": Counter("abca"),
})  # fmt: skip


def sealed(payload: bytes, version: int = VERSION) -> bytes:
    """A payload with a head that is right."""
    return HEAD.pack(MAGIC, version, 0, len(payload), zlib.crc32(payload)) + payload


def test_every_truncation_is_refused() -> None:
    for end in range(len(SAMPLE)):
        with pytest.raises(CheckpointError):
            thaw(SAMPLE[:end])


@QUICK
@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_every_changed_byte_is_noticed(place: int, change: int) -> None:
    data = bytearray(SAMPLE)
    data[place] ^= change
    if place in (6, 7):
        return  # two bytes that mean nothing yet
    with pytest.raises(CheckpointError):
        thaw(bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 20), st.integers(0, 255)), min_size=1, max_size=6))
def test_payloads_with_right_checksums_that_lie_raise_one_error_or_give_a_value(
    edits: list[tuple[int, int]],
) -> None:
    payload = bytearray(SAMPLE[HEAD.size :])
    for place, byte in edits:
        payload[min(place, len(payload) - 1)] = byte
    try:
        thaw(sealed(bytes(payload)))
    except CheckpointError:
        pass


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.integers(-5, 9) | st.binary(max_size=8) | st.sampled_from(["record", "array", "list", "dict"]),
    lambda inner: st.lists(inner, max_size=6), max_leaves=30,
))  # fmt: skip
def test_garbage_raises_one_error(what: object) -> None:
    payload = what if isinstance(what, bytes) else msgpack.packb(what)
    with pytest.raises(CheckpointError):
        thaw(sealed(payload))
    with pytest.raises(CheckpointError):
        thaw(payload)


NO_ARRAYS = [b"", b"", b"", b"", [b""] * len(DTYPES)]


def table(name: str, names: list[str], rows: list[Any], count: int = 1) -> bytes:
    return sealed(
        msgpack.packb(
            [[["record", name, names, count, rows]], [b"", b"", b"", b"", [b""] * len(DTYPES)], None]
        )
    )


@pytest.mark.parametrize(
    "name", ["os:system", "builtins:eval", "stream.wire.server:WireServer", "stream.ring:FrameRing", "subprocess:Popen",
             "stream.checkpoint.thawed:thaw", "stream.checkpoint.classes:CheckpointError", "stream.records:np",
             "kernels.tracking.plane_motion:Motion.take", ":", "stream.records:ClockOrigin.HOST", "..os:system"],
)  # fmt: skip
def test_classes_beyond_the_list_are_never_made(name: str) -> None:
    with pytest.raises(CheckpointError):
        thaw(table(name, [], [[1]]))


def test_a_few_bytes_that_claim_millions_of_objects_are_refused() -> None:
    motion = "kernels.tracking.plane_motion:Motion"
    with pytest.raises(CheckpointError, match="objects"):
        thaw(table(motion, ["state", "covariance"], [], count=1 << 40))
    with pytest.raises(CheckpointError):
        thaw(table(motion, ["state", "covariance"], [[1, [5, 1 << 40, 0], [5, 1, 0]]]))
    nested: list[Any] = [0]
    for _ in range(200):
        nested = [0, nested]
    with pytest.raises(CheckpointError):
        thaw(sealed(msgpack.packb([[], NO_ARRAYS, nested])))
    with pytest.raises(CheckpointError, match="at most"):
        thaw(SAMPLE, max_bytes=100)


def test_state_of_another_version_is_refused_by_name() -> None:
    motion = "kernels.tracking.plane_motion:Motion"
    with pytest.raises(CheckpointError, match=r"another version.*Motion.*speed"):
        thaw(table(motion, ["state", "covariance", "speed"], [[1, [0, 1, [0]], [0, 1, [0]], [0, 1, [0]]]]))
    with pytest.raises(CheckpointError, match=f"version {VERSION + 1}"):
        thaw(struct.pack(">4sHHII", MAGIC, VERSION + 1, 0, 0, 0))


def test_nothing_is_imported_for_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("thaw imported something")

    monkeypatch.setattr("builtins.__import__", refuse)
    data = table("stream.overlay.render:Renderer", [], [[1]])
    raised = False
    try:
        thawed.thaw(data)
    except CheckpointError:
        raised = True
    monkeypatch.undo()
    assert raised
