"""The suite's part of docs/results.md: our tables, the paper's beside them, between two marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..evaluate.paper import DATA_DIFFER, PAPER_OCCLUDED, PAPER_ROWS, PAPER_SPEED
from ..evaluate.table import CORRECTED_ROWS, cell
from .markdown import markdown_table, means_of
from .row_page import rows_section
from .suite import Report, SuiteCase

BEGIN, END = "<!-- suite:begin -->", "<!-- suite:end -->"

_AUTHOR = (("pa_ppds", "PA-PPDS", 100.0), ("pcod", "PCOD", 100.0), ("mpjpe_mm", "MPJPE", 1.0),
           ("pa_mpjpe_mm", "PA-MPJPE", 1.0), ("wa_mpjpe_mm", "WA", 1.0), ("w_mpjpe_mm", "W", 1.0),
           ("accel", "ACCEL", 1.0), ("ppds", "PPDS", 100.0))  # fmt: skip
_IDENTITY = (("identity.idf1", "IDF1"), ("identity.mota", "MOTA"), ("identity.hota", "HOTA"),
             ("identity.ground.idf1", "IDF1 ground"), ("identity.ground.hota", "HOTA ground"))  # fmt: skip
_SOLVE_SPEED = "speed.solve_person_frames_per_s"


def section(
    cases: Sequence[SuiteCase],
    machine: str,
    paper_cases: Sequence[SuiteCase] = (),
    live_cut: Sequence[SuiteCase] = (),
    rows: Mapping[str, Sequence[SuiteCase]] | None = None,
) -> str:
    """Markdown of the whole suite.

    Args:
        machine: what it ran on, a few words.
        paper_cases: the same cameras solved by preset `paper`, over a shorter cut.
        live_cut: and by `live` over that cut.
        rows: of `run_rows`; one alone shows nothing and is left out.
    """
    parts = [
        _head(cases, machine),
        _author(cases),
        _occluded(cases),
        _corrected(cases),
        _identity(cases),
        _streaming(cases),
    ]
    if rows is not None and len(rows) > 1:
        parts.append(rows_section(rows))
    if paper_cases and live_cut:
        parts.append(_presets(paper_cases, live_cut))
    return "\n\n".join(parts)


def _head(cases: Sequence[SuiteCase], machine: str) -> str:
    counts = [case.report["counts"] for case in cases]
    run = cases[0].report["run"]
    total = {key: sum(int(c[key]) for c in counts) for key in
             ("person_frames", "occluded_person_frames", "hidden_person_frames", "ignored_person_frames",
              "people_never_seen")}  # fmt: skip
    return (
        "## Virtual crowds: the standing suite\n\n"
        f"Written by `crowdstream bench suite --docs docs/results.md`; {machine}. {len(cases)} cameras (scene and\n"
        f"view in the first column), preset `{run['config']}`, {run['observations']} observations, calibration\n"
        f"{run['calibration']}: {total['person_frames']:,} person-frames to be found, "
        f"{total['occluded_person_frames']:,} of them occluded (half of the\nkeypoints in the picture or more are "
        f"hidden) and {total['hidden_person_frames']:,} hidden (under 5 % of the body to be seen).\n"
        f"Hidden people count; {total['ignored_person_frames']:,} person-frames out of the picture (under 30 % of "
        f"the box inside) do not.\nPeople never to be seen at all are charged all the same: "
        f"{total['people_never_seen']} here. Lengths in mm, shares in percent.\n\n"
        f"{DATA_DIFFER}"
    )


def _author(cases: Sequence[SuiteCase]) -> str:
    head = ["author profile, everybody", *(heading for _, heading, _ in _AUTHOR)]
    rows = [
        [f"{case.name}", *(cell(case.report["author"].get(key), by) for key, _, by in _AUTHOR)]
        for case in cases
    ]
    mean = means_of(cases)
    rows.append(
        ["**crowdstream, mean**", *(f"**{cell(mean('author.' + key), by)}**" for key, _, by in _AUTHOR)]
    )
    rows += [
        [f"paper: {name}", *(cell(row.get(key), by) for key, _, by in _AUTHOR)]
        for name, row in PAPER_ROWS.items()
    ]
    return markdown_table(head, rows)


def _occluded(cases: Sequence[SuiteCase]) -> str:
    keys = (("mpjpe_mm", "MPJPE"), ("pa_mpjpe_mm", "PA-MPJPE"))
    mean = means_of(cases)
    rows = [["**crowdstream, mean**", *(f"**{cell(mean('occluded.author.' + key))}**" for key, _ in keys)]]
    rows += [
        [f"paper: {name}", *(cell(row.get(key)) for key, _ in keys)] for name, row in PAPER_OCCLUDED.items()
    ]
    return markdown_table(["author profile, occluded people", *(heading for _, heading in keys)], rows)


def _corrected(cases: Sequence[SuiteCase]) -> str:
    mean = means_of(cases)
    rows = [
        [
            label,
            cell(mean(f"corrected.{key}"), by, digits),
            cell(mean(f"occluded.corrected.{key}"), by, digits),
        ]
        for key, label, by, digits in CORRECTED_ROWS
    ]
    return markdown_table(["corrected profile, mean", "everybody", "occluded"], rows)


def _identity(cases: Sequence[SuiteCase]) -> str:
    rows = [[case.name, *(cell(_at(case.report, name), 1.0, 3) for name, _ in _IDENTITY)] for case in cases]
    mean = means_of(cases)
    rows.append(["**mean**", *(f"**{cell(mean(name), 1.0, 3)}**" for name, _ in _IDENTITY)])
    return markdown_table(["identity of tracks", *(heading for _, heading in _IDENTITY)], rows)


def _streaming(cases: Sequence[SuiteCase]) -> str:
    mean = means_of(cases)
    rows = []
    for delay in cases[0].report["streaming"]["at_delay"]:
        at = ("streaming", "at_delay", delay)
        rows.append([
            delay, cell(mean(*at, "coverage"), 100.0), cell(mean(*at, "coverage_bodies"), 100.0),
            cell(mean(*at, "ground_mm"), 1.0, 0), cell(mean(*at, "mpjpe_mm")),
        ])  # fmt: skip
    paper = ", ".join(f"{name} {value:g} ({what})" for name, (value, what) in PAPER_SPEED.items())
    told = (
        f"Latency of messages p95: live {cell(mean('streaming.latency_ms.live.p95'), 1.0, 0)} ms, window "
        f"{cell(mean('streaming.latency_ms.window.p95'), 1.0, 0)} ms after the newest frame in them: each stage a\n"
        "server with a queue, its cost the processor time measured; capture and networks are not in it.\n"
        f"{cell(mean('speed.person_frames_per_s'), 1.0, 0)} person-frames a processor second for tracking and "
        f"bodies together (solve alone {cell(mean('speed.solve_person_frames_per_s'), 1.0, 0)}).\nPaper: {paper}."
    )
    head = ["newest version after", "known %", "with body %", "ground mm", "MPJPE mm"]
    return markdown_table(head, rows) + "\n\n" + told


def _presets(paper: Sequence[SuiteCase], live: Sequence[SuiteCase]) -> str:
    seconds = paper[0].report["run"]["seconds"]
    head = [f"first {seconds:g} s", *(heading for _, heading, _ in _AUTHOR), "recall", "pf/s"]
    rows = []
    for name, cases in (("live", live), ("paper", paper)):
        mean = means_of(cases)
        scores = [cell(mean("author." + key), by) for key, _, by in _AUTHOR]
        recall = cell(mean("corrected.recall"), 100.0)
        rows.append([f"preset `{name}`", *scores, recall, cell(mean(_SOLVE_SPEED), 1.0, 0)])
    words = "Both presets on the same cameras and sightings, author profile; pf/s of the solver alone."
    return markdown_table(head, rows) + "\n\n" + words


def _at(report: Report, name: str) -> Any:
    value: Any = report
    for key in name.split("."):
        value = value.get(key) if isinstance(value, Mapping) else None
    return value
