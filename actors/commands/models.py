"""`crowdstream models list|pull|build`: the networks there are, and getting them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.errors import ModelError
from ...stream.models.catalogue import CATALOGUE, CatalogueEntry, Role, entry_by_name
from ...stream.models.folder import choose, default_folder
from .console_output import emit_json, note

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

app = typer.Typer(no_args_is_help=True, help="The networks: what there is, what is used, how to get more.")

ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="Model folder; default $CROWDSTREAM_MODELS.")
]


@app.command("list")
def list_models(models: ModelsOption = None, json: bool = typer.Option(False, "--json")) -> None:
    """Every network of the catalogue, whether it is here, and which one a run would use."""
    folder = models or default_folder()
    used = {role: _chosen(folder, role) for role in Role}
    rows = [
        {
            "name": entry.name,
            "role": entry.role.value,
            "here": (folder / entry.file).is_file(),
            "used": used[entry.role] == entry.name,
            "licence": entry.licence,
            "file": entry.file,
            "url": entry.url,
            "sha256": entry.sha256,
            "note": entry.note,
        }
        for entry in CATALOGUE
    ]
    if json:
        emit_json({"folder": str(folder), "models": rows})
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"networks (folder: {folder})")
    table.add_column("name", no_wrap=True)  # it is what `pull` wants to hear
    for heading in ("role", "state", "licence", "note"):
        table.add_column(heading)
    for row in rows:
        state = "in use" if row["used"] else "here" if row["here"] else "pull" if row["url"] else "bring"
        table.add_row(str(row["name"]), str(row["role"]), state, str(row["licence"]), str(row["note"]))
    Console().print(table)


@app.command("pull")
def pull(
    names: list[str] = typer.Argument(..., help="Catalogue names."),
    models: ModelsOption = None,
) -> None:
    """Download networks of the catalogue into the model folder; sums are checked."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from ...stream.models.download import pull as pull_entry

    folder = models or default_folder()
    entries = [_known(name) for name in names]
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), console=note) as bars:
        for entry in entries:
            task = bars.add_task(entry.name, total=entry.size_bytes)
            path = pull_entry(entry, folder, partial(_advance, bars, task))
            bars.print(f"{entry.name} ({entry.licence}) -> {path}")


@app.command("build")
def build(models: ModelsOption = None, json: bool = typer.Option(False, "--json")) -> None:
    """Open the networks a run would use, building TensorRT plans into the cache where that works."""
    from ...configs.load import load_config
    from ...stream.inference.ladder import open_network

    config = load_config()
    folder = models or default_folder()
    report: dict[str, object] = {}
    for role, wanted in ((Role.DETECTOR, config.inference.detector), (Role.POSE, config.inference.pose)):
        model = choose(folder, role, wanted)
        network = open_network(model, config.inference)
        report[role.value] = network.describe()
        network.backend.close()
        note.print(f"{role.value}: {model.name} on {network.backend.rung}")
        for rung, reason in network.refused:
            note.print(f"  not {rung}: {reason}")
    if json:
        emit_json(report)


def _advance(bars: Progress, task: TaskID, done: int, total: int | None) -> None:
    bars.update(task, completed=done, total=total)


def _known(name: str) -> CatalogueEntry:
    entry = entry_by_name(name)
    if entry is None:
        raise ModelError(f"no network {name!r} in the catalogue; see `crowdstream models list`")
    return entry


def _chosen(folder: Path, role: Role) -> str:
    try:
        return choose(folder, role).name
    except CrowdstreamError:
        return ""
