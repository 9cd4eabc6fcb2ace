"""Records -> messages -> bytes -> messages -> records: nothing changes, in any cut of the byte stream."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from crowdstream.kernels.solve.problem import Provenance, SolveStatus, WindowSolution
from crowdstream.lab.bench.wire_cases import walkers_frame, walkers_schema, walkers_window
from crowdstream.stream.errors import ProtocolError
from crowdstream.stream.records import ClockOrigin, TrackedFrame
from crowdstream.stream.wire.codec import DTYPES, Deframer, decode, encode, framed, pack_map, unpack_map
from crowdstream.stream.wire.messages import MAX_MESSAGE_BYTES, Kind, Message
from crowdstream.stream.wire.schema import SiteSchema
from crowdstream.stream.wire.tiers import (
    HighestRevision,
    Stamp,
    WindowAssembler,
    live_message,
    live_record,
    window_messages,
    window_record,
)

STAMP = Stamp("s", 1, 5, recorded=True)
QUICK = settings(max_examples=40, deadline=None)
SIZES = st.integers(0, 2**20)


def same(a: object, b: object) -> bool:
    """Equal in every bit, NaN included."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    return a == b


def assert_same_record(a: object, b: object) -> None:
    assert dataclasses.is_dataclass(a) and type(a) is type(b)
    differing = [f.name for f in dataclasses.fields(a) if not same(getattr(a, f.name), getattr(b, f.name))]
    assert differing == []


@st.composite
def frames(draw: st.DrawFn) -> TrackedFrame:
    m = draw(st.integers(0, 5))
    real = draw(st.sampled_from([np.float32, np.float64]))
    finite = {"allow_nan": False, "allow_infinity": False, "width": 32}

    def array(*row: int, nan: bool = False) -> np.ndarray:
        elements = st.floats(**{**finite, "allow_nan": nan})
        return draw(hnp.arrays(real, (m, *row), elements=elements))

    return TrackedFrame(
        camera=draw(st.text(max_size=20)), index=draw(st.integers(0, 2**40)),
        t_capture_ns=draw(st.integers(0, 2**62)), clock=draw(st.sampled_from(ClockOrigin)),
        size_px=(draw(SIZES), draw(SIZES)),
        person_ids=draw(hnp.arrays(np.int64, m)), confirmed=draw(hnp.arrays(bool, m)), seen=draw(hnp.arrays(bool, m)),
        boxes_px=array(4), scores=array(), keypoints_px=array(17, 2), confidence=array(17),
        position_m=array(3, nan=True), covariance_m2=array(2, 2, nan=True), velocity_mps=array(2, nan=True),
        drops=draw(st.dictionaries(st.text(max_size=8), st.integers(0, 2**31), max_size=3)),
    )  # fmt: skip


@QUICK
@given(frames())
def test_live_round_trip_keeps_every_bit_of_confirmed_tracks(frame: TrackedFrame) -> None:
    message = live_message(frame, "hall", STAMP)
    back = decode(encode(message))
    assert isinstance(back, Message)
    keep = frame.confirmed
    rows = {
        f.name: getattr(frame, f.name)[keep]
        for f in dataclasses.fields(frame)
        if isinstance(getattr(frame, f.name), np.ndarray)
    }
    assert_same_record(live_record(back), dataclasses.replace(frame, **rows))
    assert back.quality["unconfirmed"] == int((~keep).sum())


@QUICK
@given(st.integers(0, 70), st.integers(0, 3), st.integers(1, 64), st.randoms())
def test_window_round_trip_through_parts_in_any_order(
    people: int, rev: int, frames: int, random: object
) -> None:
    window = walkers_window(people, 7, frames=frames, rev=rev)
    parts = window_messages(window, "hall", STAMP)
    packed = [encode(part) for part in parts]
    assert max(map(len, packed)) <= MAX_MESSAGE_BYTES
    assert [part.seq for part in parts] == [*range(1, len(parts) + 1)]
    random.shuffle(packed)  # type: ignore[attr-defined]
    assembler = WindowAssembler()
    whole = [assembler.push(decode(data)) for data in packed]  # type: ignore[arg-type]
    assert [w is not None for w in whole] == [False] * (len(parts) - 1) + [True]
    assert_same_record(whole[-1], window)


@QUICK
@given(st.data())
def test_absent_slots_may_hold_anything_and_failed_people_stay_home(data: st.DataObject) -> None:
    window = walkers_window(4, 0, frames=6)
    provenance = data.draw(hnp.arrays(np.uint8, (4, 6), elements=st.sampled_from([0, 1, 3])))
    status = data.draw(hnp.arrays(np.uint8, 4, elements=st.integers(0, 2)))
    joints = np.where((provenance == Provenance.ABSENT)[..., None, None], np.nan, window.joints_m).astype(
        np.float32
    )
    window = dataclasses.replace(window, provenance=provenance, status=status, joints_m=joints)
    back = window_record([decode(encode(m)) for m in window_messages(window, "hall", STAMP)])  # type: ignore[misc]
    solved = status != SolveStatus.FAILED
    assert back.person_ids.tolist() == window.person_ids[solved].tolist()
    assert same(back.joints_m, joints[solved])


