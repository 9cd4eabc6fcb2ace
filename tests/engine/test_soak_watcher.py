"""What a subscriber makes of the health reports it hears."""

from __future__ import annotations

import pytest

from crowdstream.lab.soak.watcher import PhaseChange, first_change, phases_of
from crowdstream.stream.health.records import CameraHealth

TOLD = [(0.0, "starting"), (2.0, "running"), (4.0, "running"), (9.0, "stalled"), (11.0, "reconnecting"),
        (13.0, "reconnecting"), (20.0, "running")]  # fmt: skip
CHANGES = phases_of([(at_s, CameraHealth("yard", phase, phase[:1])) for at_s, phase in TOLD])


def test_a_phase_is_noted_when_it_was_first_told() -> None:
    assert CHANGES == [
        PhaseChange(0.0, "starting", "s"), PhaseChange(2.0, "running", "r"), PhaseChange(9.0, "stalled", "s"),
        PhaseChange(11.0, "reconnecting", "r"), PhaseChange(20.0, "running", "r"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("after_s", "phases", "seconds"),
    [
        (5.0, ("stalled", "reconnecting"), 4.0),
        (10.0, ("stalled", "reconnecting"), 0.0),
        (10.0, ("running",), 10.0),
        (21.0, ("stalled",), None),
        (25.0, ("running",), 0.0),
    ],
)
def test_how_long_until_it_was_told(after_s: float, phases: tuple[str, ...], seconds: float | None) -> None:
    assert first_change(CHANGES, after_s, phases) == seconds
