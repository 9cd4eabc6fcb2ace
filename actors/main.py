"""The command line. Exit codes: 0 done, 1 failed with a cause in one line, 2 usage."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import sys
from typing import Annotated, Any

# Thread pools are sized by the engine's own settings; libraries that read these at import must not
# each take every core. Set before numpy, torch and OpenCV are loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, str(min(4, os.cpu_count() or 1)))

import typer
from typer.core import TyperGroup

from ..kernels.errors import CrowdstreamError

COMMANDS = (
    "run",
    "demo",
    "replay",
    "tail",
    "status",
    "control",
    "calibrate",
    "export",
    "overlay",
    "models",
    "doctor",
    "bench",
    "virtualcrowd",
    "evaluate",
    "train",
)
"""Each a module of `commands` with a function of its name, or with an `app` of sub-commands."""


class Commands(TyperGroup):
    """Imports a command when it is asked for: whoever follows a stream need not wait for what solves it.

    Contexts and commands are click's, or those of the click inside newer typers.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """In the order of a newcomer's needs."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """None for a name that is no command."""
        if cmd_name not in COMMANDS:
            return None
        if cmd_name not in self.commands:
            self.commands[cmd_name] = _load(cmd_name)
        return self.commands[cmd_name]


def _load(name: str) -> Any:
    module = importlib.import_module(f".commands.{name}", __package__)
    own = getattr(module, "app", None)
    if own is None:
        own = typer.Typer(add_completion=False)
        own.command(name)(getattr(module, name))
    command = typer.main.get_command(own)
    command.name = name
    return command


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _version(asked: bool) -> None:
    if asked:
        print(f"crowdstream {importlib.metadata.version('crowdstream')}")
        raise typer.Exit


@app.callback()
def crowdstream(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Streaming, incremental 3D crowd reconstruction."""


def main(arguments: list[str] | None = None) -> None:
    """Entry point: run a command, turn expected failures into one line."""
    try:
        app(arguments, prog_name="crowdstream")
    except CrowdstreamError as exc:
        print(f"crowdstream: {' '.join(str(exc).split())}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("crowdstream: stopped", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
