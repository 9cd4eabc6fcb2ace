"""What is compiled ahead for the refiner is what the refiner runs."""

from __future__ import annotations

from numba.core.registry import CPUDispatcher

from crowdstream.actors import refiner_kernels
from crowdstream.stream.refine.records import RevisionCause


def test_the_exercise_meets_every_kernel_that_is_looked_for() -> None:
    found = refiner_kernels.exercise_refiner()
    causes = {int(cause) for revision in found for cause in revision.cause}
    assert causes & {RevisionCause.GAP_FILLED, RevisionCause.GUIDED}
    module = vars(refiner_kernels)
    looked_for = [kernel for kernel in module.values() if isinstance(kernel, CPUDispatcher)]
    assert looked_for and all(kernel.signatures for kernel in looked_for)
