"""`crowdstream doctor`: what this machine has, what the engine would use, whether its cameras work, what to mend."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.health.config import HealthConfig
from ...stream.inference.probe import probe_tensorrt
from ...stream.models.catalogue import Role
from ...stream.models.figures import figures_of
from ...stream.models.folder import ModelFile, choose, default_folder
from ...stream.wire.client import DEFAULT_URL
from .console_output import emit_json, note
from .machine_checks import Finding, check_machine
from .network_advice import RUN_ROLES, advise, appearance_in_words
from .source_checks import SourceFinding, check_sources, ring_bytes

PACKAGES = (
    "torch",
    "numpy",
    "numba",
    "onnxruntime",
    "av",
    "opencv-python-headless",
    "ray",
    "smplx",
    "msgpack",
)


MIN_SHARED_MB = 256


class SourceFails(CrowdstreamError):
    """A camera or recording that was named cannot be used."""


def doctor(
    sources: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SOURCE]...", help="Cameras, recordings or array.yaml to try."),
    ] = None,
    models: Annotated[Path | None, typer.Option("--models", help="Model folder.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Where a log would be written: checks the disk.")
    ] = None,
    timeout: Annotated[float, typer.Option(min=1.0, help="Seconds that a camera may take.")] = 15.0,
    json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
) -> None:
    """Check this machine: packages, cores, memory, disk, clock, GPU, networks; and cameras, when they are named."""
    folder = models or default_folder()
    verdict = probe_tensorrt()
    chosen = {role: _chosen(folder, role) for role in RUN_ROLES}
    machine = check_machine(record, {"publish.listen": DEFAULT_URL, "health.listen": HealthConfig().listen})
    tried = check_sources(sources, timeout) if sources else []
    findings: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "shared_memory_free_mb": _free_mb("/dev/shm"),
        "machine": {finding.name: finding.value for finding in machine},
        "networks": {role.value: _network(model) for role, model in chosen.items()},
        "sources": [asdict(finding) for finding in tried],
        "appearance": appearance_in_words(folder),
        "tensorrt": f"{verdict.tensorrt} on {verdict.gpu}"
        if verdict.usable
        else f"not used: {verdict.reason}",
    }
    in_use = [model for model in chosen.values() if isinstance(model, ModelFile)]
    stronger = [item.sentence() for item in advise(in_use, models, verdict.usable)]
    mend = [*_advice(findings, ring_bytes(tried)), *(found.advice for found in machine if found.advice)]
    findings["advice"] = [*mend, *stronger] or ["nothing to mend"]
    if json:
        emit_json(findings)
    else:
        _print(findings, machine, tried)
    if failed := [finding.name for finding in tried if not finding.ok]:
        raise SourceFails(f"{len(failed)} of {len(tried)} sources cannot be used: {', '.join(failed)}")


def _print(findings: dict[str, Any], machine: list[Finding], tried: list[SourceFinding]) -> None:
    for key, value in findings.items():
        if key not in ("machine", "networks", "sources", "advice"):
            note.print(f"{key}: {value}")
    for finding in machine:
        note.print(f"{finding.name}: {finding.value}")
    for role, network in findings["networks"].items():
        note.print(f"{role}: {_in_words(network)}")
    for source in tried:
        note.print(source.sentence())
    for line in findings["advice"]:
        note.print(f"-> {line}")


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _free_mb(path: str) -> int | None:
    try:
        return shutil.disk_usage(path).free >> 20
    except OSError:
        return None


def _chosen(folder: Path, role: Role) -> ModelFile | str:
    """What a run would take, or the one line that says why it cannot."""
    try:
        model = choose(folder, role)
        model.read()  # a damaged file is found here, not in the first run
    except CrowdstreamError as exc:
        return str(exc)
    return model


def _network(model: ModelFile | str) -> dict[str, str]:
    if isinstance(model, str):
        return {"error": model}
    figures = figures_of(model.name)
    return {
        "name": model.name,
        "path": str(model.path),
        "why": model.why,
        "accuracy": figures.accuracy,
        "cost": figures.cost,
    }


def _in_words(network: dict[str, str]) -> str:
    if "error" in network:
        return "none"
    figures = "; ".join(network[key] for key in ("accuracy", "cost") if network[key])
    return f"{network['name']} ({network['why']})" + (f": {figures}" if figures else "")


def _advice(findings: dict[str, Any], rings: int) -> list[str]:
    """What keeps a run from going, or from going well.

    Args:
        rings: bytes of shared memory that the cameras tried would take.
    """
    advice = []
    for role, network in findings["networks"].items():
        if "error" in network:
            advice.append(f"no {role} network: {network['error']}")
    missing = [name for name, version in findings["packages"].items() if version is None]
    if missing:
        advice.append(f"packages missing: {', '.join(missing)}; install crowdstream again")
    shm = findings["shared_memory_free_mb"]
    needed = max(MIN_SHARED_MB, rings >> 20)
    if shm is not None and shm < needed:
        advice.append(f"only {shm} MB of shared memory; frames need {needed} MB (in Docker: --shm-size=1g)")
    return advice
