"""The figures of detector and pose network as people read them on a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from ...evaluate.table import cell

Numbers = Mapping[str, Any]


def print_detector(results: Numbers, console: Console) -> None:
    """PETS against its annotation, the hall against the yardstick, costs."""
    pets, hall = results["pets"], results["hall"]
    title = "PETS09 S2.L1, annotated, IoU 0.5; hidden people included; %"
    if "absent" in pets:
        console.print(f"{title}: not scored, {pets['absent']}")
    else:
        console.print(_pets(title, pets))
        console.print(_classes("PETS09: recall by height of the box, px; %", pets, "recall_by_height"))
        console.print(_classes("PETS09: recall by share hidden by others; %", pets, "recall_by_hidden"))
    title = "hall, beside the yardstick's boxes (score >= 0.45); %"
    if "absent" in hall:
        console.print(f"{title}: not scored, {hall['absent']}")
    else:
        console.print(_hall(f"{title}; its input {hall['yardstick_input']}", hall))
        console.print(_classes("hall: found by height of the box, px; %", hall, "found_by_height"))
    _sweeps(results, console)
    console.print(_costs(results["costs"]))
    console.print(_told(results), style="italic", soft_wrap=True)


def print_pose(results: Numbers, console: Console) -> None:
    """Both clips beside the yardstick's keypoints, keypoint by keypoint, the four views, costs."""
    for name in ("hall", "pets"):
        part = results[name]
        title = f"{name}: distance to the yardstick's keypoints, % of the box's height"
        if "absent" in part:
            console.print(f"{title}: not scored, {part['absent']}")
            continue
        console.print(_pose(title, part["rows"]))
    if "absent" not in results["hall"]:
        console.print(_by_keypoint(results["hall"]["rows"]))
        console.print(_pose_heights(results["hall"]["rows"]))
    views = results.get("views")
    if views is not None:
        console.print(_views(views) if "absent" not in views else f"four views: {views['absent']}")
    console.print(_costs(results["costs"]))
    console.print(_told(results), style="italic", soft_wrap=True)


def _pets(title: str, part: Numbers) -> Table:
    headings = (
        "prec",
        "recall",
        "F1",
        "at",
        "AP",
        "best F1",
        "prec",
        "recall",
        "at",
        "nobody",
        "double",
        "shared",
    )
    table = _table(title, ("", "input", *headings))
    for row in part["rows"]:
        at, best = row["at"], row["best"]
        table.add_row(
            row["who"], row["input"], *(cell(at[key], 100.0) for key in ("precision", "recall", "f1")),
            cell(at["threshold"], 1.0, 2), cell(row["ap"], 100.0), cell(best["f1"], 100.0),
            cell(best["precision"], 100.0), cell(best["recall"], 100.0), cell(best["threshold"], 1.0, 2),
            str(row["false_of_nobody"]), str(row["false_on_somebody"]), str(row.get("false_shared", "-")),
        )  # fmt: skip
    return table


def _hall(title: str, part: Numbers) -> Table:
    table = _table(title, ("", "input", "found", "false", "of nobody", "boxes", "at"))
    for row in part["rows"]:
        at = row["at"]
        shares = (cell(at[key], 100.0) for key in ("found", "false", "of_nobody"))
        table.add_row(row["who"], row["input"], *shares, str(at["boxes"]), cell(at["threshold"], 1.0, 2))
    return table


def _classes(title: str, part: Numbers, key: str) -> Table:
    edges = sorted({(c["from"], c.get("to")) for row in part["rows"] for c in row[key]}, key=lambda e: e[0])
    counts = {c["from"]: c["count"] for row in part["rows"] for c in row[key]}
    heads = [f"{low:g}-{high:g}" if high else f"{low:g}+" for low, high in edges]
    table = _table(title, ("", "input", *heads))
    for row in part["rows"]:
        found = {c["from"]: c["share"] for c in row[key]}
        table.add_row(row["who"], row["input"], *(cell(found.get(low), 100.0) for low, _ in edges))
    table.add_row("boxes", "", *(str(counts[low]) for low, _ in edges))
    return table


