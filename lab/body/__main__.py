"""Make the shipped body and, if asked, pictures of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .build import build_body, save_body
from .gallery import write_gallery


def main(
    out: Annotated[Path, typer.Option("-o", "--out", help="The .npz to write.")] = Path("body.npz"),
    pictures: Annotated[Path | None, typer.Option(help="Folder for pictures to look at.")] = None,
) -> None:
    """Make the shipped body from its script."""
    body = build_body()
    save_body(body, out)
    typer.echo(f"{out}: {body}, {out.stat().st_size / 1e6:.2f} MB")
    if pictures is not None:
        for path in write_gallery(body, pictures):
            typer.echo(path)


if __name__ == "__main__":
    typer.run(main)
