"""A worker brings only what it works with: what it imports is there in a second or two, after a death too.

torch alone takes two seconds and 200 MB to import, in every process that does.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "numba", "sklearn")


@pytest.mark.parametrize(
    "module",
    [
        "configs.schema", "actors.preflight", "actors.cluster", "actors.camera", "actors.perception",
        "actors.tracking", "actors.publisher",
    ],
)  # fmt: skip
def test_no_network_library_where_no_network_is_run_by_it(module: str) -> None:
    script = f"import sys, crowdstream.{module}; print(*[name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == []
