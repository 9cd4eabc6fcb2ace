"""What every test shares: where the real clips are, and fixed thread counts."""

from __future__ import annotations

import os
from pathlib import Path

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "2")

import pytest

ROOT = Path(__file__).resolve().parent.parent


def _data_root() -> Path:
    given = os.environ.get("CROWDSTREAM_TEST_DATA")
    return Path(given) if given else ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """Folder with video/, models/ and mocap/; the test is skipped where there is none."""
    root = _data_root()
    if not (root / "video").is_dir():
        pytest.skip(f"no test data at {root}; set CROWDSTREAM_TEST_DATA to a folder with video/ and models/")
    return root


@pytest.fixture(scope="session")
def models_dir(data_dir: Path) -> Path:
    """Folder with the development networks (ONNX)."""
    if not (data_dir / "models").is_dir():
        pytest.skip(f"no networks at {data_dir / 'models'}")
    return data_dir / "models"
