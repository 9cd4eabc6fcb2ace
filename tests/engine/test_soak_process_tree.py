"""What a tree of processes holds, read from outside."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crowdstream.lab.soak.meter import Meter
from crowdstream.lab.soak.process_tree import ProcessTree

PARENT = """
import mmap, os, subprocess, sys, threading, time
child = subprocess.Popen([sys.executable, "-S", "-c", "import sys; print('up', flush=True); sys.stdin.read()"],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
child.stdout.readline()
held = []
shm = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); os.ftruncate(shm, 4096); held.append(mmap.mmap(shm, 4096))
print(child.pid, flush=True)
for line in sys.stdin:
    held.append(bytearray(b"x") * (40 << 20))
    held.append(open(os.devnull))
    thread = threading.Thread(target=time.sleep, args=(1000,), daemon=True); thread.start()
    print("done", flush=True)
"""


class Family:
    """A parent with a child, a segment of shared memory, and an ear for `grow`."""

    def __init__(self, segment: Path) -> None:
        self.segment = segment
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", PARENT, str(segment)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline())
        self.tree = ProcessTree(self.process.pid)

    def grow(self) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("grow\n")
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self) -> None:
        self.tree.kill()
        self.process.communicate()
        self.segment.unlink(missing_ok=True)


@pytest.fixture
def family() -> Iterator[Family]:
    made = Family(Path(f"/dev/shm/crowdstream_test_{os.getpid()}"))
    yield made
    made.end()


def test_it_counts_what_is_held_and_no_more(family: Family) -> None:
    before = family.tree.holdings()
    family.grow()
    after = family.tree.holdings()
    assert before.processes == after.processes == 2
    assert after.threads == before.threads + 1
    assert after.fds == before.fds + 1
    assert 38.0 < after.rss_mb - before.rss_mb < 48.0 and 38.0 < after.pss_mb - before.pss_mb < 48.0
    assert 38.0 < after.own_mb - before.own_mb < 48.0 and after.own_mb <= after.pss_mb
    assert {m.pid for m in after.of} == {family.process.pid, family.child}
    assert sum(held.own_mb for held in after.of.values()) == pytest.approx(after.own_mb)
    assert sum(held.fds for held in after.of.values()) == after.fds
    assert sum(held.threads for held in after.of.values()) == after.threads
    assert after.pss_mb <= after.rss_mb  # a shared page is shared out, never counted twice
    assert after.segments == (str(family.segment),)


def test_a_child_whose_parent_was_killed_is_not_lost_sight_of(family: Family) -> None:
    os.kill(family.process.pid, signal.SIGKILL)
    family.process.wait()
    # its input ended with the parent: it goes by itself, and is seen until then
    deadline_s = time.monotonic() + 10.0
    while family.tree.left_over() and time.monotonic() < deadline_s:
        assert all(line.startswith(f"{family.child} ") for line in family.tree.left_over())
        time.sleep(0.02)
    assert family.tree.left_over() == []


def test_shared_memory_that_stays_is_told_by_name(family: Family) -> None:
    family.tree.holdings()
    assert family.tree.segments_left() == [str(family.segment)]
    family.tree.kill()
    family.process.wait()
    assert family.tree.segments_left() == [str(family.segment)]
    family.segment.unlink()
    assert family.tree.segments_left() == []


def test_named_finds_by_title_and_kill_ends_all(family: Family) -> None:
    assert family.tree.named(r"print\('up'") == sorted([family.process.pid, family.child])
    assert family.tree.named("nobody is called so") == []
    family.tree.kill()
    family.process.wait()
    deadline_s = time.monotonic() + 10.0
    while family.tree.left_over() and time.monotonic() < deadline_s:
        time.sleep(0.02)
    assert family.tree.left_over() == []


def test_the_meter_samples_until_its_end_and_sees_growth(family: Family) -> None:
    with Meter(family.tree, every_s=0.02) as meter:
        while len(meter.samples) < 5:
            time.sleep(0.01)
        family.grow()
        count = len(meter.samples)
        while len(meter.samples) < count + 5:
            time.sleep(0.01)
    assert meter.samples[-1].holds.fds == meter.samples[0].holds.fds + 1
    found = meter.growth("own_mb", 0.0)
    assert found is not None and found.high_per_s > 0.0
    taken = len(meter.samples)
    time.sleep(0.1)
    assert len(meter.samples) == taken


def test_who_comes_and_goes_is_not_of_those_that_stay(family: Family) -> None:
    with Meter(family.tree, every_s=0.02) as meter:
        while len(meter.samples) < 5:
            time.sleep(0.01)
        os.kill(family.child, signal.SIGKILL)
        count = len(meter.samples)
        while len(meter.samples) < count + 20:
            time.sleep(0.01)
    staying = meter.staying(0.0)
    assert len(staying) == len(meter.samples)
    assert [held.fds for _, held in staying] == [
        s.holds.of[next(iter(s.holds.of))].fds for s in meter.samples
    ]
    assert 0.0 < staying[0][1].own_mb < meter.samples[0].holds.own_mb
