"""What was asked of a training, kept beside its checkpoints so that `--resume FOLDER` needs nothing else."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .checkpoint import write_whole
from .errors import CheckpointError, TrainingError

RUN = "run.json"


@dataclass(frozen=True)
class RunRequest:
    """One `crowdstream train`."""

    kind: str
    mocap: tuple[Path, ...]
    """Folders of motion capture, absolute."""
    size: str
    seed: int
    overrides: tuple[str, ...] = ()
    """"key=value" of fit and recipe."""
    steps: int | None = None
    minutes: float | None = None
    threads: int | None = None

    def given(self) -> dict[str, Any]:
        """Settings of the fit that were asked for."""
        fields = {"steps": self.steps, "minutes": self.minutes, "threads": self.threads, "seed": self.seed}
        return {key: value for key, value in fields.items() if value is not None}

    def changed(
        self,
        mocap: Sequence[Path] | None,
        steps: int | None,
        minutes: float | None,
        threads: int | None,
        overrides: Sequence[str] | None,
    ) -> RunRequest:
        """The same training with another budget, place of the data or further settings."""
        new: dict[str, Any] = {"overrides": (*self.overrides, *(overrides or ()))}
        if mocap:
            new["mocap"] = tuple(folder.resolve() for folder in mocap)
        if steps is not None or minutes is not None:
            new |= {"steps": steps, "minutes": minutes}
        if threads is not None:
            new["threads"] = threads
        return replace(self, **new)

    def command(self) -> str:
        """The command line that trains the same again, without this machine's paths."""
        words = ["crowdstream", "train", self.kind]
        words += [word for folder in self.mocap for word in ("--mocap", folder.name or "DIR")]
        words += ["--size", self.size, "--seed", str(self.seed)]
        words += ["--steps", str(self.steps)] if self.steps is not None else []
        words += ["--minutes", f"{self.minutes:g}"] if self.minutes is not None else []
        words += [word for item in self.overrides for word in ("--set", item)]
        return shlex.join([*words, "-o", "FOLDER"])


def write_request(folder: Path, request: RunRequest) -> None:
    """Keep it in the folder, which is made where missing.

    Raises:
        TrainingError: the disk refuses.
    """
    fields = asdict(request) | {"mocap": [str(path) for path in request.mocap]}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(folder / RUN, (json.dumps(fields, indent=1) + "\n").encode())
    except OSError as exc:
        raise TrainingError(f"cannot write {folder / RUN}: {exc.strerror or exc}") from exc


def read_request(folder: Path, kind: str) -> RunRequest:
    """What was asked for in a folder.

    Raises:
        CheckpointError: no training there, a damaged file, or one of another kind.
    """
    path = folder / RUN
    if not path.is_file():
        raise CheckpointError(f"no training in {folder}: expected {RUN} there; begin one with --output")
    try:
        fields = json.loads(path.read_text("utf-8"))
        mocap = tuple(Path(text) for text in fields.pop("mocap"))
        request = RunRequest(mocap=mocap, **fields | {"overrides": tuple(fields["overrides"])})
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
        raise CheckpointError(f"{path} is damaged ({exc}); begin in a new folder") from exc
    if request.kind != kind:
        raise CheckpointError(f"{folder} trains {request.kind}, not {kind}; say {request.kind}")
    return request
