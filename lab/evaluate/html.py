"""The report of an evaluation that a person reads: one HTML file, nothing fetched, every text escaped.

`write_report(path, results)` takes the JSON of `crowdstream evaluate --json`, with or without the optional parts.
Any part that is missing is left out of the page; a number that is None or not finite is shown as a dash. Keys
that are not known here are shown by their own name, so that a new metric never disappears.

    {
      "about": {                                   optional
        "title": "plaza, high view",               what was evaluated, a few words
        "date": "2026-11-21",                      given by the caller: this module asks no clock
        "machine": "2 cores, no GPU",
        "version": "0.1.0",
        "facts": {"people": 100, "seconds": 60},   further lines of the header: label -> number or text
        "notes": ["a sentence", ...]               what a reader must know first
      },
      "author":    {"ppds": 0.95, "pa_ppds": 0.97, "ss": ..., "pcod": ..., "oks": ..., "rp": ..., "score": ...,
                    "mpjpe_mm": ..., "pa_mpjpe_mm": ..., "wa_mpjpe_mm": ..., "w_mpjpe_mm": ..., "accel": ...},
      "corrected": {"mpjpe_mm": ..., ...},         placement scores are shares 0..1 (shown as percent)
      "occluded":  {"author": {...}, "corrected": {...}},
      "rows":      {"without motion prior": {"author": {...}, "corrected": {...}, "occluded": {...}}, ...},
                                                   optional: more rows of ours, e.g. ablations
      "identity":  {"idf1": 0.95, "mota": 0.9, "hota": 0.7, "switches": 0, ...,
                    "ground": {the same, matched on the ground}},      `kernels.metrics.identity.*.as_dict()`
      "streaming": {"latency_ms": {"live": {"p50": ..., "p95": ..., "p99": ...}, ...}, ...},
                                                   numbers, or tables one level deep: `StreamingScores.as_dict()`
      "speed":     {"person_frames_per_s": ..., ...},
      "plots": {                                   optional, each part too
        "error_by_latency":   {"t_ms": [T], "ground_mm" and/or "root_mm": [T], "mpjpe_mm": [T],
                               "coverage": [T], ...},                  shares 0..1: coverage, coverage_bodies, placed
        "error_by_distance":  {"edges_m": [B+1], "mpjpe_mm": [B], "root_mm": [B], ..., "count": [B]},
        "error_by_occlusion": {"edges": [B+1], "mpjpe_mm": [B], ..., "count": [B]},    edges: seen share 0..1
        "per_joint_mm":       {"left_knee": 41.0, ...},                in the order to be drawn
        "error_over_time":    {"t_s": [F], "mpjpe_mm": [F], "root_mm": [F], ...},
        "paths":              {"true": [[[x, y], ...], ...], "found": [[[x, y], ...], ...]},   metres
        "revision_mm":        {"edges": [B+1], "counts": [B]}
      }
    }
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .page_style import STYLE
from .paper import DATA_DIFFER, PAPER_METRICS, PAPER_OCCLUDED, PAPER_ROWS, PAPER_SPEED
from .plots import bar_chart, histogram, line_chart, plan, step_chart

Numbers = Mapping[str, Any]

OUR_ROW = "crowdstream, this run"
SHARES = frozenset(
    {
        "ppds", "pa_ppds", "pcod", "pcod_3c", "oks", "oks_vis", "ss", "rp", "score", "pcdr", "pck",
        "precision", "recall", "f1",
        "idf1", "idp", "idr", "mota", "hota", "deta", "assa", "loca", "motp", "coverage", "coverage_bodies", "placed",
        "revised", "infilled", "interpolated", "guided", "observed", "dropped",
    }
)  # fmt: skip
"""Metrics kept as shares 0..1 and shown as percent."""
LABELS = {
    "ppds": "PPDS", "pa_ppds": "PA-PPDS", "ss": "SS", "pcod": "PCOD", "oks": "OKS", "rp": "RP", "score": "score",
    "mpjpe_mm": "MPJPE", "pa_mpjpe_mm": "PA-MPJPE", "wa_mpjpe_mm": "WA-MPJPE", "w_mpjpe_mm": "W-MPJPE",
    "accel": "ACCEL", "idf1": "IDF1", "idp": "IDP", "idr": "IDR", "mota": "MOTA", "motp": "MOTP", "hota": "HOTA",
    "deta": "DetA", "assa": "AssA", "loca": "LocA", "root_mm": "root", "ground_mm": "ground point",
    "person_frames_per_s": "person-frames a second",
}  # fmt: skip
_UNITS = {"_mm": "mm", "_ms": "ms", "_m": "m", "_s": "s", "_px": "px"}


def write_report(path: Path, results: Mapping[str, Any]) -> None:
    """Writes the page. The same results give the same bytes.

    Args:
        results: laid out as the head of this module says.
    """
    path.write_text(report_page(results), encoding="utf-8")


def report_page(results: Mapping[str, Any]) -> str:
    """The page as text."""
    about: Numbers = results.get("about") or {}
    title = str(about.get("title") or "Evaluation")
    parts = [
        _header(title, about),
        _headline(results),
        _accuracy(results),
        _occluded(results),
        _identity(results.get("identity") or {}),
        _streaming(results),
        _where(results.get("plots") or {}),
        _speed(results.get("speed") or {}),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} - crowdstream</title><style>{STYLE}</style></head>\n<body>\n"
        + "\n".join(p for p in parts if p)
        + "\n</body></html>\n"
    )


# --- sections ---------------------------------------------------------------------------------------------


def _header(title: str, about: Numbers) -> str:
    lines = {key: about[key] for key in ("date", "machine", "version") if about.get(key)}
    lines |= dict(about.get("facts") or {})
    facts = "".join(f"<dt>{escape(str(k))}</dt><dd>{_cell(v)}</dd>" for k, v in lines.items())
    notes = "".join(f"<li>{escape(str(n))}</li>" for n in about.get("notes") or [])
    return (
        f'<h1>{escape(title)}</h1><p class="lead">Crowd reconstruction against exact truth, by crowdstream.</p>'
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def _headline(results: Mapping[str, Any]) -> str:
    """The few figures that are asked for first, each with the profile it belongs to."""
    chosen = [
        ("corrected", "mpjpe_mm", "MPJPE, corrected"),
        ("author", "mpjpe_mm", "MPJPE, author"),
        ("author", "pa_ppds", "PA-PPDS, author"),
        ("identity", "idf1", "IDF1"),
        ("identity", "mota", "MOTA"),
        ("speed", "person_frames_per_s", "person-frames a second"),
    ]
    boxes = [
        f'<div class="figure"><b>{_value(key, results[part][key])}</b><span>{escape(label)}</span></div>'
        for part, key, label in chosen
        if _is_number((results.get(part) or {}).get(key))
    ]
    return f'<div class="figures">{"".join(boxes)}</div>' if boxes else ""


def _accuracy(results: Mapping[str, Any]) -> str:
    out = []
    for profile, heading, words, papers in (
        ("author", "Profile author", _AUTHOR_WORDS, PAPER_ROWS),
        ("corrected", "Profile corrected", _CORRECTED_WORDS, {}),
    ):
        ours = _our_rows(results, lambda row, p=profile: row.get(p))  # type: ignore[misc]
        if ours:
            out.append(f'<h3>{heading}</h3><p class="note">{words}</p>{_table(ours, papers)}')
            if papers:
                out.append(f'<p class="note">{escape(DATA_DIFFER)}</p>')
    return "<h2>Accuracy, everybody</h2>" + "".join(out) if out else ""


def _occluded(results: Mapping[str, Any]) -> str:
    out = []
    for profile, papers in (("author", PAPER_OCCLUDED), ("corrected", {})):
        ours = _our_rows(results, lambda row, p=profile: (row.get("occluded") or {}).get(p))  # type: ignore[misc]
        if ours:
            out.append(f"<h3>Profile {profile}</h3>{_table(ours, papers)}")
    if not out:
        return ""
    note = f'<p class="note">{escape(DATA_DIFFER)}</p>'
    return "<h2>Accuracy, occluded people</h2>" + "".join(out) + note


def _identity(identity: Numbers) -> str:
    if not identity:
        return ""
    in_picture = {k: v for k, v in identity.items() if not isinstance(v, Mapping)}
    rows: dict[str, Numbers] = {"in the picture (IoU 0.5)": in_picture} if in_picture else {}
    rows |= {_NAMES.get(k, k): v for k, v in identity.items() if isinstance(v, Mapping)}
    return (
        '<h2>Identity</h2><p class="note">CLEAR, identity and HOTA scores as the MOT challenges compute them; hidden '
        "people are neither misses nor false alarms.</p>" + _table(rows, {})
    )


def _streaming(results: Mapping[str, Any]) -> str:
    streaming: Numbers = results.get("streaming") or {}
    plots: Numbers = results.get("plots") or {}
    drawings = _latency_plots(plots.get("error_by_latency") or {})
    if revisions := plots.get("revision_mm"):
        drawings.append(
            histogram(
                revisions["edges"], revisions["counts"], title="How far joints move from one version to the next",
                x_label="revision, mm (logarithmic)", y_label="versions", log_x=True,
            )
        )  # fmt: skip
    if not streaming and not drawings:
        return ""
    flat = {k: v for k, v in streaming.items() if not isinstance(v, Mapping)}
    tables = _table({OUR_ROW: flat}, {}) if flat else ""
    for name, group in streaming.items():
        if isinstance(group, Mapping) and group:
            nested = all(isinstance(v, Mapping) for v in group.values())
            rows = group if nested else {OUR_ROW: group}
            tables += f"<h3>{escape(_NAMES.get(name, _plain(name)))}</h3>{_table(rows, {})}"
    return f'<h2>Streaming</h2><p class="note">{_STREAMING_WORDS}</p>{_figures(drawings)}{tables}'


def _latency_plots(curve: Numbers) -> list[str]:
    if not curve:
        return []
    t_ms = [float(t) for t in curve["t_ms"]]
    series = {k: v for k, v in curve.items() if k != "t_ms"}
    errors = {_label(k): v for k, v in series.items() if k.endswith("_mm")}
    shares = {
        _NAMES.get(k, _plain(k)): [_percent(s) for s in v] for k, v in series.items() if not k.endswith("_mm")
    }
    x_label, out = "time after capture, s", []
    t_s = [t / 1e3 for t in t_ms]
    if errors:
        out.append(
            line_chart(
                t_s, errors, title="Error of the newest version", x_label=x_label, y_label="mm", log_x=True
            )
        )
    if shares:
        out.append(
            line_chart(
                t_s,
                shares,
                title="Share of true person-frames",
                x_label=x_label,
                y_label="%",
                log_x=True,
                y_max=100.0,
            )
        )
    return out


def _where(plots: Numbers) -> str:
    """Errors by distance, occlusion, joint and time, and the paths."""
    drawings = []
    for key, edges, title, x_label in (
        ("error_by_distance", "edges_m", "Error by distance from the camera", "distance, m"),
        ("error_by_occlusion", "edges", "Error by how much is seen", "share of the body that is seen"),
    ):
        if part := plots.get(key):
            series = {_label(k): v for k, v in part.items() if k not in (edges, "count")}
            drawings.append(
                step_chart(
                    part[edges], series, title=title, x_label=x_label, y_label="mm", counts=part.get("count")
                )
            )
    if part := plots.get("error_over_time"):
        series = {_label(k): v for k, v in part.items() if k.endswith("_mm")}
        drawings.append(
            line_chart(part["t_s"], series, title="Error over time", x_label="time, s", y_label="mm")
        )
    if joints := plots.get("per_joint_mm"):
        drawings.append(
            bar_chart({_plain(k): v for k, v in joints.items()}, title="Error of each joint", unit="mm")
        )
    if paths := plots.get("paths"):
        drawings.append(plan(paths.get("true") or [], paths.get("found") or [], title="Paths from above"))
    return "<h2>Where the error is</h2>" + _figures(drawings) if drawings else ""


def _speed(speed: Numbers) -> str:
    if not speed:
        return ""
    paper = "; ".join(f"{name} {rate} ({what})" for name, (rate, what) in PAPER_SPEED.items())
    rows = "".join(
        f"<tr><td>{escape(_label(k) if not isinstance(v, str) else _plain(k))}</td>"
        + (f'<td class="text">{escape(v)}</td>' if isinstance(v, str) else f"<td>{_value(k, v)}</td>")
        + "</tr>"
        for k, v in speed.items()
        if not isinstance(v, Mapping)
    )
    nested = "".join(
        f"<h3>{escape(_plain(k))}</h3>{_table({OUR_ROW: v}, {})}"
        for k, v in speed.items()
        if isinstance(v, Mapping)
    )
    return (
        f'<h2>Speed</h2><div class="scroll"><table>{rows}</table></div>{nested}'
        f'<p class="note">For the scale of it, person-frames a second in the paper: {escape(paper)}.</p>'
    )


# --- tables and values ------------------------------------------------------------------------------------


def _our_rows(results: Mapping[str, Any], pick: Any) -> dict[str, Numbers]:
    """This run and its variants, those of them that have the part asked for."""
    rows = {OUR_ROW: pick(results)} | {k: pick(v) for k, v in (results.get("rows") or {}).items()}
    return {k: v for k, v in rows.items() if v}


def _table(ours: Mapping[str, Numbers], others: Mapping[str, Numbers]) -> str:
    """Our rows above others'; columns are all the metrics of ours, those of the paper first."""
    columns = _columns(ours.values(), others)
    head = "".join(f"<th>{escape(_label(c))}{_unit_words(c)}</th>" for c in columns)
    lines = [
        f"<tr{style}><td>{escape(str(name))}</td>{''.join(f'<td>{_bare(c, row.get(c))}</td>' for c in columns)}</tr>"
        for style, rows in ((' class="ours"' if others else "", ours), ("", others))
        for name, row in rows.items()
    ]
    return f'<div class="scroll"><table><tr><th></th>{head}</tr>{"".join(lines)}</table></div>'


