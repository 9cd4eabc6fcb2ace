"""A bar on stderr while a command works; nothing where nobody watches."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from .console_output import note


@contextmanager
def progress_bar(label: str, at_the_end: str | None = None) -> Iterator[Callable[[int, int], None]]:
    """Gives `progress(done, total)`.

    Args:
        label: what is being done.
        at_the_end: what follows once all is done, e.g. scoring.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=note, transient=True, disable=not note.is_terminal) as bars:
        task = bars.add_task(label, total=None)

        def progress(done: int, total: int) -> None:
            text = f"{label}: {at_the_end}" if at_the_end and done >= total else label
            bars.update(task, completed=done, total=total, description=text)

        yield progress
