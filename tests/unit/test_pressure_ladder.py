"""The ladder on made-up engines: it finds the rung that keeps up, comes back, and stands still between."""

from __future__ import annotations

import itertools

import pytest
from pydantic import ValidationError

from crowdstream.stream.pressure.config import PressureConfig
from crowdstream.stream.pressure.ladder import Ladder
from crowdstream.stream.pressure.policies import DropOldest, Wait
from crowdstream.stream.pressure.records import FULL_EFFORT, Effort, Load
from crowdstream.stream.pressure.rungs import frame_rungs, window_rungs
from tests.pressure_plant import Plant, S, bursts, steady

CONFIG = PressureConfig()
IDLE = Load(frames=0.0, windows=0.0, age_s=0.0, dropped=0)
JAMMED = Load(frames=1.0, windows=0.0, age_s=0.5, dropped=3)
"""Frames wait, windows do not."""


def _by_level(full_s: float, saves: float = 0.85) -> object:
    """Each rung takes `saves` of the time of the one above."""
    return lambda effort: full_s * saves**effort.level


def _feed(ladder: Ladder, load: Load, seconds: float, start_s: float = 0.0, every_s: float = 0.25) -> Effort:
    effort = ladder.effort
    for k in range(round(seconds / every_s) + 1):
        effort = ladder.step(load, round((start_s + k * every_s) * S))
    return effort


def test_rungs_give_up_one_thing_after_the_other_and_never_take_one_back() -> None:
    for rungs in (frame_rungs(CONFIG), window_rungs(CONFIG)):
        assert rungs[0].effort == FULL_EFFORT and [r.effort.level for r in rungs] == list(range(len(rungs)))
        for above, below in itertools.pairwise(rungs):
            a, b = above.effort, below.effort
            assert b.detect_stride >= a.detect_stride and b.pose_rate <= a.pose_rate
            assert b.solve_iterations <= a.solve_iterations and b.refine <= a.refine
            assert (b.pose_budget or 0) <= (a.pose_budget or 10**6) or a.pose_budget is None
            assert below.text


def test_the_order_is_the_documented_one() -> None:
    efforts = [rung.effort for rung in frame_rungs(CONFIG)]
    assert not efforts[1].refine and efforts[1].pose_rate == 1.0
    assert [e.pose_rate for e in efforts[2:4]] == [0.5, 0.33] and efforts[3].detect_stride == 1
    assert efforts[3].solve_iterations == 1.0 and efforts[4].solve_iterations == 0.34
    assert [e.detect_stride for e in efforts[4:8]] == [1, 2, 3, 4] and efforts[7].pose_budget is None
    assert [e.pose_budget for e in efforts[8:]] == [24, 12]


def test_pressure_that_lasts_costs_one_rung_after_the_other_down_to_the_last() -> None:
    ladder = Ladder(CONFIG)
    assert _feed(ladder, JAMMED, 0.75).level == 0
    assert _feed(ladder, JAMMED, 0.25, 1.0).level == 1
    assert _feed(ladder, JAMMED, 60.0, 1.25) == frame_rungs(CONFIG)[-1].effort


def test_waiting_windows_cost_only_what_the_solver_uses() -> None:
    ladder = Ladder(CONFIG)
    effort = _feed(ladder, Load(0.0, 1.0, 0.0, 2, dropped_windows=2), 60.0)
    assert (effort.detect_stride, effort.pose_rate, effort.pose_budget) == (1, 1.0, None)
    assert effort.solve_iterations == 0.34 and not effort.refine
    assert ladder.why.startswith("windows wait")


def test_every_change_has_a_reason_in_words() -> None:
    ladder = Ladder(CONFIG)
    assert ladder.why == "" and ladder.changes == 0
    _feed(ladder, JAMMED, 2.0)
    assert "frames wait" in ladder.why and "100%" in ladder.why and "dropped" in ladder.why
    assert "poses at 50%" in ladder.why and ladder.changes == 2
    _feed(ladder, IDLE, 6.0, 2.25)
    assert "time to spare" in ladder.why and "no longer poses at 50% of their rate" in ladder.why


def test_it_comes_back_to_everything_by_itself() -> None:
    ladder = Ladder(CONFIG)
    _feed(ladder, JAMMED, 60.0)
    assert _feed(ladder, IDLE, 60.0, 60.25) == FULL_EFFORT


def test_no_cameras_are_no_time_to_spare() -> None:
    ladder = Ladder(CONFIG)
    level = _feed(ladder, JAMMED, 3.0).level
    silence = Load(0.0, 0.0, 0.0, 0, arrived=0)
    assert level > 0 and _feed(ladder, silence, 600.0, 3.25).level == level
    assert _feed(ladder, IDLE, 60.0, 604.0).level == 0


def test_a_slow_camera_is_not_silence() -> None:
    ladder = Ladder(CONFIG)
    _feed(ladder, JAMMED, 3.0)
    for k in range(240):  # a frame a second, four looks a second
        ladder.step(Load(0.0, 0.0, 0.0, 0, arrived=int(k % 4 == 0)), round((3.25 + k / 4) * S))
    assert ladder.effort.level == 0


def test_switched_off_it_asks_for_everything() -> None:
    assert _feed(Ladder(PressureConfig(enabled=False)), JAMMED, 60.0) == FULL_EFFORT


def test_a_long_time_without_looking_counts_as_one_look() -> None:
    ladder = Ladder(PressureConfig(hold_down_s=3.0))
    ladder.step(JAMMED, 0)
    assert ladder.step(JAMMED, 3600 * S).level == 0
    assert ladder.step(JAMMED, -5 * S).level == 0  # nor does a clock that steps back


