"""Coarser skins of the shipped body for people who are small in the picture: some of its vertices, fewer triangles.

Each level is decimated in the rest pose, and every vertex that is left is moved to the nearest original one it stands
for, so that shape, pose and skinning of the body itself move it. `python -m crowdstream.lab.body.levels` writes
`body_levels.npz` (card: `kernels/weights/body_levels.md`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from jaxtyping import Int

from ...kernels.body.data import BodyData
from ...stream.body_files import load_body
from ..virtualcrowd.decimate import decimate

NUM_FACES = (900, 2600)
"""Smallest first: for people up to some 70 and 200 px tall."""


def make_level(body: BodyData, num_faces: int) -> tuple[Int[np.ndarray, "v"], Int[np.ndarray, "f 3"]]:
    """Rising vertex numbers of the body, and triangles that index them."""
    coarse = decimate(body.v_template, body.faces, num_faces)
    chosen = np.empty(len(coarse.vertices), np.int64)
    for row, place in enumerate(coarse.vertices):
        own = np.flatnonzero(coarse.cluster == row)
        chosen[row] = own[np.linalg.norm(body.v_template[own] - place, axis=1).argmin()]
    order = np.argsort(chosen)
    number = np.empty_like(order)
    number[order] = np.arange(len(order))
    return chosen[order], number[coarse.faces]


def save_levels(body: BodyData, path: Path) -> None:
    """All levels of `NUM_FACES` in one file; same body, same bytes."""
    arrays = {}
    for row, num_faces in enumerate(NUM_FACES):
        vertices, faces = make_level(body, num_faces)
        arrays[f"vertices_{row}"], arrays[f"faces_{row}"] = (
            vertices.astype(np.uint16),
            faces.astype(np.uint16),
        )
    np.savez_compressed(path, body=np.array(body.name), **arrays)  # type: ignore[arg-type]


def main(
    out: Annotated[Path, typer.Option("-o", "--out", help="The .npz to write.")] = Path("body_levels.npz"),
) -> None:
    """Make the coarser skins of the shipped body."""
    save_levels(load_body(), out)
    typer.echo(f"{out}: {out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    typer.run(main)
