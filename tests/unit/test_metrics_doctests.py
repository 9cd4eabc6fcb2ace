"""Every public function of the metrics shows a case computed by hand, and the case is right."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
from types import ModuleType

import pytest

import crowdstream.kernels.metrics as package

MODULES = [f"{package.__name__}.{found.name}" for found in pkgutil.iter_modules(package.__path__)]
SHOWN_IN_FULL = [
    f"{package.__name__}.{name}"
    for name in (
        "alignment", "author", "completeness", "corrected", "depth_order", "examples", "foot_sliding", "matching",
        "motion", "oks", "placement", "pose", "record", "selection", "trajectory",
    )
]  # fmt: skip
"""Modules of placement, pose and motion: each of their functions is an equation and shows a case."""


def _owned(module: ModuleType) -> dict[str, object]:
    """Public functions and classes that the module itself defines."""
    return {
        name: thing
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isroutine(thing) or inspect.isclass(thing))
        and getattr(thing, "__module__", None) == module.__name__
    }


def _examples(name: str, thing: object, module: ModuleType) -> list[doctest.DocTest]:
    # the shape checker wraps functions, so that doctest's own search takes them for another module's
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [t for t in finder.find(thing, name, False, globs=vars(module).copy()) if t.examples]


@pytest.mark.parametrize("name", MODULES)
def test_examples_are_right(name: str) -> None:
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.REPORT_NDIFF)
    for key, thing in _owned(module).items():
        for case in _examples(key, thing, module):
            report: list[str] = []
            outcome = runner.run(case, out=report.append)
            assert outcome.failed == 0, "".join(report)


@pytest.mark.parametrize("name", SHOWN_IN_FULL)
def test_every_public_function_has_an_example(name: str) -> None:
    module = importlib.import_module(name)
    bare = [
        key
        for key, thing in _owned(module).items()
        if inspect.isroutine(thing) and not _examples(key, thing, module)
    ]
    assert bare == []
