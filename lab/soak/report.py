"""The page of figures: what the runs found, in the section of docs/reliability.md that is theirs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...kernels.errors import CrowdstreamError
from ..bench.markdown import markdown_table, write_section
from .figures import Figure, Figures, Verdict, load_figures

MARKS = ("<!-- soak: begin -->", "<!-- soak: end -->")


def machine_in_words() -> str:
    """What figures were measured on; nothing that names anybody."""
    cores = os.cpu_count() or 1
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{cores} shared core{'s' if cores > 1 else ''}, {round(memory / 1e9)} GB memory, no GPU"


def write_page(page: Path, folder: Path, scenarios: Mapping[str, str]) -> None:
    """Put the section into the page, from the figures in a folder.

    Args:
        scenarios: name -> what it does, in the order of the page; of a scenario without figures in the folder the
            page keeps those it has, with their date, or says that it was not run.

    Raises:
        CrowdstreamError: the page cannot be read or written.
    """
    write_section(page, section(load_all(folder), scenarios, _kept(page)), MARKS)


def _kept(page: Path) -> dict[str, str]:
    """Parts of the section as it stands: heading -> part."""
    try:
        text = page.read_text("utf-8") if page.is_file() else ""
    except (OSError, UnicodeDecodeError) as exc:
        why = getattr(exc, "strerror", None) or exc
        raise CrowdstreamError(f"cannot read {page}: {why}") from exc
    if MARKS[0] not in text or MARKS[1] not in text:
        return {}
    held = text[text.index(MARKS[0]) + len(MARKS[0]) : text.index(MARKS[1])]
    parts = ("\n" + held.strip()).split("\n### ")[1:]
    return {part.partition("\n")[0].strip(): f"### {part.strip()}" for part in parts}


def load_all(folder: Path) -> dict[str, Figures]:
    """Newest figures of each scenario; the long form goes before the short one."""
    found: dict[str, Figures] = {}
    for path in sorted(folder.glob("*.json")):
        one = load_figures(path)
        if one.scenario not in found or found[one.scenario].short:
            found[one.scenario] = one
    return found


def section(
    found: Mapping[str, Figures], scenarios: Mapping[str, str], kept: Mapping[str, str] | None = None
) -> str:
    """Markdown: one table a scenario.

    Args:
        kept: heading -> part, for scenarios that are not among the found ones.
    """
    return "\n\n".join(
        _ran(words, found[name]) if name in found else (kept or {}).get(words, f"### {words}\n\nnot run")
        for name, words in scenarios.items()
    )


def _ran(words: str, one: Figures) -> str:
    form = "short form, " if one.short else ""
    head = f"### {words}\n\n{one.date}, {form}{_span(one.seconds)}; {one.machine}."
    notes = "".join(f" {note[:1].upper()}{note[1:]}." for note in one.notes)
    rows = [_row(figure) for figure in one.figures]
    return head + notes + "\n\n" + markdown_table(("what", "found", "goal", ""), rows)


def _row(figure: Figure) -> Sequence[str]:
    shown = "not measured"
    if figure.verdict is not Verdict.NOT_MEASURED and figure.value is not None:
        shown = _number(figure.value) + (f" ± {_number(figure.error)}" if figure.error is not None else "")
        shown += f" {figure.unit}" if figure.unit else ""
    name = figure.name + (f" ({figure.note})" if figure.note else "")
    verdict = "" if figure.verdict is Verdict.NO_GOAL else str(figure.verdict)
    return name, shown, figure.goal, verdict


def _number(value: float) -> str:
    """Three digits that count; whole numbers whole."""
    if value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 180 else f"{seconds / 60:.0f} min"
