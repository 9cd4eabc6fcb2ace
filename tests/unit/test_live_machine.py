"""The states of a live camera: what follows what, and when it is tried again."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.sources.live.backoff import Backoff
from crowdstream.stream.sources.live.config import LiveConfig
from crowdstream.stream.sources.live.faults import SLOW
from crowdstream.stream.sources.live.machine import Act, CameraMachine
from crowdstream.stream.sources.live.records import CameraPhase, SourceFault

P = CameraPhase
CONFIG = LiveConfig(stall_s=10, open_timeout_s=10, stuck_s=5, kill_grace_s=2)


def machine(config: LiveConfig = CONFIG) -> CameraMachine:
    m = CameraMachine("gate", config, 0)
    assert m.tick(0.0) is Act.START and m.tick(0.0) is None
    return m


def beats(m: CameraMachine, start_s: float, end_s: float) -> list[tuple[float, Act]]:
    """Lets time pass with a sign of life every second; what was to be done."""
    acts, now_s = [], start_s
    while now_s <= end_s:
        m.on_beat(now_s, 0)
        act = m.tick(now_s)
        if act is not None:
            acts.append((now_s, act))
        now_s += 1.0
    return acts


def phases(m: CameraMachine) -> list[CameraPhase]:
    return [state.phase for state in m.changes()]


def test_frames_make_a_camera_run_and_silence_stalls_it() -> None:
    m = machine()
    m.on_opened(1.0)
    m.on_frame(1.5)
    assert phases(m) == [P.STARTING, P.RUNNING]
    assert beats(m, 2, 20)[0] == (12.0, Act.END)  # ten seconds after the frame
    assert [(s.phase, s.fault) for s in m.changes()] == [
        (P.STALLED, SourceFault.SILENT),
        (P.RECONNECTING, SourceFault.SILENT),
    ]


def test_a_pause_before_a_key_picture_is_no_stall() -> None:
    m = machine(CONFIG.model_copy(update={"stall_s": 1.0}))
    for now_s in (1.0, 1.5, 2.0, 2.5):  # half a second each time
        m.on_frame(now_s)
        m.on_beat(now_s, 0)
        assert m.tick(now_s + 0.49) is None
    assert m.running


def test_a_process_is_not_replaced_before_it_is_gone() -> None:
    m = machine()
    m.on_frame(1.0)
    m.on_lost(2.0, SourceFault.CLOSED, "ended")
    assert m.tick(1000.0) is Act.KILL  # it was to leave by itself, and did not
    assert m.tick(2000.0) is None
    m.on_exit(2000.0, "was killed")
    assert m.tick(2000.0) is Act.START


def test_a_process_that_gives_no_sign_of_life_is_killed_at_once() -> None:
    m = machine()
    m.on_beat(1.0, 0)
    m.on_frame(1.0)
    assert m.tick(5.9) is None
    assert m.tick(6.0) is Act.KILL
    assert m.state.fault is SourceFault.DECODER_DIED and P.STALLED in phases(m)


def test_a_camera_that_takes_the_connection_and_sends_nothing_is_a_timeout() -> None:
    m = machine()
    m.on_beat(1.0, 0)
    m.on_opened(3.0)
    acts = beats(m, 3.0, 30.0)
    assert acts[0] == (13.0, Act.END)
    assert m.state.fault is SourceFault.TIMEOUT
    m = machine()
    m.on_lost(12.0, SourceFault.SILENT, "nothing")
    assert m.state.fault is SourceFault.TIMEOUT  # there were no frames that could have stopped


def test_noise_instead_of_frames_is_told_from_silence() -> None:
    m = machine()
    m.on_frame(1.0)
    for now_s in range(2, 12):
        m.on_beat(float(now_s), 10 * now_s)
        m.tick(float(now_s))
    assert m.state.fault is SourceFault.BROKEN


def test_losses_count_up_until_a_frame_comes() -> None:
    m = machine()
    now_s = 0.0
    for attempt in range(1, 6):
        m.on_lost(now_s, SourceFault.REFUSED, "nobody listens")
        assert m.state.attempt == attempt
        m.on_exit(now_s, "ended")
        assert m.tick(now_s + 0.999 * m.state.next_try_s) is None
        now_s += m.state.next_try_s + 0.01
        assert m.tick(now_s) is Act.START
    m.on_frame(now_s)
    assert (m.state.phase, m.state.attempt, m.state.fault, m.reconnects) == (P.RUNNING, 0, None, 0)
    m.on_lost(now_s + 1, SourceFault.CLOSED, "ended")
    assert m.state.attempt == 1
    m.on_exit(now_s + 1, "ended")
    now_s += 60
    m.tick(now_s)
    m.on_frame(now_s)
    assert m.reconnects == 1


def test_giving_up_is_for_good_until_an_operator_says_otherwise() -> None:
    m = machine(CONFIG.model_copy(update={"give_up_after": 1}))
    for now_s in (1.0, 100.0):
        m.on_lost(now_s, SourceFault.REFUSED, "nobody listens")
        m.on_exit(now_s, "ended")
        m.tick(now_s + 99)
    assert m.state.phase is P.FAILED and "given up" in m.state.text
    assert m.tick(1e9) is None
    m.resume(2e9)
    assert m.tick(2e9) is Act.START and m.state.phase is P.STARTING


def test_pause_and_resume() -> None:
    m = machine()
    m.on_frame(1.0)
    assert m.pause(2.0) is Act.END
    m.on_frame(2.1)  # was on its way
    m.on_lost(2.2, SourceFault.CLOSED, "ended")
    m.on_exit(2.2, "ended with status 0")
    assert m.state.phase is P.PAUSED and m.tick(1e6) is None
    m.resume(1e6)
    assert m.tick(1e6) is Act.START
    m.on_frame(1e6 + 1)
    assert m.running


def test_resumed_while_the_old_process_is_still_leaving() -> None:
    m = machine()
    m.on_frame(1.0)
    m.pause(2.0)
    m.resume(2.1)
    assert m.tick(2.2) is None  # one connection at a time
    m.on_exit(2.5, "ended")
    assert m.tick(2.5) is Act.START


def test_the_end_of_a_recording_is_no_fault() -> None:
    m = machine()
    m.on_frame(1.0)
    m.on_ended(5.0)
    m.on_exit(5.0, "ended with status 0")
    assert m.state.phase is P.ENDED and m.state.fault is None and m.tick(1e9) is None


def test_changes_are_bounded() -> None:
    m = machine()
    for i in range(1000):
        m.on_lost(float(i), SourceFault.REFUSED, str(i))
        m.on_exit(float(i), "ended")
        m.tick(1e6 + i)
    said = m.changes()
    assert 10 < len(said) <= 64 and said[-1].text == "999" and m.changes() == []


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(list(SourceFault)), st.text(max_size=8))
def test_waits_double_within_their_bounds(fault: SourceFault, name: str) -> None:
    config = LiveConfig()
    backoff, again = Backoff(config, name), Backoff(config, name)
    waits = [backoff.next_s(fault, 0.0) for _ in range(60)]
    assert waits == [again.next_s(fault, 0.0) for _ in range(60)]  # seeded
    low, high = 1 - config.backoff_jitter, 1 + config.backoff_jitter
    for i, wait_s in enumerate(waits):
        base_s = min(config.backoff_max_s, config.backoff_first_s * 2**i)
        if fault in SLOW:
            base_s = max(base_s, config.slow_backoff_s)
        assert low * base_s <= wait_s <= high * base_s
    if fault not in SLOW:
        assert all(b > a for a, b in pairwise(waits[:4]))


def test_only_health_that_lasts_starts_the_waits_over() -> None:
    backoff = Backoff(LiveConfig(backoff_jitter=0.0), "gate")
    waits = [backoff.next_s(SourceFault.CLOSED, healthy_s) for healthy_s in (0.0, 2.0, 29.0, 30.0, 0.0)]
    assert waits == [1.0, 2.0, 4.0, 1.0, 2.0]


def test_waits_count_from_try_to_try() -> None:
    """A camera that answers nothing is not tried less often than one that refuses at once."""
    config = LiveConfig(backoff_jitter=0.0)
    m = CameraMachine("gate", config, 0)
    begins, now_s = [], 0.0
    for _ in range(8):
        while m.tick(now_s) is not Act.START:
            now_s += 0.25
        begins.append(now_s)
        now_s += config.open_timeout_s  # it hangs
        m.on_lost(now_s, SourceFault.TIMEOUT, "no answer")
        m.on_exit(now_s, "ended")
    gaps = [b - a for a, b in pairwise(begins)]
    longest_s = max(config.open_timeout_s + config.backoff_first_s, config.backoff_max_s)
    assert all(config.open_timeout_s < gap <= longest_s for gap in gaps)


def test_cameras_lost_together_do_not_come_back_together() -> None:
    waits = {Backoff(LiveConfig(), f"cam{i}").next_s(SourceFault.CLOSED, 0.0) for i in range(16)}
    assert len(waits) == 16 and max(waits) - min(waits) > 0.2


@pytest.mark.parametrize(
    "changes", [{"ring_slots": 16}, {"backoff_jitter": 1.0}, {"stall_s": 0}, {"transport": "x"}]
)
def test_settings_are_checked(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        LiveConfig.model_validate(changes)