def _sweeps(results: Numbers, console: Console) -> None:
    """The network alone, threshold by threshold."""
    columns: list[tuple[str, str, list[Numbers]]] = []
    for name, first, second in (("pets", "precision", "recall"), ("hall", "found", "false")):
        for row in results[name].get("rows", ()):
            if row["who"] == "network":
                columns.append((f"{name} {row['input']}", f"{first}/{second}", row["sweep"]))
    if not columns:
        return
    table = _table("network by threshold; %", ("at", *(f"{name}\n{what}" for name, what, _ in columns)))
    for points in zip(*(sweep for _, _, sweep in columns), strict=True):
        cells = [
            "/".join(cell(point[key], 100.0) for key in what.split("/"))
            for point, (_, what, _) in zip(points, columns, strict=True)
        ]
        table.add_row(cell(points[0]["threshold"], 1.0, 2), *cells)
    console.print(table)


_POSE = (
    ("mean", "mean"), ("median", "median"), ("p90", "p90"), ("pck", "PCK@0.1"), ("pck_of_sure_reference", "of all"),
    ("mean_sides_forgiven", "sides forgiven"), ("sides_exchanged", "exchanged"), ("turned_round", "turned"),
    ("confident", "sure"), ("confident_reference", "yardstick sure"),
)  # fmt: skip


def _pose(title: str, rows: Sequence[Numbers]) -> Table:
    table = _table(title, ("", *(heading for _, heading in _POSE), "people"))
    for row in rows:
        table.add_row(row["who"], *(cell(row[key], 100.0) for key, _ in _POSE), str(row["people"]))
    return table


def _by_keypoint(rows: Sequence[Numbers]) -> Table:
    heads = [f"{row['who']}\nmean/sure" for row in rows]
    table = _table("hall by keypoint, %", ("", *heads, "yardstick\nsure"))
    for name in rows[0]["by_keypoint"]:
        parts = [row["by_keypoint"][name] for row in rows]
        cells = [f"{cell(part['mean'], 100.0)}/{cell(part['confident'], 100.0, 0)}" for part in parts]
        table.add_row(name.replace("_", " "), *cells, cell(parts[0]["confident_reference"], 100.0, 0))
    return table


def _pose_heights(rows: Sequence[Numbers]) -> Table:
    classes = rows[0]["by_height"]
    heads = [f"{c['from']:g}-{c['to']:g}" if "to" in c else f"{c['from']:g}+" for c in classes]
    table = _table("hall: mean distance by height of the box, px; %", ("", *heads))
    for row in rows:
        table.add_row(row["who"], *(cell(c["mean"], 100.0) for c in row["by_height"]))
    table.add_row("people", *(str(c["people"]) for c in classes))
    return table


def _views(part: Numbers) -> Table:
    table = _table(
        f"four calibrated views, {part['people']} people-frames: own joints triangulated",
        ("", "re-projection, % of height", "p90", "views agree, %", "joints known, %", "to the yardstick, mm", "p90"),
    )  # fmt: skip
    for row in part["rows"]:
        table.add_row(
            row["who"], cell(row["reprojection"], 100.0, 2), cell(row["reprojection_p90"], 100.0, 2),
            cell(row["agree"], 100.0), cell(row["known"], 100.0), cell(row["apart_mm"], 1.0, 0),
            cell(row["apart_p90_mm"], 1.0, 0),
        )  # fmt: skip
    return table


def _costs(costs: Numbers) -> str | Table:
    if "absent" in costs:
        return f"costs: not measured, {costs['absent']}"
    table = _table("costs, one thread", ("", "", "ms of processor", "of the yardstick's"))
    for row in costs["rows"]:
        table.add_row(
            row["what"].replace("_", " "), row["who"], cell(row["ms"], 1.0, 2), cell(row["ratio"], 1.0, 2)
        )
    return table


def _told(results: Numbers) -> str:
    run = results["run"]
    words = [f"network: {run['network']['name']} ({run['network']['why']})"]
    words += [
        f"{who}: {run[who]['name']}" for who in ("yardstick", "floor", "boxes") if run.get(who) is not None
    ]
    return "; ".join([*words, f"every {run['every']}th frame", *results.get("notes", ())]) + "."


def _table(title: str, headings: Sequence[str]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    for k, heading in enumerate(headings):
        table.add_column(heading, justify="right" if k else "left", no_wrap=True)
    return table
