"""The frame ring: the same bytes on the other side, bounded, and honest about what is lost."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crowdstream.stream.records import ClockOrigin, Frame, PixelFormat
from crowdstream.stream.ring import FrameRing, RingError, RingReader, SlotToken, sweep

SHM = Path("/dev/shm")


def frame(index: int, shape: tuple[int, ...] = (72, 64)) -> Frame:
    image = np.random.default_rng(index).integers(0, 256, shape, dtype=np.uint8)
    return Frame("hall", index, index * 40_000_000, ClockOrigin.FILE_PTS, image, PixelFormat.I420, (64, 48))


def write(ring: FrameRing, index: int) -> SlotToken:
    token = ring.write(frame(index))
    assert token is not None
    return token


def test_the_reader_sees_the_writers_bytes_without_a_copy() -> None:
    with FrameRing(72 * 64, num_slots=3) as ring:
        reader = RingReader()
        token = write(ring, 5)
        seen = reader.view(token)
        np.testing.assert_array_equal(seen.image, frame(5).image)
        assert (seen.camera, seen.index, seen.t_capture_ns) == ("hall", 5, 200_000_000)
        assert (seen.format, seen.size_px, seen.clock) == (PixelFormat.I420, (64, 48), ClockOrigin.FILE_PTS)
        assert not seen.image.flags.owndata and not seen.image.flags.writeable
        assert np.shares_memory(seen.image, reader.view(token).image)
        reader.close()


def test_a_full_ring_refuses_and_counts() -> None:
    with FrameRing(72 * 64, num_slots=2) as ring:
        reader = RingReader()
        first, second = write(ring, 0), write(ring, 1)
        assert ring.write(frame(2)) is None
        assert (ring.stats.full, ring.in_use) == (1, 2)
        assert reader.view(second).index == 1 and reader.release(second)
        third = write(ring, 2)
        np.testing.assert_array_equal(reader.view(first).image, frame(0).image)  # never overwritten
        np.testing.assert_array_equal(reader.view(third).image, frame(2).image)
        assert ring.write(frame(3, (73, 64))) is None and ring.stats.oversize == 1


def test_a_token_is_good_once() -> None:
    with FrameRing(72 * 64, num_slots=1) as ring:
        reader = RingReader()
        token = write(ring, 0)
        with reader.frame(token) as seen:
            assert seen.index == 0
        assert not reader.release(token)
        newer = write(ring, 1)
        with pytest.raises(RingError, match="taken back"):
            reader.view(token)
        assert not reader.release(token)  # ... nor does it free what another holds
        assert ring.in_use == 1 and reader.view(newer).index == 1


def test_slots_of_a_dead_reader_come_back_and_its_tokens_are_stale() -> None:
    with FrameRing(72 * 64, num_slots=2) as ring:
        tokens = [write(ring, i) for i in range(2)]
        reader = RingReader()
        reader.view(tokens[0])
        assert ring.reclaim() == 2 and ring.in_use == 0
        assert not reader.release(tokens[0])
        write(ring, 2)
        for token in tokens:
            with pytest.raises(RingError, match="taken back"):
                RingReader().view(token)


def test_a_ring_that_is_gone_says_so() -> None:
    ring = FrameRing(72 * 64)
    reader, token = RingReader(), write(ring, 0)
    seen = reader.view(token)
    ring.close()
    ring.close()
    np.testing.assert_array_equal(seen.image, frame(0).image)  # the mapping outlives the name
    with pytest.raises(RingError, match="is gone"):
        RingReader().view(token)
    with pytest.raises(RingError, match="is closed"):
        ring.write(frame(1))
    assert not (SHM / ring.name).exists()


def test_the_ring_of_a_decoder_that_follows_another_takes_its_place() -> None:
    """A camera that flaps for months must not leave a ring mapped for every time it came back."""
    reader = RingReader()
    with FrameRing(72 * 64, num_slots=3) as other:
        beside = SlotToken(**{**vars(write(other, 0)), "camera": "yard"})
        assert reader.view(beside).camera == "yard"
        for turn in range(20):
            with FrameRing(72 * 64, num_slots=3) as ring:
                token = write(ring, turn)
                held = reader.view(token).image
                assert reader.mapped == sorted([ring.name, other.name])
            np.testing.assert_array_equal(held, frame(turn).image)  # a view outlives its ring
        reader.forget_camera("hall")
        reader.forget_camera("nobody")
        assert reader.mapped == [other.name] and reader.release(beside)


def test_a_token_that_does_not_fit_is_refused() -> None:
    with FrameRing(72 * 64, num_slots=1) as ring:
        token = write(ring, 0)
        wrong = pickle.loads(pickle.dumps(token))
        assert wrong == token
        for name, value in (("slot", 7), ("slot", -1), ("shape", (72, 6400))):
            forged = SlotToken(**{**token.__dict__, name: value})
            with pytest.raises(RingError, match="not in ring"):
                RingReader().view(forged)


@given(st.lists(st.booleans(), max_size=60), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_no_slot_is_ever_shared(writes: list[bool], num_slots: int) -> None:
    with FrameRing(72 * 64, num_slots=num_slots) as ring:
        reader, held = RingReader(), []
        for index, is_write in enumerate(writes):
            if is_write:
                token = ring.write(frame(index))
                assert (token is None) == (len(held) == num_slots)
                held += [token] if token else []
            elif held:
                assert reader.release(held.pop(index % len(held)))
            assert len({t.slot for t in held}) == len(held) == ring.in_use
            for token in held:
                np.testing.assert_array_equal(reader.view(token).image, frame(token.index).image)


READER = """
import pickle, sys, zlib
from crowdstream.stream.ring import RingReader
reader = RingReader()
while True:
    size = int.from_bytes(sys.stdin.buffer.read(4), "little")
    if not size:
        break
    token = pickle.loads(sys.stdin.buffer.read(size))
    with reader.frame(token) as frame:
        print(token.index, zlib.crc32(frame.image.tobytes()), flush=True)
