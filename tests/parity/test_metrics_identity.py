"""Identity scores against the public `trackers` package, and against the numbers it gave where it is not there."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from crowdstream.kernels.metrics.identity import score_identity
from crowdstream.kernels.metrics.track_rows import TrackRows
from crowdstream.lab.bench.identity import byte_track, read_mot

GOLDEN = Path(__file__).parent.parent / "golden"
HELD: dict[str, dict[str, float]] = json.loads((GOLDEN / "identity" / "scores.json").read_text())
SAME = {"rel": 1e-9, "abs": 1e-12}
"""float64 sums in another order."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_identity", GOLDEN / "make_identity.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _ours(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return score_identity(_rows(found), _rows(truth), truth[:, 7] != 1).as_dict()


def _rows(mot: np.ndarray) -> TrackRows:
    boxes = np.concatenate([mot[:, 2:4], mot[:, 2:4] + mot[:, 4:6]], axis=1)
    return TrackRows(mot[:, 0].astype(np.int64), mot[:, 1].astype(np.int64), boxes)


@pytest.mark.parametrize("name", sorted(HELD))
def test_scores_are_those_the_public_package_gave(name: str, maker: ModuleType) -> None:
    assert _ours(*maker.read(name)) == pytest.approx(HELD[name], **SAME)


def test_the_package_still_gives_the_golden_numbers(maker: ModuleType) -> None:
    pytest.importorskip("trackers")
    for name, held in HELD.items():
        assert maker.public_scores(*maker.read(name)) == pytest.approx(held, **SAME)


@pytest.mark.parametrize("spread_px", [4.0, 15.0, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_random_crowds_agree_with_the_package(seed: int, spread_px: float, maker: ModuleType) -> None:
    pytest.importorskip("trackers")
    found, truth = maker.random_crowd(seed, people=15, frames=40, spread_px=spread_px)
    assert _ours(found, truth) == pytest.approx(maker.public_scores(found, truth), **SAME)


@pytest.mark.parametrize("seed", range(4))
def test_people_who_need_not_be_found_agree_with_the_package(seed: int, maker: ModuleType) -> None:
    pytest.importorskip("trackers")
    found, truth = maker.random_crowd(seed, people=15, frames=40, spread_px=120.0, hidden=0.3)
    assert _ours(found, truth) == pytest.approx(maker.public_scores(found, truth), **SAME)


@pytest.mark.data
def test_bytetrack_on_a_real_clip_agrees_with_the_package(data_dir: Path, maker: ModuleType) -> None:
    """Detections are the annotated boxes, shaken, a tenth of them missed."""
    pytest.importorskip("trackers")
    truth = read_mot(data_dir / "video" / "pets09_s2l1_a_gt.txt")[:, :8]
    truth[:, 6:8] = 1
    rng = np.random.default_rng(0)
    seen = np.full((len(truth), 10), -1.0)
    seen[:, :6] = truth[:, :6]
    seen[:, 2:6] += rng.normal(0.0, 0.06, (len(truth), 4)) * truth[:, [4, 5, 4, 5]]
    seen[:, 6] = rng.uniform(0.3, 1.0, len(truth))
    found = np.round(byte_track(seen[rng.random(len(truth)) > 0.1])[:, :8], 2)
    found[:, 6:8] = 1
    ours = _ours(found, np.round(truth, 2))
    assert ours == pytest.approx(maker.public_scores(found, truth), **SAME)
    assert ours["idf1"] > 0.3  # the clip and its truth belong together
