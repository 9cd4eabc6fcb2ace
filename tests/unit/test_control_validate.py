"""Requests: exactly what a verb takes, or a refusal that says what was expected and repeats no value."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.control.records import Verb
from crowdstream.stream.control.validate import MOST_CHARACTERS, VERB_ARGS, check_args, check_verb, usage
from crowdstream.stream.errors import ControlError

GOOD: dict[Verb, list[dict[str, object]]] = {
    Verb.STATUS: [{}],
    Verb.STOP: [{}],
    Verb.ADD_CAMERA: [
        {"camera": "gate", "source": "rtsp://u:p@10.0.0.7/s"},
        {"camera": "gate-2.b", "source": "0", "calibration": "gate.json", "role": "tracks"},
    ],
    Verb.REMOVE_CAMERA: [{"camera": "0"}],
    Verb.PAUSE_CAMERA: [{"camera": "gate"}],
    Verb.RESUME_CAMERA: [{"camera": "gate"}],
    Verb.SET_OPTION: [
        {"key": "solve.iterations", "value": v} for v in (3, 0.5, True, "text", [1, 2.5, "a"], -(2**62))
    ],
    Verb.RELOAD_CALIBRATION: [{"camera": "gate"}, {"camera": "gate", "calibration": "a b.json"}],
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("verb", Verb)
def test_what_a_verb_takes_is_handed_on_unchanged(verb: Verb) -> None:
    assert VERB_ARGS.keys() == set(Verb) == GOOD.keys()
    for args in GOOD[verb]:
        assert check_args(check_verb(verb.value), args) == args
    assert usage(verb).startswith(verb.value)


@pytest.mark.parametrize("verb", Verb)
def test_one_argument_more_or_less_is_refused_with_the_usage(verb: Verb) -> None:
    args = GOOD[verb][0]
    with pytest.raises(ControlError, match="unknown argument 'colour'"):
        check_args(verb, {**args, "colour": "red"})
    for name in args:
        with pytest.raises(ControlError, match=f"{name} is missing"):
            check_args(verb, {k: v for k, v in args.items() if k != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("camera", ""), ("camera", "a/b"), ("camera", "../etc"), ("camera", "x" * 65), ("camera", "a b"),
        ("camera", "gate\n"), ("camera", 7), ("camera", None), ("camera", "-x"), ("camera", ["gate"]),
        ("source", ""), ("source", "  "), ("source", "rtsp://a\r\nb"), ("source", "x" * (MOST_CHARACTERS + 1)),
        ("source", b"x"), ("role", "boss"), ("role", True), ("calibration", {"a": 1}),
    ],
)  # fmt: skip
def test_values_of_other_types_or_sizes_are_refused_by_name(name: str, value: object) -> None:
    args = {"camera": "gate", "source": "file.mp4", name: value}
    with pytest.raises(ControlError, match=rf"add_camera: {name} is .*, expected"):
        check_args(Verb.ADD_CAMERA, args)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, None, {}, [[1]], [math.nan], [None], [1] * 65, 2**63, "a\x00b", b"x"]
)
def test_settings_take_plain_values_only(value: object) -> None:
    with pytest.raises(ControlError, match="value is"):
        check_args(Verb.SET_OPTION, {"key": "solve.iterations", "value": value})


@pytest.mark.parametrize("key", ["solve", "Solve.iterations", "solve..x", "a." * 9 + "b", "solve.__class__"])
def test_a_setting_is_a_stage_and_a_key(key: str) -> None:
    with pytest.raises(ControlError, match="key is text"):
        check_args(Verb.SET_OPTION, {"key": key, "value": 1})


def test_a_refusal_never_repeats_what_may_hold_a_password() -> None:
    for args in (
        {"camera": "gate", "source": "rtsp://u:hunter2@host/\n"},
        {"camera": "hunter2 x", "source": "a"},
        {"camera": "gate", "source": ["hunter2"]},
    ):
        with pytest.raises(ControlError) as caught:
            check_args(Verb.ADD_CAMERA, args)
        assert "hunter2" not in str(caught.value)


@settings(max_examples=60, deadline=None)
@given(ANYTHING, ANYTHING)
def test_whatever_comes_is_understood_or_refused_and_nothing_else(verb: object, args: object) -> None:
    try:
        check_verb(verb)
    except ControlError as exc:
        assert len(str(exc)) < 400
    for known in Verb:
        try:
            taken = check_args(known, args)
        except ControlError as exc:
            assert len(str(exc)) < 600
        else:
            assert taken == args and taken.keys() <= VERB_ARGS[known].keys()
