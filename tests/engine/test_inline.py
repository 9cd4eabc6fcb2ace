"""The whole way through one process: what goes in comes out, where it is, once, and again the same."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.actors.engine import run_engine
from crowdstream.actors.runtime import RunHooks
from crowdstream.kernels.solve.problem import Provenance, WindowSolution
from crowdstream.stream.wire.codec import decode
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.messages import Tier, tier_of
from crowdstream.stream.wire.tiers import WindowAssembler, live_record

sys.path.insert(0, str(Path(__file__).parent))
from crowd import CROWD, SCRIPTED, make_plan, write_video

sys.path.pop(0)


def windows_of(log: Path) -> list[WindowSolution]:
    """Every window of a log, parts put together."""
    assembler = WindowAssembler()
    found = [assembler.push(m) for m in LogReader(log).messages() if tier_of(m.topic) is Tier.WINDOW]
    return [w for w in found if w is not None]


def topics_of(log: Path) -> dict[str, list[bytes]]:
    """Message bytes by topic, in order."""
    topics: dict[str, list[bytes]] = defaultdict(list)
    for record in LogReader(log).records():
        for data in record.messages:
            topics[decode(data).topic].append(data)
    return dict(topics)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("inline")


@pytest.fixture(scope="module")
def summary(folder: Path) -> dict[str, object]:
    return run_engine(make_plan(folder, "inline"), workers=SCRIPTED)


def test_the_summary_counts_what_happened(summary: dict[str, object]) -> None:
    assert summary["frames"] == CROWD.frames
    assert summary["people_max"] == CROWD.people == summary["tracks"]
    assert summary["person_frames"] == CROWD.people * CROWD.frames
    # slots 0..129: windows 0..4 are whole, the tail is covered by a partial one
    assert summary["windows"] == 6
    assert summary["drops"] == {}
    assert set(summary["latency_ms"]) == {"live", "window"}  # type: ignore[call-overload]
    for key in ("people_mean", "elapsed_s", "realtime_factor", "stage_seconds"):
        assert key in summary


def test_everybody_is_where_they_are(folder: Path, summary: dict[str, object]) -> None:
    """Feet of the script against ground points of the windows: the truth is exact, the pixels are not."""
    errors = []
    for window in windows_of(folder / "run.cslog"):
        truth = np.stack(
            [CROWD.position_m(window.slot0 + t) for t in range(window.provenance.shape[1])], axis=1
        )
        for row in range(len(window.person_ids)):
            here = window.provenance[row] != Provenance.ABSENT
            distance = np.linalg.norm(window.ground_m[row, here, :2] - truth[:, here, :2], axis=2)
            errors.append(distance.mean(axis=1).min())  # ids are the tracker's own: the nearest walker it is
    assert len(errors) > 4 * CROWD.people
    assert np.median(errors) < 0.10 and max(errors) < 0.40


def test_identities_last(folder: Path, summary: dict[str, object]) -> None:
    ids = [set(live_record(m).person_ids.tolist()) for m in LogReader(folder / "run.cslog").messages()
           if tier_of(m.topic) is Tier.LIVE]  # fmt: skip
    assert len(set.union(*ids)) == CROWD.people
    assert all(len(each) == CROWD.people for each in ids[10:])


def test_the_same_replay_gives_the_same_bytes(folder: Path, summary: dict[str, object]) -> None:
    run_engine(make_plan(folder, "inline", log="again.cslog"), workers=SCRIPTED)
    assert (folder / "again.cslog").read_bytes() == (folder / "run.cslog").read_bytes()


def test_without_a_calibration_it_finds_its_own_and_loses_no_window(folder: Path) -> None:
    plan = make_plan(folder, "inline", "calibrate.min_uprights=40", "calibrate.max_focal_share=1.0",
                     "calibrate.max_height_share=1.0", "calibrate.max_normal_deg=30",
                     log="self.cslog", calibrated=False)  # fmt: skip
    notes: list[str] = []
    found = run_engine(plan, RunHooks(note=notes.append), SCRIPTED)
    assert any(note.startswith("calibrated") for note in notes), notes
    assert found["windows"] == 6
    assert windows_of(folder / "self.cslog")[0].slot0 == 0


def test_asked_to_stop_it_commits_the_window_at_hand(folder: Path) -> None:
    seen: list[int] = []
    hooks = RunHooks(progress=lambda p: seen.append(p.frames), stop_asked=lambda: len(seen) >= 70)
    found = run_engine(make_plan(folder, "inline", log="stopped.cslog"), hooks, SCRIPTED)
    assert 70 <= found["frames"] <= 72
    last = windows_of(folder / "stopped.cslog")[-1]
    assert (last.provenance[:, : 70 - last.slot0] != Provenance.ABSENT).all()


def test_a_truncated_video_is_used_as_far_as_it_goes(folder: Path) -> None:
    whole = write_video(folder / "whole.avi")
    short = folder / "short.avi"
    short.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    plan = replace(make_plan(folder, "inline", log="short.cslog"), source=str(short))
    found = run_engine(plan, workers=SCRIPTED)
    assert 20 < found["frames"] < CROWD.frames
    assert found["windows"] >= 1
