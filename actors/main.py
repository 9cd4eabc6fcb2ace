"""The command line. Exit codes: 0 done, 1 failed with a cause in one line, 2 usage."""

from __future__ import annotations

import os
import sys

# Thread pools are sized by the engine's own settings; libraries that read these at import must not
# each take every core. Set before numpy, torch and OpenCV are loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, str(min(4, os.cpu_count() or 1)))

import typer

from ..kernels.errors import CrowdstreamError
from .commands import bench, calibrate, demo, doctor, export, models, replay, run, tail

app = typer.Typer(
    name="crowdstream",
    help="Streaming, incremental 3D crowd reconstruction.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("run")(run.run)
app.command("demo")(demo.demo)
app.command("replay")(replay.replay)
app.command("tail")(tail.tail)
app.command("calibrate")(calibrate.calibrate)
app.command("export")(export.export)
app.command("doctor")(doctor.doctor)
app.add_typer(models.app, name="models")
app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point: run a command, turn expected failures into one line."""
    try:
        app()
    except CrowdstreamError as exc:
        print(f"crowdstream: {exc}", file=sys.stderr)
        raise SystemExit(1) from None
    except KeyboardInterrupt:
        print("crowdstream: stopped", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