@pytest.mark.parametrize("slow", [1.3, 2.0, 4.0])
def test_it_finds_the_highest_rung_that_keeps_up(slow: float) -> None:
    fps, saves = 25.0, 0.8
    plant = Plant(Ladder(CONFIG), _by_level(slow / fps, saves))  # type: ignore[arg-type]
    plant.run(600.0, steady(fps))
    enough = next(level for level in range(99) if slow * saves**level < 1.0)
    levels = plant.levels_after(120.0)
    assert set(levels) <= {enough - 1, enough, enough + 1}
    assert sum(level == enough for level in levels) / len(levels) > 0.85


def test_when_the_load_goes_everything_comes_back() -> None:
    plant = Plant(Ladder(CONFIG), _by_level(0.1))  # type: ignore[arg-type]
    plant.run(300.0, steady(25.0))
    assert plant.ladder.effort.level >= 5
    plant.frame_cost_s = lambda effort: 0.01
    plant.run(CONFIG.back_off_s + 9 * CONFIG.hold_up_s + 5.0, steady(25.0))
    assert plant.ladder.effort == FULL_EFFORT
    assert plant.changes_between(500.0, 1e9) == 0


def test_a_slow_stage_live_keeps_the_newest_result_fresh() -> None:
    """streaming.md 3b, no. 10: a stage at a quarter of the rate. Age of the newest result <= 0.5 s + one window."""
    fps = 25.0
    plant = Plant(Ladder(CONFIG), _by_level(4.0 / fps))  # type: ignore[arg-type]
    plant.run(300.0, steady(fps))
    assert max(age for _, age in plant.ages_s) <= 0.5 + 64 / 30
    settled = [age for t_ns, age in plant.ages_s if t_ns > 30 * S]
    assert sorted(settled)[len(settled) // 2] < 0.1  # and mostly it is far fresher
    assert plant.sent == plant.done + len(plant.buffer) + plant.buffer.dropped


def test_a_stage_that_no_rung_makes_fast_enough_still_gives_fresh_results() -> None:
    plant = Plant(Ladder(CONFIG), lambda effort: 0.3)
    plant.run(120.0, steady(25.0))
    assert plant.ladder.effort == frame_rungs(CONFIG)[-1].effort
    assert max(age for _, age in plant.ages_s) <= 0.5 + 0.3 + 1e-6 and plant.done > 120 / 0.3 * 0.95


def test_a_slow_stage_on_a_recording_loses_nothing() -> None:
    plant = Plant(Ladder(PressureConfig(enabled=False)), lambda effort: 0.16, policy=Wait())
    plant.run(300.0, steady(25.0))
    assert plant.buffer.dropped == 0 and plant.sent == plant.done + len(plant.buffer)
    assert plant.done == pytest.approx(300 / 0.16, abs=2)


@pytest.mark.parametrize("cost_s", [0.01, 0.02, 0.026])
def test_bursts_move_nothing_and_lose_nothing(cost_s: float) -> None:
    """streaming.md 3b, no. 9: a pause of 500 ms, then 15 frames at once, every other second."""
    plant = Plant(Ladder(CONFIG), lambda effort: cost_s, policy=DropOldest(0.5))
    plant.run(300.0, bursts(30.0))
    assert plant.ladder.changes == 0
    assert plant.buffer.dropped == 0 and plant.sent == plant.done + len(plant.buffer)


def test_bursts_too_large_for_the_buffer_are_counted_exactly() -> None:
    plant = Plant(Ladder(CONFIG), lambda effort: 0.02, capacity=8)
    plant.run(60.0, bursts(30.0))
    assert plant.buffer.dropped == plant.sent - plant.done - len(plant.buffer) > 0
    assert plant.ladder.changes == 0  # a larger buffer would help; less work would not


def test_a_camera_that_sends_bursts_does_not_keep_the_engine_down() -> None:
    plant = Plant(Ladder(CONFIG), _by_level(0.1))  # type: ignore[arg-type]
    plant.run(60.0, bursts(30.0))
    assert plant.ladder.effort.level > 3
    plant.frame_cost_s = lambda effort: 0.02
    plant.run(600.0, bursts(30.0))
    assert plant.ladder.effort == FULL_EFFORT


def test_a_slow_solver_costs_steps_and_not_detections() -> None:
    plant = Plant(Ladder(CONFIG), lambda effort: 0.01, lambda effort: 0.8 * effort.solve_iterations)
    plant.run(300.0, steady(25.0))
    effort = plant.ladder.effort
    assert effort.solve_iterations == 0.34 and effort.detect_stride == 1 and effort.pose_rate == 1.0
    before = plant.windows_policy.dropped
    plant.run(20.0, steady(25.0))
    assert plant.windows_policy.dropped == before


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"low": 0.8}, "not below high"),
        ({"hold_up_s": 200.0}, "shorter than hold_up_s"),
        ({"pose_rates": (0.3, 0.5)}, "pose_rates"),
        ({"detect_strides": (4, 2)}, "detect_strides"),
        ({"pose_budgets": (12, 12)}, "pose_budgets"),
        ({"solve_iterations": (1.5,)}, "less than 1"),
        ({"detect_strides": (1,)}, "greater than or equal to 2"),
    ],
)
def test_rungs_that_do_not_descend_are_refused(settings: dict[str, object], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        PressureConfig(**settings)  # type: ignore[arg-type]


def test_a_ladder_without_rungs_stays_where_it_is() -> None:
    bare = PressureConfig(
        pause_refining=False, pose_rates=(), detect_strides=(), solve_iterations=(), pose_budgets=()
    )
    assert _feed(Ladder(bare), JAMMED, 60.0) == FULL_EFFORT
