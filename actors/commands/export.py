"""`crowdstream export`: a recorded log as files other programs read."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


class ExportFormat(StrEnum):
    """What to write."""

    MOT = "mot"
    CSV = "csv"
    AMASS = "amass"


class CoastingRows(StrEnum):
    """Which predicted boxes become MOT rows."""

    ALL = "all"
    INSIDE = "inside"
    NONE = "none"


def export(
    log: Annotated[Path, typer.Argument(help="Written by `crowdstream run --record`")],
    format: Annotated[
        ExportFormat, typer.Option("--format", "-f", help="mot: boxes; csv: tables; amass: motion")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder; made if need be")],
    session: Annotated[str, typer.Option(help="Which session of the log; the last by default")] = "",
    coasting: Annotated[
        CoastingRows,
        typer.Option(help="mot: predicted boxes to write; inside: those before a later sighting"),
    ] = CoastingRows.INSIDE,
    tracks: Annotated[
        bool,
        typer.Option(
            "--tracks", help="The tracker's own ids: nobody who came back is joined to who they were"
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="What was written, as JSON")] = False,
) -> None:
    """Write a recorded log as MOT text, CSV tables or AMASS motion files."""
    from ...stream.export.amass import export_amass
    from ...stream.export.csv_tables import export_csv
    from ...stream.export.mot import export_mot
    from ...stream.export.recording import Recording

    console = Console(stderr=True)
    with console.status(f"reading {log}") as status:
        recording = Recording(log, session, tracks)
        status.update(f"writing {format.value} to {output}")
        match format:
            case ExportFormat.MOT:
                done = export_mot(recording, output, coasting.value)
            case ExportFormat.CSV:
                done = export_csv(recording, output)
            case ExportFormat.AMASS:
                done = export_amass(recording, output)
    if as_json:
        print(
            json.dumps({"files": [str(f) for f in done.files], "rows": done.rows, "notes": list(done.notes)})
        )
        return
    for note in done.notes:
        console.print(f"note: {note}", highlight=False)
    what = "frames of motion" if format is ExportFormat.AMASS else "rows"
    print(f"{done.rows} {what} in {len(done.files)} file(s) in {output}")
