"""An engine that was killed goes on with its log: in the end it is the log of a run that nothing happened to."""

from __future__ import annotations

import sys
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from crowdstream.actors.engine import run_engine
from crowdstream.actors.place_here import Here
from crowdstream.actors.plan import EnginePlan
from crowdstream.actors.runtime import Progress, RunHooks
from crowdstream.actors.supervisor import Supervisor
from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.stream.checkpoint.file import CheckpointFile
from crowdstream.stream.errors import LogError
from crowdstream.stream.wire.codec import decode
from crowdstream.stream.wire.ledger import before_of
from crowdstream.stream.wire.log import LogReader
from crowdstream.stream.wire.log_file import laid_aside

sys.path.insert(0, str(Path(__file__).parent))
import crowd

sys.path.pop(0)

FRAMES = 100


class Killed(BaseException):
    """Stands for kill -9: nothing is salvaged, nothing is stopped."""


class Mortal(Supervisor):
    """Leaves everything as a killed process does."""

    def _salvage(self) -> None: ...

    def _stop(self) -> None: ...


def plan_of(folder: Path, *settings: str, resume: bool = False) -> EnginePlan:
    seconds = f"source.seconds={FRAMES / 30}"
    plan = crowd.make_plan(
        folder, "inline", seconds, "runtime.checkpoint_s=0.01", *settings, *crowd.FORGETFUL
    )
    return replace(plan, resume=resume)


def run_until(plan: EnginePlan, frames: int) -> None:
    """Run, and be killed when so many frames are out."""

    def progress(now: Progress) -> None:
        if now.frames >= frames:
            raise Killed

    with pytest.raises(Killed):
        Mortal(plan, RunHooks(progress=progress), crowd.HIDING, Here()).run()


def topics_of(log: Path) -> dict[str, list[bytes]]:
    topics: dict[str, list[bytes]] = defaultdict(list)
    for path in [*laid_aside(log), log]:
        for record in LogReader(path).records():
            for data in record.messages if before_of(record) is None else ():
                topics[decode(data).topic].append(data)
    topics.pop("status", None)
    return dict(topics)


def assert_same(found: dict[str, list[bytes]], expected: dict[str, list[bytes]]) -> None:
    assert sorted(found) == sorted(expected)
    assert [topic for topic in found if found[topic] != expected[topic]] == []


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[bytes]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    run_engine(plan_of(folder), workers=crowd.HIDING)
    return topics_of(folder / "run.cslog")


@pytest.mark.parametrize(
    ("kills", "settings"), [((96,), ()), ((7, 31, 80), ()), ((7, 31, 80), ("publish.log_file_mb=0.2",))]
)
def test_killed_anywhere_it_ends_in_the_same_log(
    tmp_path: Path, undisturbed: dict[str, list[bytes]], kills: tuple[int, ...], settings: tuple[str, ...]
) -> None:
    for at, frames in enumerate(kills):
        # frames are counted from where a run went on
        run_until(plan_of(tmp_path, *settings, resume=at > 0), frames if at == 0 else 20)
    figures = run_engine(plan_of(tmp_path, *settings, resume=True), workers=crowd.HIDING)
    assert_same(topics_of(tmp_path / "run.cslog"), undisturbed)
    assert (len(laid_aside(tmp_path / "run.cslog")) > 3) == bool(settings)
    assert figures["frames"] <= FRAMES  # of this run and, where there was a checkpoint, those before it


@pytest.mark.parametrize("damage", ["flipped", "both"])
def test_without_a_sound_checkpoint_it_starts_over_and_still_ends_in_the_same_log(
    tmp_path: Path, undisturbed: dict[str, list[bytes]], damage: str
) -> None:
    run_until(plan_of(tmp_path), 60)
    file = CheckpointFile(tmp_path / "run.cslog")
    assert file.path.exists() and file.previous.exists()
    data = file.path.read_bytes()
    log = tmp_path / "run.cslog"
    log.write_bytes(log.read_bytes()[:-7])  # and the last record was cut short
    file.path.write_bytes(data[:99] + bytes([data[99] ^ 1]) + data[100:])
    if damage == "both":
        file.previous.write_bytes(b"nothing of the kind")
    run_engine(plan_of(tmp_path, resume=True), workers=crowd.HIDING)
    assert_same(topics_of(tmp_path / "run.cslog"), undisturbed)


def test_a_run_that_was_stopped_goes_on_with_numbers_above_all_in_the_log(tmp_path: Path) -> None:
    seen: list[int] = []
    hooks = RunHooks(progress=lambda now: seen.append(now.frames), stop_asked=lambda: len(seen) >= 50)
    first = run_engine(plan_of(tmp_path), hooks, crowd.HIDING)
    before = topics_of(tmp_path / "run.cslog")
    second = run_engine(plan_of(tmp_path, resume=True), workers=crowd.HIDING)
    after = topics_of(tmp_path / "run.cslog")
    assert first["frames"] + second["frames"] == FRAMES
    messages: list[Any] = [decode(data) for data in after["live.crowd"]]
    assert [m.seq for m in messages] == list(range(1, FRAMES + 1))
    assert [m.body["index"] for m in messages] == list(range(FRAMES))
    people = [set(m.body["person_ids"].tolist()) for m in messages]
    split = len(before["live.crowd"])
    assert max(set().union(*people[:split])) < min(set().union(*people[split:]))
    windows: list[Any] = [decode(data) for data in after["window.crowd"]]
    old, new = windows[: len(before["window.crowd"])], windows[len(before["window.crowd"]) :]
    assert max(m.window for m in old) < min(m.window for m in new)


def test_other_settings_are_refused_for_a_recording(tmp_path: Path) -> None:
    run_until(plan_of(tmp_path), 60)
    with pytest.raises(CrowdstreamError, match="other settings"):
        run_engine(plan_of(tmp_path, "window.min_confidence=0.3", resume=True), workers=crowd.HIDING)


def test_there_must_be_a_log(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="no log"):
        run_engine(plan_of(tmp_path, resume=True), workers=crowd.HIDING)