def _columns(ours: Iterable[Numbers], others: Mapping[str, Numbers]) -> list[str]:
    held = [k for row in ours for k, v in row.items() if not isinstance(v, Mapping)]
    first = [m for m in PAPER_METRICS if m in held] if others else []
    return list(dict.fromkeys([*first, *held]))


def _figures(drawings: Sequence[str]) -> str:
    return (
        f'<div class="plots">{"".join(f"<figure>{d}</figure>" for d in drawings)}</div>' if drawings else ""
    )


def _cell(value: Any) -> str:
    return _value("", value) if _is_number(value) else escape(str(value))


def _value(key: str, value: Any) -> str:
    """A number with its unit."""
    text = _bare(key, value)
    unit = _unit(key)
    return f"{text} {unit}" if unit and _is_number(value) else text


def _bare(key: str, value: Any) -> str:
    """A number without its unit; a dash for none."""
    if isinstance(value, str):
        return escape(value)
    if not _is_number(value):
        return "&ndash;"
    if key in SHARES:
        return f"{100 * value:.1f}"
    if isinstance(value, int) or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def _unit(key: str) -> str:
    if key in SHARES:
        return "%"
    return next(
        (unit for end, unit in _UNITS.items() if key.endswith(end) and not key.endswith("_per_s")), ""
    )


