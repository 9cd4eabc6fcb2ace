"""`crowdstream models list|pull|build`: the networks there are, and getting them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.errors import ModelError
from ...stream.models.catalogue import CATALOGUE, CatalogueEntry, Role, entry_by_name
from ...stream.models.figures import figures_of
from ...stream.models.folder import ModelFile, choose, default_folder
from ...stream.models.shipped import SHIPPED
from .console_output import emit_json, note
from .network_advice import RUN_ROLES, Advice, advise, appearance_in_words, gpu_driver_present

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

app = typer.Typer(no_args_is_help=True, help="The networks: what there is, what is used, how to get more.")

ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="Model folder; default $CROWDSTREAM_MODELS.")
]


@app.command("list")
def list_models(models: ModelsOption = None, json: bool = typer.Option(False, "--json")) -> None:
    """Every network: whether it is here, which one a run would use, why, and what would be stronger."""
    folder = models or default_folder()
    used = {role: _chosen(folder, role) for role in RUN_ROLES}
    rows = [_row(entry, folder, used.get(entry.role)) for entry in (*SHIPPED, *CATALOGUE)]
    advice = advise(
        [model for model in used.values() if isinstance(model, ModelFile)], models, gpu_driver_present()
    )
    unnamed = _unnamed(folder)
    if json:
        in_use = {role.value: _in_use(model) for role, model in used.items()}
        stronger = {a.role.value: a.as_dict() for a in advice}
        emit_json(
            {
                "folder": str(folder),
                "models": rows,
                "in_use": in_use,
                "stronger": stronger,
                "appearance": appearance_in_words(folder),
                "unnamed": unnamed,
            }
        )
        return
    _print_table(folder, rows)
    _print_reasons(used, advice, appearance_in_words(folder), unnamed)


def _row(entry: CatalogueEntry, folder: Path, used: ModelFile | str | None) -> dict[str, Any]:
    ships = entry in SHIPPED
    figures = figures_of(entry.name)
    return {
        "name": entry.name,
        "role": entry.role.value,
        "ships": ships,
        "here": _here(entry, folder),
        "used": isinstance(used, ModelFile) and used.name == entry.name,
        "accuracy": figures.accuracy,
        "cost": figures.cost,
        "licence": entry.licence,
        "file": entry.file,
        "url": entry.url,
        "sha256": entry.sha256,
        "note": entry.note,
    }


def _here(entry: CatalogueEntry, folder: Path) -> bool:
    try:
        choose(folder, entry.role, entry.name)
    except CrowdstreamError:
        return False
    return True


def _state(row: dict[str, Any]) -> str:
    if row["used"]:
        return "in use"
    if row["here"]:
        return "ships" if row["ships"] else "here"
    return "stripped" if row["ships"] else "pull" if row["url"] else "bring"


def _print_table(folder: Path, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    licences = ", ".join(sorted({row["licence"] for row in rows}))
    table = Table(title=f"networks (folder: {folder}; licence: {licences})")
    table.add_column("name", no_wrap=True)  # it is what `pull` wants to hear
    for heading in ("role", "state", "accuracy", "cost", "note"):
        table.add_column(heading)
    for row in rows:
        table.add_row(row["name"], row["role"], _state(row), row["accuracy"], row["cost"], row["note"])
    Console().print(table)


def _print_reasons(
    used: dict[Role, ModelFile | str], advice: list[Advice], appearance: str, unnamed: list[str]
) -> None:
    """What stands below the table."""
    from rich.console import Console

    console = Console(highlight=False, markup=False, soft_wrap=True)
    for role, model in used.items():
        text = f"{model.name} ({model.why})" if isinstance(model, ModelFile) else f"none: {model}"
        console.print(f"{role} in use: {text}")
    console.print(f"appearance: {appearance}")
    for item in advice:
        console.print(f"-> {item.sentence()}")
    for name in unnamed:
        console.print(
            f"{name} is not of the catalogue; a run takes it when told: --set inference.pose={name}"
        )


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
    from ...stream.observe_config import AppearanceSource

    config = load_config()
    folder = models or default_folder()
    report: dict[str, object] = {}
    roles = [(Role.DETECTOR, config.inference.detector), (Role.POSE, config.inference.pose)]
    if config.inference.reid or config.perception.appearance is AppearanceSource.REID:
        roles.append((Role.REID, config.inference.reid))
    for role, wanted in roles:
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
    if entry is None and any(name == ships.name for ships in SHIPPED):
        raise ModelError(f"{name} comes with the package and is never downloaded; there is nothing to pull")
    if entry is None:
        raise ModelError(f"no network {name!r} in the catalogue; see `crowdstream models list`")
    return entry


def _chosen(folder: Path, role: Role) -> ModelFile | str:
    """What a run would take, or the one line that says why it cannot."""
    try:
        return choose(folder, role)
    except CrowdstreamError as exc:
        return str(exc)


def _in_use(model: ModelFile | str) -> dict[str, str]:
    if isinstance(model, str):
        return {"error": model}
    return {"name": model.name, "path": str(model.path), "why": model.why}


def _unnamed(folder: Path) -> list[str]:
    """ONNX files in the folder that no catalogue name stands for."""
    known = {entry.file for entry in CATALOGUE}
    return sorted(path.name for path in folder.glob("*.onnx") if path.name not in known)
