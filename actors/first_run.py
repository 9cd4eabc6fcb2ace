"""The first run on a machine compiles kernels: the solver's take a minute of one core, the others' some seconds.

Whoever knows that a run will follow begins at once, in other processes, while this one is still importing, starting Ray
and opening networks. The solver worker waits for what is under way instead of compiling again; a process that fails
costs nothing, as whoever needs the kernels compiles what is missing.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

_KERNELS = (
    ("gauss_newton.solve_person", "from crowdstream.actors.solver import compile_kernels; compile_kernels()"),
    (
        "guide_steps.posterior_of_steps",
        "from crowdstream.actors.refiner_kernels import compile_refiner; compile_refiner()",
    ),
    ("raster.lay_over", "from crowdstream.actors.first_run import compile_overlay; compile_overlay()"),
)
"""The kernel that is compiled last of its kind, and what compiles it."""


@contextmanager
def compiling_ahead(overlay: bool = True) -> Iterator[None]:
    """Compiles in other processes while the block runs, where it looks as if nobody has yet; they end with it.

    Args:
        overlay: whether an overlay will be drawn after the run.
    """
    children: list[subprocess.Popen[bytes]] = []
    for kernel, command in _KERNELS if overlay else _KERNELS[:-1]:
        if not _looks_compiled(kernel):
            with suppress(OSError):
                children.append(
                    subprocess.Popen(
                        (sys.executable, "-P", "-c", command),
                        stdout=subprocess.DEVNULL,
                        stderr=subprocess.DEVNULL,
                    )
                )
    try:
        yield
    finally:
        for child in children:
            if child.poll() is None:
                child.terminate()
            child.wait()


def _looks_compiled(kernel: str) -> bool:
    """A glance at the cache without importing what fills it; when wrong, a process starts for nothing."""
    cache = Path(str(resources.files("crowdstream.kernels"))) / "fused" / "__pycache__"
    return any(cache.glob(f"{kernel}-*.nbi"))


def compile_overlay() -> None:
    """Compile what draws bodies, into the cache: three people, small to large, drawn once and thrown away."""
    import numpy as np

    from ..kernels.camera import CameraModel
    from ..stream.body_files import load_body
    from ..stream.overlay.crowd_layer import CrowdLayer
    from ..stream.overlay.moments import Bodies

    R = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
    K = np.array([[400.0, 0.0, 128.0], [0.0, 400.0, 128.0], [0.0, 0.0, 1.0]])
    camera = CameraModel(K=K, R_cam_world=R, t_cam_world_m=np.array([0.0, 1.0, 5.0]), size_px=(256, 256))
    standing = np.broadcast_to(np.eye(3), (3, 24, 3, 3)).copy()
    standing[:, 0] = [[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]]  # SMPL's y is the world's z
    feet_m = np.array([[0.0, 7.0, 0.0], [0.0, -1.0, 0.0], [0.0, -2.5, 0.0]])  # each its own level of detail
    bodies = Bodies(
        np.arange(3), standing, np.zeros((3, 10)), feet_m + np.array([0.0, 0.0, 1.0]), feet_m, np.zeros(3, bool),
        np.zeros(3, np.int64),
    )  # fmt: skip
    layer = CrowdLayer(load_body(), camera, (256, 256), scale=2)
    layer.draw(np.zeros((256, 256, 3), np.uint8), bodies, np.full((3, 3), 200.0), 0.8)
