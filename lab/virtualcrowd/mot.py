"""Truth as MOT text: `frame,id,left,top,width,height,1,1,visibility`, one line a person and frame.

Frames count from 1. Boxes hold the whole body, hidden parts too, and are not cut at the border; only boxes that reach
into the picture are written, among them people wholly hidden (visibility 0).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float

from .arrays_file import write_whole
from .truth import View

Array = np.ndarray


def mot_rows(view: View) -> Float[Array, "R 9"]:
    """Rows in the order of frames, then of people."""
    w, h = view.camera.size_px
    x1, y1, x2, y2 = (view.box_px[..., side].astype(np.float64) for side in range(4))
    sized = (x2 > x1) & (y2 > y1)
    reaches = sized & view.present & (x2 > -0.5) & (y2 > -0.5) & (x1 < w - 0.5) & (y1 < h - 0.5)
    frame, person = np.nonzero(reaches.T)
    left, top, right, bottom = (side[person, frame] for side in (x1, y1, x2, y2))
    one = np.ones(len(frame))
    return np.column_stack(
        [frame + 1, view.person_ids[person], left, top, right - left, bottom - top, one, one,
         view.seen_share[person, frame]]
    )  # fmt: skip


def save_mot(path: Path, view: View) -> None:
    """Writes `mot_rows`: pixels to a hundredth, visibility to a thousandth."""
    rows = mot_rows(view)
    write_whole(
        path,
        lambda file: np.savetxt(
            file, rows, fmt=["%d", "%d", *["%.2f"] * 4, "%d", "%d", "%.3f"], delimiter=","
        ),
    )
