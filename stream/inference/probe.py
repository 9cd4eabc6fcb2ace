"""Does TensorRT work here? Asked once, in another process, because the answer can be a crash.

Without a driver, `import tensorrt` may succeed and the builder then abort the interpreter from C++, which no
`except` catches. A time limit covers drivers that hang.
"""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from dataclasses import dataclass

_QUESTION = """
import json, sys
import tensorrt as trt
import torch
assert torch.cuda.is_available(), "torch sees no CUDA device"
logger = trt.Logger(trt.Logger.ERROR)
assert trt.Builder(logger) is not None and trt.Runtime(logger) is not None
p = torch.cuda.get_device_properties(0)
print(json.dumps({"tensorrt": trt.__version__, "cuda": torch.version.cuda, "gpu": p.name,
                  "capability": f"{p.major}.{p.minor}"}))
"""


@dataclass(frozen=True)
class ProbeVerdict:
    """What another process found out about TensorRT on this machine."""

    usable: bool
    reason: str
    """Why not; empty when usable."""
    tensorrt: str = ""
    cuda: str = ""
    gpu: str = ""
    capability: str = ""


def ask(command: tuple[str, ...], timeout_s: float) -> ProbeVerdict:
    """Run a probing command and read its one line of JSON."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired:
        return ProbeVerdict(False, f"the probe did not answer within {timeout_s:.0f} s")
    except OSError as exc:
        return ProbeVerdict(False, f"the probe could not be started: {exc}")
    if done.returncode < 0:
        return ProbeVerdict(False, f"the probe died from signal {-done.returncode} (no usable driver?)")
    if done.returncode != 0:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        return ProbeVerdict(False, lines[-1].strip() if lines else f"exit code {done.returncode}")
    try:
        found = json.loads(done.stdout.strip().splitlines()[-1])
        return ProbeVerdict(
            True, "", str(found["tensorrt"]), str(found["cuda"]), str(found["gpu"]), str(found["capability"])
        )
    except (ValueError, KeyError, IndexError):
        return ProbeVerdict(False, "the probe's answer could not be read")


@functools.lru_cache(maxsize=4)
def probe_tensorrt(timeout_s: float = 60.0) -> ProbeVerdict:
    """The verdict for this process; asked once."""
    return ask((sys.executable, "-P", "-c", _QUESTION), timeout_s)
