"""Tables and means for pages of results, and the place in a page where they go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from ...kernels.errors import CrowdstreamError
from .metric import Direction
from .suite import Figure, SuiteCase, mean_of


def write_section(path: Path, section: str, marks: tuple[str, str]) -> None:
    """Puts the section between its marks, or at the end with them; the rest of the page stays.

    Args:
        marks: before and after it.

    Raises:
        CrowdstreamError: one mark without the other, or the file cannot be written.
    """
    begin, end = marks
    try:
        text = path.read_text("utf-8") if path.is_file() else ""
        if (begin in text) != (end in text) or text.find(begin) > text.find(end):
            raise CrowdstreamError(f"{path} has one of {begin} and {end} without the other; put both or none")
        block = f"{begin}\n{section.strip()}\n{end}"
        if begin in text:
            text = text[: text.index(begin)] + block + text[text.index(end) + len(end) :]
        else:
            text = text.rstrip() + ("\n\n" if text.strip() else "") + block + "\n"
        path.write_text(text, "utf-8")
    except OSError as exc:
        raise CrowdstreamError(f"cannot write {path}: {exc.strerror or exc}") from exc


def means_of(cases: Sequence[SuiteCase]) -> Callable[..., float | None]:
    """Means over the cases: called with a dotted name, or with the parts of a name that holds dots."""

    def value(*names: str) -> float | None:
        path = tuple(names) if len(names) > 1 else tuple(names[0].split("."))
        return mean_of(cases, Figure(path, "", Direction.NEITHER, (0.0, 0.0)))

    return value


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])
