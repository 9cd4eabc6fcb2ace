"""Tables and numbers of the report as HTML. Every text is escaped here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from .metric_names import MEANINGS, SHARES, in_order, name_of, plain, unit_of

Numbers = Mapping[str, Any]


def rows_table(ours: Mapping[str, Numbers], others: Mapping[str, Numbers], columns: Sequence[str]) -> str:
    """A row each, ours above others', with the given metrics as columns."""
    head = "".join(f"<th>{escape(name_of(c))}{_small(unit_of(c))}</th>" for c in columns)
    lines = [
        f"<tr{style}><td>{escape(str(name))}</td>{''.join(f'<td>{bare(c, row.get(c))}</td>' for c in columns)}</tr>"
        for style, rows in ((' class="ours"' if others else "", ours), ("", others))
        for name, row in rows.items()
    ]
    return _scroll(f"<table><tr><th></th>{head}</tr>{''.join(lines)}</table>")


def short_sheet(columns: Mapping[str, Numbers], profile: str) -> str:
    """The chief figures as a `sheet`, and below it, folded, all of them."""
    chief = {name: {k: v for k, v in c.items() if k in MEANINGS} for name, c in columns.items()}
    return sheet(chief, profile) + folded("Every figure of this profile", sheet(columns, profile))


def folded(title: str, content: str) -> str:
    """Content that opens when its title is clicked."""
    return f"<details><summary>{escape(title)}</summary>{content}</details>"


def sheet(columns: Mapping[str, Numbers], profile: str = "") -> str:
    """A metric each line, in groups, with what it means; a column for each variant."""
    keys = list(dict.fromkeys(k for c in columns.values() for k, v in c.items() if is_number(v)))
    head = "".join(f"<th>{escape(str(name))}</th>" for name in columns)
    lines = []
    for group, members in in_order(keys).items():
        lines.append(f'<tr class="group"><td colspan="{len(columns) + 2}">{escape(group)}</td></tr>')
        for key in members:
            cells = "".join(f"<td>{bare(key, c.get(key))}</td>" for c in columns.values())
            words = f"{escape(name_of(key))}{_small(unit_of(key, profile))}"
            meaning = f'<td class="text">{escape(MEANINGS.get(key, ""))}</td>'
            lines.append(f"<tr><td>{words}</td>{cells}{meaning}</tr>")
    return _scroll(f'<table class="sheet"><tr><th></th>{head}<th></th></tr>{"".join(lines)}</table>')


def list_table(values: Numbers) -> str:
    """A name and a value each line; texts and numbers, tables left out."""
    lines = "".join(
        f'<tr><td>{escape(name_of(k))}</td><td class="{"" if is_number(v) else "text"}">{cell(k, v)}</td></tr>'
        for k, v in values.items()
        if not isinstance(v, Mapping) and v is not None
    )
    return _scroll(f"<table>{lines}</table>") if lines else ""


def nested_tables(values: Numbers, titles: Mapping[str, str]) -> str:
    """The tables within a table, one level down, each with its heading."""
    out = []
    for key, group in values.items():
        if not (isinstance(group, Mapping) and group):
            continue
        out.append(f"<h3>{escape(titles.get(key, plain(key)))}</h3>")
        if all(isinstance(v, Mapping) for v in group.values()):
            columns = list(dict.fromkeys(k for row in group.values() for k in row))
            out.append(rows_table(group, {}, columns))
        else:
            out.append(list_table(group))
    return "".join(out)


def cell(key: str, value: Any) -> str:
    """A value of any kind, numbers with their unit."""
    if is_number(value):
        unit = unit_of(key)
        return f"{bare(key, value)} {escape(unit)}" if unit else bare(key, value)
    if isinstance(value, (list, tuple)):
        return ", ".join(cell("", v) for v in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "&ndash;" if value is None or isinstance(value, float) else escape(str(value))


def bare(key: str, value: Any) -> str:
    """A number without its unit; a dash for none."""
    if isinstance(value, str):
        return escape(value)
    if not is_number(value):
        return "&ndash;"
    if key in SHARES:
        return f"{100 * value:.1f}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3g}"


def is_number(value: Any) -> bool:
    """A finite int or float."""
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)


def _small(unit: str) -> str:
    return f" <small>{escape(unit)}</small>" if unit else ""


def _scroll(table: str) -> str:
    return f'<div class="scroll">{table}</div>'
