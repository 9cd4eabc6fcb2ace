"""Down after pressure that lasts, up after spare time that lasts, and tries that fail become rare."""

from __future__ import annotations

import pytest

from crowdstream.stream.pressure.climb import Climb, Press
from crowdstream.stream.pressure.config import PressureConfig

S = 1_000_000_000
CONFIG = PressureConfig(hold_down_s=1.0, hold_up_s=4.0, trial_s=30.0, back_off_s=60.0)


class Walk:
    """A climb under a clock of its own, ten looks a second."""

    def __init__(self, rungs: int = 4) -> None:
        self.climb, self.now_ns = Climb(CONFIG, rungs), 0
        self.climb.step(Press.BETWEEN, 0)

    def until_moved(self, press: Press, at_most_s: float = 300.0) -> float:
        """Seconds until the rung changes."""
        start_ns = self.now_ns
        while self.now_ns < start_ns + at_most_s * S:
            self.now_ns += S // 10
            if self.climb.step(press, self.now_ns):
                return (self.now_ns - start_ns) / S
        return float("inf")

    def hold(self, press: Press, seconds: float) -> int:
        """The level after so long."""
        for _ in range(round(seconds * 10)):
            self.now_ns += S // 10
            self.climb.step(press, self.now_ns)
        return self.climb.level


def test_both_ways_take_as_long_as_the_settings_say() -> None:
    walk = Walk()
    assert walk.until_moved(Press.PRESSED) == pytest.approx(1.0, abs=0.11) and walk.climb.level == 1
    assert walk.until_moved(Press.SPARE) == pytest.approx(4.0, abs=0.11) and walk.climb.level == 0


def test_neither_end_is_passed() -> None:
    walk = Walk(rungs=3)
    assert walk.hold(Press.SPARE, 100.0) == 0
    assert walk.hold(Press.PRESSED, 100.0) == 2
    assert Walk(rungs=1).hold(Press.PRESSED, 10.0) == 0


@pytest.mark.parametrize(("pressed", "of", "moves"), [(2, 10, False), (5, 10, False), (7, 10, True)])
def test_pressure_for_most_of_the_time_counts_and_for_less_does_not(
    pressed: int, of: int, moves: bool
) -> None:
    walk = Walk()
    for k in range(600):
        walk.hold(Press.PRESSED if k % of < pressed else Press.BETWEEN, 0.1)
    assert (walk.climb.level > 0) is moves


def test_neither_silence_nor_the_middle_gives_a_rung_back() -> None:
    for press in (Press.SILENT, Press.BETWEEN):
        walk = Walk()
        walk.until_moved(Press.PRESSED)
        assert walk.hold(press, 600.0) == 1


def test_a_try_that_fails_makes_the_next_one_wait_twice_as_long_up_to_a_bound() -> None:
    walk = Walk()
    walk.until_moved(Press.PRESSED)
    waits = []
    for _ in range(7):
        waits.append(walk.until_moved(Press.SPARE))
        walk.until_moved(Press.PRESSED)
    assert waits == pytest.approx([4, 8, 16, 32, 60, 60, 60], abs=0.2)


def test_a_try_that_holds_is_forgiven_step_by_step() -> None:
    walk = Walk()
    walk.until_moved(Press.PRESSED)
    for _ in range(3):  # three tries that fail
        walk.until_moved(Press.SPARE)
        walk.until_moved(Press.PRESSED)
    assert walk.climb.wait_s == 32.0
    walk.until_moved(Press.SPARE)
    walk.hold(Press.BETWEEN, 61.0)  # the rung holds for two trials
    walk.until_moved(Press.PRESSED)
    assert walk.climb.wait_s == 8.0


def test_what_is_lost_only_after_the_trial_was_no_failure() -> None:
    walk = Walk()
    for _ in range(5):
        walk.until_moved(Press.PRESSED)
        assert walk.until_moved(Press.SPARE) == pytest.approx(4.0, abs=0.11)
        walk.hold(Press.BETWEEN, 31.0)


def test_a_clock_that_steps_back_harms_nothing() -> None:
    walk = Walk()
    walk.until_moved(Press.PRESSED)
    walk.now_ns -= 3600 * S
    assert walk.until_moved(Press.SPARE) == pytest.approx(4.0, abs=0.2)
