"""`crowdstream doctor`: what this machine has, what the engine would use, and what would make it better."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from pathlib import Path
from typing import Annotated, Any

import typer

from ...kernels.errors import CrowdstreamError
from ...stream.inference.probe import probe_tensorrt
from ...stream.models.catalogue import Role
from ...stream.models.folder import choose, default_folder
from .console_output import emit_json, note

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


def doctor(
    models: Annotated[Path | None, typer.Option("--models", help="Model folder.")] = None,
    json: bool = typer.Option(False, "--json", help="Print the findings as JSON."),
) -> None:
    """Check this machine: packages, cores, shared memory, networks, GPU."""
    folder = models or default_folder()
    findings: dict[str, Any] = {
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "packages": {name: _version(name) for name in PACKAGES},
        "shared_memory_free_mb": _free_mb("/dev/shm"),
        "networks": {role.value: _network(folder, role) for role in (Role.DETECTOR, Role.POSE)},
        "tensorrt": _tensorrt(),
    }
    findings["advice"] = _advice(findings)
    if json:
        emit_json(findings)
        return
    for key, value in findings.items():
        if key != "advice":
            note.print(f"{key}: {value}")
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


def _network(folder: Path, role: Role) -> str:
    try:
        model = choose(folder, role)
        return f"{model.name} ({model.why})"
    except CrowdstreamError as exc:
        return f"none: {exc}"


def _tensorrt() -> str:
    verdict = probe_tensorrt()
    return f"{verdict.tensorrt} on {verdict.gpu}" if verdict.usable else f"not used: {verdict.reason}"


def _advice(findings: dict[str, Any]) -> list[str]:
    advice = []
    for role, text in findings["networks"].items():
        if text.startswith("none"):
            advice.append(f"no {role} network: {text.removeprefix('none: ')}")
    missing = [name for name, version in findings["packages"].items() if version is None]
    if missing:
        advice.append(f"packages missing: {', '.join(missing)}; install crowdstream again")
    shm = findings["shared_memory_free_mb"]
    if shm is not None and shm < 256:
        advice.append(f"only {shm} MB of shared memory; frames need more (in Docker: --shm-size=1g)")
    return advice or ["nothing to mend"]