def _unit_words(key: str) -> str:
    unit = _unit(key)
    return f", {unit}" if unit else ""


def _label(key: str) -> str:
    if key in LABELS:
        return LABELS[key]
    for end in _UNITS:
        if key.endswith(end) and not key.endswith("_per_s"):
            return _plain(key[: -len(end)])
    return _plain(key)


def _plain(key: str) -> str:
    return str(key).replace("_", " ")


def _percent(value: Any) -> float | None:
    return 100.0 * value if _is_number(value) else None


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, (int, float)) and math.isfinite(value)


_AUTHOR_WORDS = (
    "As the authors' evaluator counts: joints relative to the pelvis, 150 mm for every true person that is not found, "
    "ACCEL in their own unit. Only for standing beside the paper's rows; never to be mixed with the other profile."
)
_CORRECTED_WORDS = (
    "The same questions asked properly: world positions, exact consecutive frames, and completeness reported apart "
    "instead of baked into the millimetres."
)
_STREAMING_WORDS = (
    "What a consumer holds at a time after capture: the newest published version of each true person-frame, how far "
    "off it is, and how much of the crowd has one at all. Means are over those that have one, so read error and share "
    "together."
)
_NAMES = {
    "ground": "on the ground (within 1 m)",
    "latency_ms": "Latency of messages, ms",
    "first_ms": "Capture to first version of a person-frame, ms",
    "revisions": "Revisions",
    "coverage": "any version",
    "coverage_bodies": "with a body",
    "placed": "within 0.3 m on the ground",
}
