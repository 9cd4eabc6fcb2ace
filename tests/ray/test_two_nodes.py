"""An engine over two Ray nodes; one of them is killed in the midst of two recordings, and the log does not show it."""

from __future__ import annotations

import importlib.util
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from crowdstream.actors.engine import run_engine
from crowdstream.configs.array import CameraEntry
from crowdstream.lab.soak.process_tree import ProcessTree
from crowdstream.lab.soak.same_log import compare, digest
from crowdstream.lab.soak.two_nodes import NoSecondNode, TwoNodes

pytest.importorskip(
    "crowdstream.actors.supervisor", reason="one camera an engine: nothing to spread over nodes"
)

pytestmark = [
    pytest.mark.ray,
    pytest.mark.slow,
    pytest.mark.skipif(
        os.environ.get("CROWDSTREAM_SLOW_TESTS") != "1", reason="takes minutes; set CROWDSTREAM_SLOW_TESTS=1"
    ),
    pytest.mark.timeout(900),  # a dozen processes, each importing torch, on two cores that others use as well
]

CROWD = Path(__file__).resolve().parents[1] / "engine" / "crowd.py"
QUICK = ("solve.lifter=false", "solve.motion_prior=false", "refine.enabled=false")
HALFWAY = 100
"""Frames of both recordings together, of 260."""

DRIVER = """
import importlib.util, sys
from dataclasses import replace
from pathlib import Path
spec = importlib.util.spec_from_file_location("crowd", sys.argv[1])
crowd = importlib.util.module_from_spec(spec); sys.modules["crowd"] = crowd; spec.loader.exec_module(crowd)
from ray import cloudpickle
cloudpickle.register_pickle_by_value(crowd)
from crowdstream.actors.engine import run_engine
from crowdstream.actors.runtime import RunHooks
from crowdstream.configs.array import CameraEntry
settings = ("runtime.crews=2", "runtime.speed=1.0", "runtime.restarts=20", f"runtime.ray_address='{sys.argv[3]}'")
plan = crowd.make_plan(Path(sys.argv[2]), "ray", *settings, *sys.argv[4:], log="two.cslog")
plan = replace(plan, array=tuple(CameraEntry(n, plan.source, plan.calibration) for n in ("left", "right")))
told = []
def progress(p):
    if p.frames >= 100 and not told:
        told.append(True); print("halfway", flush=True)
summary = run_engine(plan, RunHooks(progress=progress), crowd.SCRIPTED)
print("frames", summary["frames"], flush=True)
"""


@pytest.fixture(scope="module")
def crowd() -> ModuleType:
    spec = importlib.util.spec_from_file_location("crowd", CROWD)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["crowd"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def two() -> Iterator[TwoNodes]:
    # not pytest's own folder: sockets are made in it, and their paths must be short
    with tempfile.TemporaryDirectory(prefix="cs") as folder:
        try:
            nodes = TwoNodes(Path(folder))
        except NoSecondNode as exc:
            pytest.skip(str(exc))
        with nodes:
            yield nodes


def line_within(process: subprocess.Popen[str], seconds: float) -> str:
    """The next line it says; empty when it says none, or has ended."""
    assert process.stdout is not None
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        ready = waiting.select(seconds)
    return process.stdout.readline().strip() if ready else ""


def test_a_node_that_is_killed_is_not_missed_in_the_log(
    tmp_path: Path, crowd: ModuleType, two: TwoNodes
) -> None:
    plan = crowd.make_plan(tmp_path, "inline", *QUICK, log="one.cslog")
    names = ("left", "right")
    plan = replace(plan, array=tuple(CameraEntry(name, plan.source, plan.calibration) for name in names))
    undisturbed = run_engine(plan, workers=crowd.SCRIPTED)
    assert undisturbed["frames"] == 2 * crowd.CROWD.frames
    errors = (tmp_path / "driver.err").open("w+")
    driver = subprocess.Popen(
        [*two.head.prefix, sys.executable, "-P", "-c", DRIVER, str(CROWD), str(tmp_path), two.address, *QUICK],
        stdout=subprocess.PIPE, stderr=errors, text=True, env={**os.environ, **two.environment},
    )  # fmt: skip
    tree = ProcessTree(driver.pid)
    try:
        with errors:
            said = line_within(driver, 400.0)
            errors.seek(0)
            assert said == "halfway", errors.read()[-2000:]
            assert two.other.workers(), "the second crew is not on the second node"
            two.other.kill()
            said = line_within(driver, 400.0)
            errors.seek(0)
            assert said == f"frames {undisturbed['frames']}", errors.read()[-2000:]
            assert driver.wait(60.0) == 0
    finally:
        tree.kill()
        driver.communicate()
    found = compare(digest(tmp_path / "one.cslog"), digest(tmp_path / "two.cslog"))
    assert found.equal, found


def test_a_wrong_token_does_not_get_in(two: TwoNodes) -> None:
    join = f"import ray; ray.init(address='{two.address}', log_to_driver=False)"
    begin_s = time.monotonic()
    refused = subprocess.run(
        [*two.head.prefix, sys.executable, "-P", "-c", join], capture_output=True, text=True, timeout=120,
        env={**os.environ, **two.environment, "RAY_AUTH_TOKEN": "0" * 64}, check=False,
    )  # fmt: skip
    assert refused.returncode != 0 and "ConnectionError" in refused.stderr
    assert time.monotonic() - begin_s < 100.0
