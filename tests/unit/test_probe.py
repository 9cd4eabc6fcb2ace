"""The probe survives whatever TensorRT does to the process that asks."""

from __future__ import annotations

import sys

import pytest

from crowdstream.stream.inference.probe import ask


def _python(code: str) -> tuple[str, ...]:
    return (sys.executable, "-S", "-c", code)


def test_a_good_answer_is_read() -> None:
    verdict = ask(_python('print(\'{"tensorrt":"11.4","cuda":"13.0","gpu":"X","capability":"9.0"}\')'), 20)
    assert verdict.usable and verdict.gpu == "X" and verdict.reason == ""


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("import os; os.abort()", "signal 6"),
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("print('hello')", "could not be read"),
        ("", "could not be read"),
        ("import time; time.sleep(30)", "did not answer"),
    ],
)
def test_every_failure_is_a_reason(code: str, part: str) -> None:
    verdict = ask(_python(code), 0.5 if "sleep" in code else 20)
    assert not verdict.usable and part in verdict.reason


def test_a_missing_interpreter_is_a_reason() -> None:
    assert "could not be started" in ask(("/nonexistent/python",), 1).reason
