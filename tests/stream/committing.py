"""A small engine in a process of its own: commits, checkpoints, and goes on with what it finds. See test_commit_faults.

python committing.py LOG COUNT [MB]   publishes windows 0..COUNT-1, after each a checkpoint; says what it went on from.
                                      MB: the log is laid aside when so long
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from crowdstream.kernels.solve.problem import WindowSolution
from crowdstream.stream.checkpoint.faults import arm_from_environment
from crowdstream.stream.checkpoint.file import CheckpointFile
from crowdstream.stream.checkpoint.records import CameraCheckpoint, Checkpoint
from crowdstream.stream.identity import IdentityChange, IdentityEvent
from crowdstream.stream.records import ClockOrigin, TrackedFrame
from crowdstream.stream.wire.log_file import finish_laying_aside
from crowdstream.stream.wire.outlet import Outlet
from crowdstream.stream.wire.publish import PublishConfig, PublisherStage, SiteMemory
from crowdstream.stream.wire.resume import read_resume_point
from crowdstream.stream.wire.schema import SiteSchema

f = np.float32


def frame(index: int) -> TrackedFrame:
    """Two people in one frame."""
    return TrackedFrame(
        "hall", index, 1000 * index, ClockOrigin.FILE_PTS, (64, 48), np.arange(2), np.ones(2, bool), np.ones(2, bool),
        np.full((2, 4), index, f), np.ones(2, f), np.ones((2, 17, 2), f), np.ones((2, 17), f), np.zeros((2, 3)),
        np.zeros((2, 2, 2)), np.zeros((2, 2)),
    )  # fmt: skip


def window(number: int) -> WindowSolution:
    """Two people over four slots."""
    pose = np.random.default_rng(number).normal(size=(2, 4, 24, 3)).astype(f)
    return WindowSolution(
        number, 16 * number, 0, 0, np.arange(2), pose, np.zeros((2, 10), f), np.zeros((2, 4, 3), f),
        np.zeros((2, 4, 24, 3), f), np.zeros((2, 4, 3), f), np.ones((2, 4), f), np.ones((2, 4), np.uint8),
        np.zeros(2, f), np.zeros(2, np.uint8),
    )  # fmt: skip


def run(log: Path, count: int, file_mb: float = 0.0) -> None:
    """Publishes what is missing, in the order in which it would always be published."""
    file, start, seqs, clock_ns = CheckpointFile(log), 0, None, 0
    finish_laying_aside(log)
    if log.exists() and log.stat().st_size:
        point = read_resume_point(log)
        found = file.read(point.session or None, point.log_bytes)
        start, seqs = 0, {}
        if found is not None:
            start, seqs, clock_ns = (
                found.cameras["hall"].next_index,
                found.seqs,
                found.cameras["hall"].t_capture_ns,
            )
        print(f"from {start}, log {point.log_bytes}, windows {sum(s.windows for s in point.sites.values())}")
    config = PublishConfig(listen="", session="s1", clock="capture", append=True, log_file_mb=file_mb)
    outlet = Outlet(config, log, goes_on_from=seqs)
    outlet.start(["hall"])
    stage = PublisherStage(config, "hall", SiteSchema("hall", ()), outlet=outlet)
    stage.recall(SiteMemory(clock_ns))
    stage.start()
    for k in range(start, count):
        stage.push_live(frame(k))
        if k % 2:
            stage.push_identity(IdentityEvent(IdentityChange.MERGE, 50 + k, 1, 1, 5, 1, 2, 0.9))
        stage.push_window(window(k), {"person_ids": np.arange(2)})
        assert outlet.log is not None
        outlet.log.sync()
        camera = CameraCheckpoint(k + 1, 1000 * k, site=b"tracks " * 200)
        file.write(Checkpoint("0", "", "s1", outlet.log_bytes, dict(outlet.seq), {"hall": camera}))
    print(f"not recorded {outlet.not_recorded}, checkpoints refused {file.stats.failed}")
    outlet.stop()


if __name__ == "__main__":
    arm_from_environment()
    run(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else 0.0)