"""


def run_python(code: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONWARNINGS": "error"},
    )


def test_frames_reach_another_process_and_the_ring_survives_it() -> None:
    import zlib

    with FrameRing(72 * 64, num_slots=3) as ring, run_python(READER) as child:
        assert child.stdin and child.stdout and child.stderr
        for index in range(50):
            data = pickle.dumps(write(ring, index))
            child.stdin.write(len(data).to_bytes(4, "little") + data)
            child.stdin.flush()
            wanted = f"{index} {zlib.crc32(frame(index).image.tobytes())}"
            assert child.stdout.readline().decode().strip() == wanted
        child.stdin.write(bytes(4))
        child.stdin.flush()
        assert child.wait(30) == 0
        assert child.stderr.read() == b""  # no noise from the resource tracker
        assert ring.in_use == 0 and (SHM / ring.name).exists()  # a reader that ends unlinks nothing
        assert RingReader().view(write(ring, 50)).index == 50


@pytest.mark.skipif(not SHM.is_dir(), reason="rings are swept on Linux only")
def test_the_ring_of_a_killed_creator_is_swept_and_a_living_one_is_not() -> None:
    code = """
        import sys
        from multiprocessing import resource_tracker
        resource_tracker.register = lambda *args: None  # killed together with its tracker
        from crowdstream.stream.ring import FrameRing
        ring = FrameRing(4096)
        print(ring.name, flush=True)
        sys.stdin.read()
    """
    with FrameRing(4096) as alive, run_python(code) as child:
        assert child.stdout
        name = child.stdout.readline().decode().strip()
        assert name not in sweep() and (SHM / name).exists()
        child.kill()
        child.wait(30)
        assert name in sweep()
        assert not (SHM / name).exists() and (SHM / alive.name).exists()
