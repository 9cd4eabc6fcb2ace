"""What the soak of absent cameras makes of what it is told."""

from __future__ import annotations

from crowdstream.lab.soak.absent import counted
from crowdstream.stream.sources.live.records import CameraPhase, CameraState, SourceFault


def told(camera: str, phase: CameraPhase, attempt: int) -> str:
    return str(CameraState(camera, phase, 0, SourceFault.REFUSED, "nobody listens (try 7)", attempt, 0.05))


def test_tries_are_counted_as_the_engine_words_them() -> None:
    said = [
        told("gate", CameraPhase.STARTING, 0),
        *(told("gate", CameraPhase.RECONNECTING, n) for n in (1, 2, 3)),
        told("hall", CameraPhase.RECONNECTING, 12),
        told("yard", CameraPhase.FAILED, 40),
    ]
    assert counted(said) == {"gate": 3, "hall": 12}
