"""The refine stage: solved windows in, revisions of completed segments out. Runs without Ray, sockets or clocks.

Deterministic: what comes out depends on what went in, in its order, never on how long anything took.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...kernels.body.data import BodyData
from ..errors import RefineError
from ..identity import IdentityEvent
from ..reconstruct import ReconstructConfig
from ..windows import WindowConfig
from .config import RefineConfig
from .records import RefineInput, RefineReport, Revision


class RefineStage:
    """Refines the people of one site."""

    def __init__(
        self, config: RefineConfig, solve: ReconstructConfig, body: BodyData, window: WindowConfig
    ) -> None:
        """
        Args:
            solve: how windows are solved; the refiner solves its own the same way.
            window: how windows are cut.

        Raises:
            RefineError: windows that segments cannot be cut from.
        """
        if window.frames % window.hop:
            raise RefineError(
                f"window.hop = {window.hop} does not divide window.frames = {window.frames}, so no window covers a "
                "segment; set window.hop to a divisor, or refine.enabled to false"
            )
        self.config = config
        self._solve, self._body, self._window = solve, body, window

    def step(self, given: RefineInput) -> list[Revision]:
        """Takes the next solved window; returns what can be said better now."""
        return []

    def finish(self, identity: Sequence[IdentityEvent] = ()) -> list[Revision]:
        """The end of the input: everything that still waited.

        Args:
            identity: events that no window came after.
        """
        return []

    def resume(self, identity: Sequence[IdentityEvent], min_rev: int) -> None:
        """Takes over from a stage that is gone, before the first `step`; some of its inputs will be given again.

        Args:
            identity: who the tracks are: the events up to the first input that is given again, in order.
            min_rev: the highest revision that was published; those from now on are above it.
        """

    def report(self) -> RefineReport:
        """What was done, skipped and left out so far."""
        return RefineReport()

    def close(self) -> None:
        """Let threads go."""


def make_refiner(
    config: RefineConfig, solve: ReconstructConfig, body: BodyData, window: WindowConfig
) -> RefineStage:
    """A refiner with the networks that ship.

    Raises:
        RefineError: windows that segments cannot be cut from. ModelError: a shipped file is missing or damaged.
    """
    return RefineStage(config, solve, body, window)
