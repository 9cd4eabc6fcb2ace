"""The report of an evaluation that a person reads: one HTML file, nothing fetched, every text escaped.

`write_report(path, results)` takes the JSON of `crowdstream evaluate --json`, with or without the optional parts.
Any part that is missing is left out of the page; a number that is None or not finite is shown as a dash. Keys and
whole parts that are not known here are shown by their own name, so that a new metric never disappears.

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
      "hidden":    {"author": {...}, "corrected": {...}},      optional: under 5 % of the body to be seen
      "corrected_aligned": {...},                  optional: the same after the world was aligned as a whole
      "rows":      {"without motion prior": {"author": {...}, "corrected": {...}, "occluded": {...}}, ...},
                                                   optional: more rows of ours, e.g. ablations
      "identity":  {"idf1": 0.95, "mota": 0.9, "hota": 0.7, "switches": 0, ...,
                    "ground": {the same, matched on the ground},
                    "live": {...}},                further tables of the same kind; `IdentityScores.as_dict()`
      "streaming": {"latency_ms": {"live": {"p50": ..., "p95": ..., "p99": ...}, ...}, ...},
                                                   numbers, or tables one level deep: `StreamingScores.as_dict()`
      "refined":   {"merges": 3, "bodies_revised": 0.2, ..., "by_cause": {"guided": {...}, ...}, "refiner": {...}},
      "long_occlusions": {"gaps": 9, "rejoined_share": 0.9, ..., "by_length": {"2-3 s": {...}, ...}},
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

from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .metric_names import name_of, plain
from .page_style import STYLE
from .page_tables import (
    Numbers,
    cell,
    folded,
    is_number,
    list_table,
    nested_tables,
    rows_table,
    sheet,
    short_sheet,
)
from .paper import DATA_DIFFER, PAPER_METRICS, PAPER_OCCLUDED, PAPER_ROWS, PAPER_SPEED
from .plots import bar_chart, histogram, line_chart, plan, step_chart

OUR_ROW = "crowdstream, this run"
_KNOWN = frozenset(
    {
        "about", "author", "corrected", "corrected_aligned", "occluded", "hidden", "rows", "identity",
        "long_occlusions", "refined", "streaming", "speed", "plots", "run",
    }
)  # fmt: skip
"""Parts with a place of their own; `run` is told in `about`."""
_OCCLUDED_COLUMNS = ("mpjpe_mm", "pa_mpjpe_mm")


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
        _long_occlusions(results.get("long_occlusions") or {}),
        _refined(results.get("refined") or {}),
        _streaming(results),
        _where(results.get("plots") or {}),
        _speed(results.get("speed") or {}),
        _rest(results),
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
    facts = "".join(f"<div><dt>{escape(plain(k))}</dt><dd>{cell('', v)}</dd></div>" for k, v in lines.items())
    notes = "".join(f"<li>{escape(str(n))}</li>" for n in about.get("notes") or [] if n != DATA_DIFFER)
    return (
        f'<h1>{escape(title)}</h1><p class="lead">Crowd reconstruction against exact truth, by crowdstream.</p>'
        + (f'<dl class="facts">{facts}</dl>' if facts else "")
        + (f"<ul>{notes}</ul>" if notes else "")
    )


def _headline(results: Mapping[str, Any]) -> str:
    """The few figures that are asked for first, each with the profile it belongs to."""
    chosen = [
        ("author", "pa_ppds", "PA-PPDS, author"),
        ("author", "mpjpe_mm", "MPJPE, author"),
        ("author", "pa_mpjpe_mm", "PA-MPJPE, author"),
        ("corrected", "ground_m", "on the ground, corrected"),
        ("identity", "idf1", "IDF1"),
        ("identity", "mota", "MOTA"),
        ("speed", "person_frames_per_s", "person-frames a second"),
    ]
    boxes = [
        f'<div class="figure"><b>{cell(key, results[part][key])}</b><span>{escape(label)}</span></div>'
        for part, key, label in chosen
        if is_number((results.get(part) or {}).get(key))
    ]
    return f'<div class="figures">{"".join(boxes)}</div>' if boxes else ""


def _accuracy(results: Mapping[str, Any]) -> str:
    out = []
    if author := _our_rows(results, lambda row: row.get("author")):
        columns = [m for m in PAPER_METRICS if any(m in row for row in author.values())]
        further = {name: {k: v for k, v in row.items() if k not in columns} for name, row in author.items()}
        out.append(f'<h3>Profile author</h3><p class="note">{_AUTHOR_WORDS}</p>')
        out.append(rows_table(author, PAPER_ROWS, columns) + _note(DATA_DIFFER))
        if any(further.values()):
            out.append(folded("Further figures of this profile", sheet(further, "author")))
    if corrected := _our_rows(results, lambda row: row.get("corrected")):
        if results.get("corrected_aligned"):
            corrected["this run, world aligned as a whole"] = results["corrected_aligned"]
        out.append(f'<h3>Profile corrected</h3><p class="note">{_CORRECTED_WORDS}</p>')
        out.append(short_sheet(corrected, "corrected"))
    return "<h2>Accuracy, everybody</h2>" + "".join(out) if out else ""


def _occluded(results: Mapping[str, Any]) -> str:
    out = []
    if author := _our_rows(results, lambda row: (row.get("occluded") or {}).get("author")):
        held = dict.fromkeys(k for row in author.values() for k in row)
        columns = [m for m in (*_OCCLUDED_COLUMNS, *PAPER_METRICS) if m in held]
        out.append(
            f"<h3>Profile author</h3>{rows_table(author, PAPER_OCCLUDED, list(dict.fromkeys(columns)))}"
        )
        out.append(_note(DATA_DIFFER))
    if corrected := _our_rows(results, lambda row: (row.get("occluded") or {}).get("corrected")):
        out.append(f"<h3>Profile corrected</h3>{short_sheet(corrected, 'corrected')}")
    if hidden := _our_rows(results, lambda row: (row.get("hidden") or {}).get("corrected")):
        out.append(f"<h3>Profile corrected, wholly hidden people</h3>{_note(_HIDDEN_WORDS)}")
        out.append(short_sheet(hidden, "corrected"))
    return "<h2>Accuracy, occluded people</h2>" + "".join(out) if out else ""


def _identity(identity: Numbers) -> str:
    if not identity:
        return ""
    rows = _identity_rows("", identity)
    columns = list(dict.fromkeys(k for row in rows.values() for k in row))
    return f'<h2>Identity</h2><p class="note">{_IDENTITY_WORDS}</p>{rows_table(rows, {}, columns)}'


def _identity_rows(before: str, identity: Numbers) -> dict[str, Numbers]:
    """The table and those within it, each under its own words: live, on the ground, ..."""
    flat = {k: v for k, v in identity.items() if not isinstance(v, Mapping)}
    out: dict[str, Numbers] = {f"{before}in the picture (IoU 0.5)": flat} if flat else {}
    for key, value in identity.items():
        if isinstance(value, Mapping) and key == "ground":
            out[f"{before}on the ground (within 1 m)"] = value
        elif isinstance(value, Mapping):
            out |= _identity_rows(f"{before}{plain(key)}, ", value)
    return out


def _long_occlusions(found: Numbers) -> str:
    if not found.get("gaps"):
        return ""
    lengths = found.get("by_length") or {}
    rows = {name: row for name, row in lengths.items() if row.get("gaps")}
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    whole = {key: value for key, value in found.items() if not isinstance(value, Mapping)}
    return (
        f"<h2>Long occlusions</h2>{_note(_GAP_WORDS)}{list_table(whole)}"
        f"<h3>By length of the gap</h3>{rows_table(rows, {}, columns)}"
    )


def _refined(refined: Numbers) -> str:
    if not (refined.get("revisions") or refined.get("merges")):
        return ""
    return (
        f"<h2>Who came back, and what was revised</h2>{_note(_REFINED_WORDS)}"
        f'<div class="side"><div>{list_table(refined)}</div><div>{nested_tables(refined, _TITLES)}</div></div>'
    )


def _streaming(results: Mapping[str, Any]) -> str:
    streaming: Numbers = results.get("streaming") or {}
    plots: Numbers = results.get("plots") or {}
    drawings = _latency_plots(plots.get("error_by_latency") or {})
    revisions: Numbers = plots.get("revision_mm") or {}
    if len(revisions.get("counts") or []):
        drawings.append(
            histogram(
                revisions["edges"], revisions["counts"], title="How far joints move from one version to the next",
                x_label="revision, mm (logarithmic)", y_label="versions", log_x=True,
            )
        )  # fmt: skip
    if not streaming and not drawings:
        return ""
    return (
        f'<h2>Streaming</h2><p class="note">{_STREAMING_WORDS}</p>{_figures(drawings)}'
        f'<div class="side"><div><h3>In the end</h3>{list_table(streaming)}</div>'
        f"<div>{nested_tables(streaming, _TITLES)}</div></div>"
    )


def _latency_plots(curve: Numbers) -> list[str]:
    if not curve:
        return []
    t_s = [float(t) / 1e3 for t in curve["t_ms"]]
    errors = {name_of(k): v for k, v in curve.items() if k.endswith("_mm")}
    shares = {
        name_of(k): [_percent(s) for s in v]
        for k, v in curve.items()
        if k != "t_ms" and not k.endswith("_mm")
    }
    x_label, out = "time after capture, s (logarithmic)", []
    if errors:
        title = "Error of the newest version"
        out.append(line_chart(t_s, errors, title=title, x_label=x_label, y_label="mm", log_x=True))
    if shares:
        title = "Share of true person-frames held"
        out.append(
            line_chart(t_s, shares, title=title, x_label=x_label, y_label="%", log_x=True, y_max=100.0)
        )
    return out


def _where(plots: Numbers) -> str:
    """Errors by distance, occlusion, joint and time, and the paths."""
    drawings = []
    for key, edges, title, x_label in (
        (
            "error_by_distance",
            "edges_m",
            "Error by distance from the camera",
            "distance, m",
        ),
        ("error_by_occlusion", "edges", "Error by how much is seen", "share of the body that is seen"),
    ):
        if part := plots.get(key):
            series = {name_of(k): v for k, v in part.items() if k not in (edges, "count")}
            shown = _last_cut(part[edges])
            label = x_label if shown == list(part[edges]) else f"{x_label} (last step: and beyond)"
            drawings.append(
                step_chart(shown, series, title=title, x_label=label, y_label="mm", counts=part.get("count"))
            )
    if joints := plots.get("per_joint_mm"):
        drawings.append(
            bar_chart({plain(k): v for k, v in joints.items()}, title="Error of each joint", unit="mm")
        )
    if paths := plots.get("paths"):
        drawings.append(plan(paths.get("true") or [], paths.get("found") or [], title="Paths from above"))
    if part := plots.get("error_over_time"):
        series = {name_of(k): v for k, v in part.items() if k.endswith("_mm")}
        drawings.append(
            line_chart(part["t_s"], series, title="Error over time", x_label="time, s", y_label="mm")
        )
    return "<h2>Where the error is</h2>" + _figures(drawings) if drawings else ""


def _last_cut(edges: Sequence[float]) -> list[float]:
    """The edges with a last step that reaches very far drawn as wide as the one before."""
    out = list(edges)
    if len(out) > 2 and out[-1] - out[-2] > 3 * (out[-2] - out[-3]):
        out[-1] = 2 * out[-2] - out[-3]
    return out


def _speed(speed: Numbers) -> str:
    if not speed:
        return ""
    paper = "; ".join(f"{name} {rate} ({what})" for name, (rate, what) in PAPER_SPEED.items())
    return f"<h2>Speed</h2>{list_table(speed)}{nested_tables(speed, _TITLES)}" + _note(
        f"For the scale of it, person-frames a second in the paper: {paper}."
    )


def _rest(results: Mapping[str, Any]) -> str:
    """Whatever else the results hold."""
    out = []
    for key, value in results.items():
        if key not in _KNOWN and isinstance(value, Mapping) and value:
            out.append(
                f"<div><h3>{escape(plain(key))}</h3>{list_table(value)}{nested_tables(value, {})}</div>"
            )
    return f'<h2>Further figures</h2><div class="side">{"".join(out)}</div>' if out else ""


# --- small parts ------------------------------------------------------------------------------------------


def _our_rows(
    results: Mapping[str, Any], pick: Callable[[Mapping[str, Any]], Numbers | None]
) -> dict[str, Numbers]:
    """This run and its variants, those of them that have the part asked for."""
    rows = {OUR_ROW: pick(results)} | {k: pick(v) for k, v in (results.get("rows") or {}).items()}
    return {k: v for k, v in rows.items() if v}


def _figures(drawings: Sequence[str]) -> str:
    return (
        f'<div class="plots">{"".join(f"<figure>{d}</figure>" for d in drawings)}</div>' if drawings else ""
    )


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'


def _percent(value: Any) -> float | None:
    return 100.0 * value if is_number(value) else None


_AUTHOR_WORDS = (
    "As the authors' evaluator counts: joints relative to the pelvis, 150 mm for every true person that is not found, "
    "ACCEL in their own unit. Only for standing beside the paper's rows; never to be mixed with the other profile."
)
_CORRECTED_WORDS = (
    "The same questions asked properly: world positions, exact consecutive frames, and completeness reported apart "
    "instead of baked into the millimetres."
)
_IDENTITY_WORDS = (
    "CLEAR, identity and HOTA scores as the MOT challenges compute them. Hidden people are neither misses nor false "
    "alarms."
)
_HIDDEN_WORDS = "Under 5 % of the body is to be seen: where they are can only be told from before and after."
_GAP_WORDS = (
    "A person in the picture is sighted for a second, then not for 2 to 6 s, then for a second again. Rejoined: under "
    "the same identity after as before. Wrong joins: of two different people. Errors are of bodies inside rejoined "
    "gaps; straight: the root straight and each joint evenly from the last body before to the first after, on the same "
    "person-frames."
)
_REFINED_WORDS = (
    "Merges and splits say who a track is. Revisions give completed segments again: gaps filled, badly seen people "
    "guided by others who move alike, what rested on a wrong join taken back."
)
_STREAMING_WORDS = (
    "What a consumer holds at a time after capture: the newest published version of each true person-frame, how far "
    "off it is, and how much of the crowd has one at all. Means are over those that have one, so read error and share "
    "together."
)
_TITLES = {
    "at_delay": "What is held after",
    "latency_ms": "Latency of messages, ms",
    "first_ms": "Capture to first version of a person-frame, ms",
    "revisions": "Revisions",
    "by_cause": "Revisions by cause",
    "refiner": "Counted by the refiner",
    "processor_s": "Processor time, s",
}
