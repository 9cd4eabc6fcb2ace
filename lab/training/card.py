"""Sections of a model card that are the same for whatever was trained: recordings, whom to credit, how it was made.

A card names data and settings and no machine: who trains again from the same data and seed gets the same card but for
the minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import nn

from ...kernels.settings import StageConfig
from ..motion.track import MotionTrack
from .config import FitConfig
from .loop import FitResult

FRAMES_A_MINUTE = 1800
STORED_HALF, STORED_WHOLE = "stored as float16 and computed in float32", "float32"
CREDITS = {
    "cmu": "CMU Graphics Lab Motion Capture Database: free for all uses, no resale of the data itself. The data used "
    "in this project was obtained from mocap.cs.cmu.edu. The database was created with funding from NSF EIA-0196217.",
    "accad": "Motion data from the Open Motion Data Project, ACCAD, The Ohio State University, CC BY 3.0.",
    "o3de": "(c) Contributors to the Open 3D Engine Project, Apache-2.0 OR MIT.",
    "style100": "100STYLE dataset by Ian Mason, Sebastian Starke, Taku Komura, CC BY 4.0.",
    "amass": "AMASS (Mahmood et al. 2019), for research only; its licence governs what is learned from it. "
    "https://amass.is.tue.mpg.de",
}
"""What the sources ask to be said, by the name of their shards."""


@dataclass(frozen=True)
class DataShare:
    """What one source gave."""

    source: str
    licence: str
    learned_clips: int
    learned_frames: int
    held_back_clips: int
    held_back_frames: int


def data_shares(training: Sequence[MotionTrack], validation: Sequence[MotionTrack]) -> list[DataShare]:
    """What each source gave to both splits, in the order in which they first come."""
    counts: dict[tuple[str, str], list[int]] = {}
    for column, tracks in ((0, training), (2, validation)):
        for track in tracks:
            source = track.source or track.licence.lower() or "unnamed"
            row = counts.setdefault((source, track.licence or "not stated"), [0, 0, 0, 0])
            row[column] += 1
            row[column + 1] += track.num_frames
    return [DataShare(source, licence, *row) for (source, licence), row in counts.items()]


def figures_table(metrics: Mapping[str, float], baselines: Mapping[str, float] | None = None) -> str:
    """Metrics as a Markdown table, what plain methods reach beside them where it is known."""
    head, rule = "| metric | value |", "|---|---|"
    if baselines:
        head, rule = head + " baseline |", rule + "---|"
    rows = []
    for key, value in metrics.items():
        row = f"| `{key}` | {value:.4g} |"
        if baselines:
            row += f" {baselines[key]:.4g} |" if key in baselines else " |"
        rows.append(row)
    return "\n".join((head, rule, *rows))


def recipe_card(
    title: str,
    purpose: str,
    recipe: Sequence[str],
    figures: str,
    metrics: Mapping[str, float],
    baselines: Mapping[str, float],
    limits: str,
) -> str:
    """A recipe's part of the card.

    Args:
        title: of the page.
        purpose: what the network is for.
        recipe: how it is trained, an item each.
        figures: what the metrics and baselines are of.
        metrics: on the held-back subjects.
        baselines: what plain methods reach, under the same names.
        limits: what it does not know.
    """
    items = "\n".join(f"- {item}" for item in recipe)
    shown = f"{figures}\n\n{figures_table(metrics, baselines)}" if metrics else "None: nobody was held back."
    return f"# {title}\n\n{purpose}\n\n## Recipe\n{items}\n\n## Figures\n{shown}\n\n## Limits\n{limits}\n"


def recordings_section(training: Sequence[MotionTrack], validation: Sequence[MotionTrack]) -> str:
    """Sources, licences, minutes of each, who was held back, and whom to credit."""
    shares = data_shares(training, validation)
    rows = []
    for s in shares:
        learned, kept = s.learned_frames / FRAMES_A_MINUTE, s.held_back_frames / FRAMES_A_MINUTE
        rows.append(
            f"| {s.source} | {s.licence} | {s.learned_clips} | {learned:.1f} | {s.held_back_clips} | {kept:.1f} |"
        )
    subjects = ", ".join(sorted({track.subject or "unnamed" for track in validation}))
    credits = "\n".join(f"- {CREDITS.get(s.source, f'{s.source}: {s.licence}.')}" for s in shares)
    return (
        "## Recordings\nClips and minutes (30 frames a second) after cutting out glitches and what is shorter than a "
        "window, before augmentation.\n\n"
        "| source | licence | clips learned from | min | clips held back | min |\n|---|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nHeld back by subject, never by window: {subjects or 'nobody'}. "
        "No recording is in the weights' file.\n\n" + credits
    )


def run_section(
    command: str, network: nn.Module, config: FitConfig, result: FitResult, stored: str = STORED_HALF
) -> str:
    """Command, sizes and settings of the run that made a file; `stored`: in what numbers its weights are kept."""
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    sizes = getattr(network, "config", None)
    of_network = _listed(sizes.model_dump()) if isinstance(sizes, StageConfig) else "not recorded"
    skipped = f", {result.skipped} of them skipped (not finite)" if result.skipped else ""
    return (
        f"## How this file was made\n`{command}`\n\n"
        f"{result.steps:,} steps{skipped}, {result.seconds / 60:.0f} minutes, seed {config.seed}. "
        f"Fit: {_listed(config.model_dump(exclude=_NOT_OF_THE_RESULT))}. "
        f"Network: {millions:.2f} million weights, {stored}; {of_network}. "
        "The weights are the running mean over the last steps."
    )


_NOT_OF_THE_RESULT = {
    "steps", "minutes", "seed", "threads", "device",
    "validate_every_minutes", "checkpoint_every_minutes", "log_every_steps",
}  # fmt: skip


def _listed(fields: Mapping[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in fields.items())
