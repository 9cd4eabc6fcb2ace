"""The banks that pictures are composed from: made once, kept in a folder, opened by every training after.

A bank is rendered in pieces of fixed size, each from a seed of its own, so it is the same whatever the number of
processes. The folder is named after everything the banks follow from; a bank that was cut short is made anew.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from pydantic import Field

from ...kernels.settings import StageConfig
from ..motion.track import MotionTrack
from .backdrop import Backdrop, BackdropBank, render_backdrops, save_backdrops
from .people import render_people
from .sprite import Sprite, SpriteBank, save_bank
from .things import render_things

PIECE = {"people": 96, "things": 48, "backdrops": 8}
"""Sprites or backdrops that one process makes at a time."""
VERSION = 1
"""Rises when the renderers change what a seed looks like."""
Progress = Callable[[int, int], None]
Made = TypeVar("Made", Sprite, Backdrop)


class BankConfig(StageConfig):
    """How much is rendered, and where it is kept."""

    people: int = Field(default=5760, ge=1)
    """Views of people to learn from."""
    things: int = Field(default=1440, ge=1)
    backdrops: int = Field(default=480, ge=1)
    validation_share: float = Field(default=0.1, gt=0.0, le=1.0)
    """Size of the held-back banks, as a share: other people's motion, other clothes, other things and places."""
    seed: int = Field(default=0, ge=0)
    workers: int = Field(default=1, ge=1)
    """Processes that render; the banks are the same for any number."""
    folder: str = ""
    """Where the banks are kept; empty: the user's cache folder."""


@dataclass(frozen=True)
class Banks:
    """What one side, training or validation, composes from."""

    people: SpriteBank
    things: SpriteBank
    backdrops: BackdropBank


def open_banks(
    training: Sequence[MotionTrack],
    validation: Sequence[MotionTrack],
    config: BankConfig,
    progress: Progress | None = None,
) -> tuple[Banks, Banks]:
    """The banks of training and validation, rendered where they are missing.

    Args:
        training: recordings that the training's people move by.
        validation: recordings of other people.
        config: sizes and place.
        progress: called with (made, to be made) over everything that is missing.

    Raises:
        RendererMissingError: something is missing, and embreex is not installed.
        BankError: the folder cannot be written.
    """
    folder = _folder(config, training, validation)
    share = config.validation_share
    sides = (("training", training, 1.0, 0), ("validation", validation or training, share, 1))
    jobs = [
        _Job(
            folder / side / kind, kind, max(1, round(part * getattr(config, kind))), config.seed, row, tracks
        )
        for side, tracks, part, row in sides
        for kind in PIECE
    ]
    missing = [job for job in jobs if not _whole(job)]
    made, total = 0, sum(job.count for job in missing)

    def step(count: int) -> None:
        nonlocal made
        made += count
        if progress is not None:
            progress(made, total)

    for job in missing:
        _make(job, config.workers, step)
    opened = [_open(job) for job in jobs]
    return Banks(*opened[:3]), Banks(*opened[3:])


@dataclass(frozen=True)
class _Job:
    """One bank to be made."""

    folder: Path
    kind: str
    count: int
    seed: int
    side: int
    tracks: Sequence[MotionTrack]


def _whole(job: _Job) -> bool:
    return (job.folder / "index.npz").is_file()


def _open(job: _Job) -> Any:
    return BackdropBank(job.folder) if job.kind == "backdrops" else SpriteBank(job.folder)


def _make(job: _Job, workers: int, step: Callable[[int], None]) -> None:
    if job.kind == "backdrops":
        save_backdrops(job.folder, _pieces(job, workers, step))
    else:
        save_bank(job.folder, _pieces(job, workers, step))


def _pieces(job: _Job, workers: int, step: Callable[[int], None]) -> Iterator[Any]:
    """Everything of a bank, in order."""
    size = PIECE[job.kind]
    sizes = [min(size, job.count - start) for start in range(0, job.count, size)]
    seeds = [_piece_seed(job, piece) for piece in range(len(sizes))]
    if workers == 1:
        for count, seed in zip(sizes, seeds, strict=True):
            yield from _piece(job.kind, job.tracks, count, seed)
            step(count)
        return
    context = multiprocessing.get_context("spawn")  # a forked child would share locks of numba and OpenCV
    people = job.tracks if job.kind == "people" else ()
    with ProcessPoolExecutor(workers, context, _start_worker, (job.kind, people)) as pool:
        for done, count in zip(pool.map(_piece_in_worker, sizes, seeds), sizes, strict=True):
            yield from done
            step(count)


_worker: tuple[str, Sequence[MotionTrack]] = ("", ())


def _start_worker(kind: str, tracks: Sequence[MotionTrack]) -> None:
    global _worker
    _worker = (kind, tracks)


def _piece_in_worker(count: int, seed: int) -> list[Any]:
    return _piece(*_worker, count, seed)


def _piece(kind: str, tracks: Sequence[MotionTrack], count: int, seed: int) -> list[Any]:
    if kind == "people":
        return list(render_people(tracks, count, seed))
    if kind == "things":
        return list(render_things(count, seed))
    return list(render_backdrops(count, seed))


def _piece_seed(job: _Job, piece: int) -> int:
    words = [job.seed, job.side, list(PIECE).index(job.kind), piece]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint32)[0])


def _folder(config: BankConfig, training: Sequence[MotionTrack], validation: Sequence[MotionTrack]) -> Path:
    """Named after what the banks follow from."""
    follows = config.model_dump(exclude={"workers", "folder"}) | {
        "version": VERSION,
        "pieces": PIECE,
        "tracks": [[(track.name, track.num_frames) for track in side] for side in (training, validation)],
    }
    digest = hashlib.sha256(json.dumps(follows, sort_keys=True).encode()).hexdigest()[:16]
    base = Path(config.folder) if config.folder else _cache_folder()
    return base / digest


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "crowdstream" / "perception"