def test_person_who_is_not_finite_is_left_out_and_counted() -> None:
    window = walkers_window(3, 0, frames=4)
    pose = window.pose_rotvec.copy()
    pose[1, 2, 5, 0] = np.inf
    (message,) = window_messages(dataclasses.replace(window, pose_rotvec=pose), "hall", STAMP)
    assert message.quality["failed"] == 1
    assert window_record([message]).person_ids.tolist() == [1, 3]


@QUICK
@given(st.permutations([0, 1, 2]), st.data())
def test_applying_the_highest_revision_gives_the_same_in_any_order_and_number(
    order: list[int], data: st.DataObject
) -> None:
    repeats = data.draw(st.lists(st.sampled_from(order), max_size=4))
    rule, applied = HighestRevision(), {}
    for rev in [*order, *repeats]:
        window = walkers_window(2, 5, frames=2, rev=rev)
        for person in window.person_ids[rule.fresh(window)]:
            assert applied.get(int(person), -1) < rev  # nothing is applied twice or undone
            applied[int(person)] = rev
    assert applied == {1: 2, 2: 2}


@QUICK
@given(st.lists(st.binary(min_size=1, max_size=50), max_size=6), st.lists(st.integers(1, 40), max_size=30))
def test_no_cut_of_the_stream_gives_another_message(messages: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(framed(message) for message in messages)
    deframer, got, at = Deframer(), [], 0
    for step in [*cuts, len(stream) + 1]:
        got += deframer.feed(stream[at : at + step])
        assert got == messages[: len(got)]  # never half a message
        at += step
    assert got == messages
    assert not deframer.partial


@QUICK
@given(
    st.sampled_from(sorted(DTYPES)),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4),
    st.data(),
)
def test_arrays_of_every_type_and_shape_round_trip(
    name: str, shape: tuple[int, ...], data: st.DataObject
) -> None:
    array = data.draw(hnp.arrays(DTYPES[name], shape))
    back = unpack_map(pack_map({"a": array.T}))["a"]
    assert same(back, np.ascontiguousarray(array.T).reshape(array.T.shape))
    with pytest.raises(ValueError, match="read-only"):
        back[...] = 0  # type: ignore[index]


def test_big_endian_arrays_travel_as_little_endian() -> None:
    back = unpack_map(pack_map({"a": np.array([1.5, -2], ">f4")}))["a"]
    assert back.dtype == np.dtype("<f4") and back.tolist() == [1.5, -2]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "bad", [np.array(["x"]), np.array([None]), np.zeros(1, complex), np.zeros(1, "M8[s]"), {1, 2}]
)
def test_what_has_no_wire_form_is_refused_by_the_sender(bad: object) -> None:
    with pytest.raises(ProtocolError):
        pack_map({"a": bad})


def test_schema_round_trip() -> None:
    schema = walkers_schema()
    back = SiteSchema.from_body(unpack_map(pack_map(schema.to_body())))
    assert schema.to_body()["hash"] == back.to_body()["hash"]
    assert back.cameras[1].model is None
    assert back.cameras[0].model is not None and schema.cameras[0].model is not None
    assert_same_record(back.cameras[0].model, schema.cameras[0].model)
    assert back.ground is not None and schema.ground is not None
    for plane, want in zip(back.ground.planes, schema.ground.planes, strict=True):
        assert_same_record(plane, want)


def test_schema_hash_follows_the_facts() -> None:
    schema = walkers_schema()
    other = dataclasses.replace(schema, ground=None)
    assert schema.to_body()["hash"] == walkers_schema().to_body()["hash"] != other.to_body()["hash"]


@pytest.mark.parametrize("wrong", ["drop", "shape", "kind", "nan"])
def test_ill_formed_bodies_are_refused_with_the_field_named(wrong: str) -> None:
    message = live_message(walkers_frame(2, 1), "hall", STAMP)
    body = dict(message.body)
    match wrong:
        case "drop":
            del body["boxes_px"]
        case "shape":
            body["boxes_px"] = np.zeros((2, 5), np.float32)
        case "kind":
            body["boxes_px"] = np.zeros((2, 4), np.int32)
        case "nan":
            body["boxes_px"] = np.full((2, 4), np.nan, np.float32)
    with pytest.raises(ProtocolError, match=r"boxes_px|box"):
        live_record(dataclasses.replace(message, body=body))


def test_parts_of_two_windows_never_make_one() -> None:
    a = window_messages(walkers_window(40, 1), "hall", STAMP)
    b = window_messages(walkers_window(40, 2), "hall", STAMP)
    assert len(a) == len(b) == 2 and a[0].kind is Kind.DATA
    for parts in ([a[0], b[1]], [a[0]], [a[0], a[0]], []):
        with pytest.raises(ProtocolError):
            window_record(parts)


def test_unfinished_windows_are_given_up_oldest_first() -> None:
    assembler = WindowAssembler(max_open=3)
    firsts = [window_messages(walkers_window(40, w), "hall", STAMP) for w in range(5)]
    for parts in firsts:
        assert assembler.push(parts[0]) is None
    assert assembler.abandoned == 2
    assert assembler.push(firsts[0][1]) is None
    whole = assembler.push(firsts[4][1])
    assert isinstance(whole, WindowSolution) and whole.window == 4
