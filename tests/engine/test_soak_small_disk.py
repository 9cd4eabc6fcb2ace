"""The disk that is full on command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from crowdstream.lab.soak.small_disk import SmallDisk

WRITER = """
import os, sys
file = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT)
print("up", flush=True)
at = 0
for line in sys.stdin:
    try:
        at += os.pwrite(file, bytes(int(line)), at)
        print("ok", flush=True)
    except OSError as exc:
        print(exc.errno, flush=True)
"""


@pytest.mark.parametrize("real", [True, False])
def test_full_it_takes_no_more_and_cleared_it_does(tmp_path: Path, real: bool) -> None:
    with SmallDisk(tmp_path) as disk:
        if real and not disk.real:
            pytest.skip("mounting is not allowed here")
        if not real:
            disk.close()  # and stand with the limit alone
        log = disk.folder / "log"
        with subprocess.Popen(
            [sys.executable, "-S", "-c", WRITER, str(log)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, preexec_fn=disk.before,
        ) as writer:  # fmt: skip
            assert writer.stdin is not None and writer.stdout is not None

            def write(size: int) -> str:
                assert writer.stdin is not None and writer.stdout is not None
                writer.stdin.write(f"{size}\n")
                writer.stdin.flush()
                return writer.stdout.readline().strip()

            assert writer.stdout.readline() == "up\n"
            assert write(100_000) == "ok"
            disk.fill(writer.pid, log, left=0)
            # what is left of a page that is begun may still be written
            assert [write(9000), write(9000)][1].isdigit()
            disk.clear(writer.pid)
            assert write(100_000) == "ok"
            writer.stdin.close()
    assert not disk.real or not log.exists()
