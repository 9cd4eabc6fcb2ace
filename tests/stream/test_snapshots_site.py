"""A site that goes on from a snapshot gives what it would have given: through calibration, joins, gaps and the end."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace

import numpy as np
import pytest

from crowdstream.lab.scripted_crowd import ScriptedCrowd
from crowdstream.stream.calibrate import CalibrateConfig
from crowdstream.stream.calibration_file import Calibration
from crowdstream.stream.errors import CheckpointError
from crowdstream.stream.identity import IdentityChange
from crowdstream.stream.records import Observation
from crowdstream.stream.site import SiteOutput, SiteStage
from crowdstream.stream.stitch.config import StitchConfig
from crowdstream.stream.track_config import TrackConfig
from crowdstream.stream.windows import WindowConfig

RATE = 10
CROWD = ScriptedCrowd(people=5, frames=52, fps=RATE)
GIVEN = Calibration(CROWD.camera, CROWD.ground, "file")
OWN = CalibrateConfig(
    min_uprights=20, min_people=3, person_gap_s=0.1, settle_s=1.0, max_focal_share=0.9, max_normal_deg=30.0,
    max_height_share=0.9, bootstrap_samples=8, sure_focal_share=0.0,
)  # fmt: skip
"""Content with little: a first estimate after a second, taken one second later."""
FORGETFUL = TrackConfig(forget_s=0.3, wait_s=0.3, bridge_s=0.25, coast_s=0.1)


def observation(index: int, shift_ns: int = 0) -> Observation:
    """Everybody is hidden for 0.7 s now and then."""
    seen = CROWD.observation(index, "cam", shift_ns + round(index * 1e9 / RATE))
    rows = np.array([(index + 7 * k) % 35 > 6 for k in range(CROWD.people)])
    names = ("boxes_px", "scores", "keypoints_px", "confidence", "posed")
    return replace(seen, **{name: getattr(seen, name)[rows] for name in names})


OBSERVATIONS = [observation(k) for k in range(CROWD.frames)]


def site(calibration: Calibration | None = GIVEN, camera: str = "cam", size_px=CROWD.size_px) -> SiteStage:
    return SiteStage(
        camera, size_px, FORGETFUL, OWN, WindowConfig(), calibration, StitchConfig(accept=0.6, decide_s=0.3)
    )


def same(one: object, other: object) -> bool:
    """Bit for bit, types and all."""
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))
    if isinstance(one, tuple | list):
        return len(one) == len(other) and all(map(same, one, other))  # type: ignore[arg-type]
    return one == other


def through(stage: SiteStage, every: int = 0, calibration: Calibration | None = None) -> list[SiteOutput]:
    """The whole run; with `every`, each so many steps a fresh stage takes over."""
    out = []
    for place, seen in enumerate(OBSERVATIONS):
        if every and place % every == every - 1:
            snapshot, stage = stage.snapshot(), site(calibration)
            stage.restore(snapshot)
        out.append(stage.step(seen))
    if every:
        snapshot, stage = stage.snapshot(), site(calibration)
        stage.restore(snapshot)
    return [*out, stage.finish()]


@pytest.fixture(scope="module")
def given() -> list[SiteOutput]:
    return through(site())


@pytest.fixture(scope="module")
def learnt() -> list[SiteOutput]:
    return through(site(None))


def test_the_run_has_what_a_snapshot_can_lose(given: list[SiteOutput], learnt: list[SiteOutput]) -> None:
    joins = [event.change for output in given for event in output.identity]
    assert IdentityChange.MERGE in joins
    assert sum(len(output.problems) for output in given) >= 4
    assert any(output.late for output in given[:-1])
    when = [place for place, output in enumerate(learnt) if output.calibration is not None]
    notes = [note.kind for output in learnt for note in output.notes]
    assert when and 15 < when[0] < CROWD.frames - 1
    assert "calibrating" in notes


def test_successors_give_what_one_site_gives(given: list[SiteOutput]) -> None:
    for place, (one, other) in enumerate(zip(given, through(site(), 2, GIVEN), strict=True)):
        assert same(one, other), place


def test_successors_learn_the_camera_that_one_site_learns(learnt: list[SiteOutput]) -> None:
    for place, (one, other) in enumerate(zip(learnt, through(site(None), 3), strict=True)):
        assert same(one, other), place


def test_a_successor_without_calibration_takes_that_of_the_snapshot() -> None:
    first = site()
    for seen in OBSERVATIONS[:20]:
        first.step(seen)
    second = site(None)
    second.restore(first.snapshot())
    assert same(first.step(OBSERVATIONS[20]), second.step(OBSERVATIONS[20]))
    assert second.calibration_text == first.calibration_text


def test_taking_a_snapshot_changes_nothing_and_is_repeatable(given: list[SiteOutput]) -> None:
    stage = site()
    for seen, want in zip(OBSERVATIONS[:20], given[:20], strict=True):
        assert same(stage.step(seen), want)
        snapshot = stage.snapshot()
    assert stage.snapshot() == snapshot
    other = site()
    other.restore(snapshot)
    assert other.snapshot() == snapshot


def test_a_snapshot_of_another_camera_or_size_changes_nothing() -> None:
    first = site()
    first.step(OBSERVATIONS[0])
    for stage in (site(camera="gate"), site(None, size_px=(1280, 720))):
        before = stage.snapshot()
        with pytest.raises(CheckpointError, match="camera 'cam'"):
            stage.restore(first.snapshot())
        assert stage.snapshot() == before


def test_who_was_away_uses_no_number_again_and_keeps_the_calibration(given: list[SiteOutput]) -> None:
    stage = site(None)
    first = site()
    for seen in OBSERVATIONS[:24]:
        first.step(seen)
    stage.restore(first.snapshot())
    stage.move_on(next_window=11, next_person=40)
    outputs = [stage.step(observation(k, shift_ns=-(10**12))) for k in range(30)] + [stage.finish()]
    windows = [p.window for output in outputs for p in output.problems]
    people = {int(i) for output in outputs for f in output.tracked for i in f.person_ids}
    assert (
        windows == sorted(windows) and windows[0] == 16
    )  # 11 windows reach to slot 224, the next segment is 256
    assert min(people) == 40
    assert {int(i) for output in outputs for p in output.problems for i in p.person_ids} <= people
    assert all(
        o.tracked[0].position_m.size == 0 or np.isfinite(o.tracked[0].position_m).all() for o in outputs[:-1]
    )
    assert not any(event.previous < 40 for output in outputs for event in output.identity)
    assert not any(index < 40 for o in outputs for f in o.late for index in f.person_ids)


def test_a_clock_that_steps_back_loses_no_window_and_no_frame() -> None:
    stage = site()
    outputs = [stage.step(seen) for seen in OBSERVATIONS[:27]]
    between = stage.new_timeline()
    after = [stage.step(observation(k, shift_ns=-(10**12))) for k in range(27)] + [stage.finish()]
    windows = [p.window for output in (*outputs, between, *after) for p in output.problems]
    assert windows == [0, 1, 8, 9]  # slots 0 to 78 are windows 0 and 1; the next segment begins at slot 128
    slots = [p.slot0 for output in after for p in output.problems]
    assert slots == [128, 144]
    before = {int(i) for output in outputs for f in output.tracked for i in f.person_ids}
    later = {int(i) for output in after for f in output.tracked for i in f.person_ids}
    assert later and not before & later
    assert not any(output.tracked[0].drops.get("track_late") for output in after[:-1])
    assert all(len(output.tracked[0].person_ids) for output in after[:-1])


def test_closed_windows_that_wait_for_a_calibration_survive_a_clock_step() -> None:
    stage = site(None)
    early = [stage.step(seen) for seen in OBSERVATIONS[:8]] + [stage.new_timeline()]
    assert not any(output.problems for output in early)
    outputs = [stage.step(observation(k, shift_ns=-(10**12))) for k in range(45)] + [stage.finish()]
    windows = [p.window for output in outputs for p in output.problems]
    assert windows[0] == 0 and windows == sorted(set(windows))
