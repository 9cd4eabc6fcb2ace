"""The perception worker and frames whose memory is gone: of a live camera counted, of a recording never left out."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from crowdstream.actors.perception import PerceptionWorker
from crowdstream.actors.plan import SourceInfo
from crowdstream.configs.array import CameraRole
from crowdstream.stream.records import ClockOrigin, Frame, Observation, PixelFormat
from crowdstream.stream.ring import FrameRing, RingError, SlotToken


class Stage:
    """Sees nobody, and says which frames it was shown."""

    def __init__(self) -> None:
        self.shown: list[int] = []

    def step_many(self, frames: Sequence[Frame]) -> list[Observation]:
        self.shown += [frame.index for frame in frames]
        return [
            Observation.not_looked_at(f.camera, f.index, f.t_capture_ns, f.clock, f.size_px, "shown")
            for f in frames
        ]


def worker(live: bool) -> tuple[PerceptionWorker, Stage]:
    perception = SimpleNamespace(threads=2)
    plan = SimpleNamespace(config=SimpleNamespace(perception=perception), calibration_of=lambda info: None)
    made = PerceptionWorker(plan)  # type: ignore[arg-type]
    stage = Stage()
    made._stage = stage  # type: ignore[assignment]
    made.open(SourceInfo("hall", (64, 48), 25.0, 0, None, CameraRole.BODIES, live=live))
    return made, stage


def write(ring: FrameRing, index: int) -> SlotToken:
    image = np.zeros((72, 64), np.uint8)
    token = ring.write(Frame("hall", index, index, ClockOrigin.HOST, image, PixelFormat.I420, (64, 48)))
    assert token is not None
    return token


def test_frames_of_a_live_camera_whose_decoder_died_are_counted_and_keep_their_place() -> None:
    made, stage = worker(live=True)
    with FrameRing(72 * 64, num_slots=4) as gone:
        first = [write(gone, index) for index in range(3)]
    with FrameRing(72 * 64, num_slots=4) as ring:
        seen = made.step([*first, write(ring, 3)])
    assert [o.index for o in seen] == [0, 1, 2, 3] and stage.shown == [3]
    assert [o.drops for o in seen] == [{"ring_gone": 1}] * 3 + [{"shown": 1}]
    assert not any(o.detected or len(o.boxes_px) for o in seen[:3])


def test_a_frame_of_a_recording_is_never_left_out() -> None:
    made, _ = worker(live=False)
    with FrameRing(72 * 64, num_slots=4) as gone:
        token = write(gone, 0)
    with pytest.raises(RingError):
        made.step([token])
