"""The model card beside a network's weights: what it is for, what it learned from, how well it does, whom to credit.

A card names data and settings and no machine: who trains again from the same data and seed gets the same card but for
the minutes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from torch import nn

from ...kernels.settings import StageConfig
from ..mocap import MocapClip
from ..motion.split import held_back
from .config import FitConfig
from .loop import FitResult

FRAMES_A_MINUTE = 1800
CREDITS = {
    "cmu": "The data used in this project was obtained from mocap.cs.cmu.edu. The database was created with "
    "funding from NSF EIA-0196217.",
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
    clips: int
    learned: int
    """Frames of the training split, as recorded."""
    held_back: int
    """Frames of the validation split."""


@dataclass(frozen=True)
class CardFacts:
    """What a recipe knows of its network."""

    title: str
    """E.g. motion_prior.safetensors."""
    purpose: str
    """A paragraph."""
    clips: Sequence[MocapClip]
    """All that were read, both splits."""
    network: nn.Module
    recipe: Sequence[str]
    """How it was trained: augmentation, losses, noise; an item each."""
    metrics: Mapping[str, float]
    """On the validation split."""
    baselines: Mapping[str, float] = field(default_factory=dict)
    """What plain methods reach, under the names of the metrics."""
    limits: str = ""
    """What it does not know."""


def data_shares(clips: Sequence[MocapClip]) -> list[DataShare]:
    """What each source gave, in the order of their first clips."""
    parts: dict[tuple[str, str], list[MocapClip]] = {}
    for clip in clips:
        source = clip.source or clip.licence.lower() or "unnamed"
        parts.setdefault((source, clip.licence or "not stated"), []).append(clip)
    shares = []
    for (source, licence), part in parts.items():
        kept = sum(clip.num_frames for clip in part if held_back(clip.subject))
        learned = sum(clip.num_frames for clip in part) - kept
        shares.append(DataShare(source, licence, len(part), learned, kept))
    return shares


def model_card(facts: CardFacts) -> str:
    """The card as Markdown."""
    shares = data_shares(facts.clips)
    sections = [f"# {facts.title}", facts.purpose, _network(facts.network), _data(facts.clips, shares)]
    if facts.recipe:
        sections.append("## Recipe\n" + "\n".join(f"- {line}" for line in facts.recipe))
    sections.append(_figures(facts.metrics, facts.baselines))
    if facts.limits:
        sections.append(f"## Limits\n{facts.limits}")
    sections.append("## Sources and credits\n" + "\n".join(f"- {_credit(share)}" for share in shares))
    return "\n\n".join(sections) + "\n"


def run_section(command: str, config: FitConfig, result: FitResult) -> str:
    """The section on the run that made a file, to go after a recipe's card."""
    fields = config.model_dump(exclude={"steps", "minutes", "threads", "device", "seed"} | _CADENCES)
    settings = ", ".join(f"{key} {value}" for key, value in fields.items())
    skipped = f", {result.skipped} of them skipped (not finite)" if result.skipped else ""
    return (
        f"## How this file was made\n`{command}`\n\n"
        f"{result.steps:,} steps{skipped}, {result.seconds / 60:.0f} minutes, seed {config.seed}. {settings}. "
        "The weights are the running mean of those of the last steps.\n"
    )


_CADENCES = {"validate_every_minutes", "checkpoint_every_minutes", "log_every_steps"}


def _network(network: nn.Module) -> str:
    millions = sum(p.numel() for p in network.parameters()) / 1e6
    config = getattr(network, "config", None)
    fields = config.model_dump() if isinstance(config, StageConfig) else {}
    sizes = "; ".join(f"{key} {value}" for key, value in fields.items())
    return f"{millions:.2f} million weights, stored as float16 and computed in float32. Sizes: {sizes}."


def _data(clips: Sequence[MocapClip], shares: Sequence[DataShare]) -> str:
    rows = []
    for s in shares:
        learned, kept = s.learned / FRAMES_A_MINUTE, s.held_back / FRAMES_A_MINUTE
        rows.append(f"| {s.source} | {s.licence} | {s.clips} | {learned:.1f} | {kept:.1f} |")
    subjects = sorted({clip.subject for clip in clips if held_back(clip.subject)})
    return (
        "## Data\nMinutes as recorded, before augmentation; 30 frames a second.\n\n"
        "| source | licence | clips | learned from | held back |\n|---|---|---|---|---|\n"
        + "\n".join(rows)
        + f"\n\nSplit by subject. Held back, and what the figures are of: {', '.join(subjects) or 'nobody'}."
    )


def _figures(metrics: Mapping[str, float], baselines: Mapping[str, float]) -> str:
    if not metrics:
        return "## Figures\nNone: nobody was held back."
    head = (
        "| metric | value |"
        + (" baseline |" if baselines else "")
        + "\n|---|---|"
        + ("---|" if baselines else "")
    )
    rows = []
    for key, value in metrics.items():
        row = f"| `{key}` | {value:.4g} |"
        if baselines:
            row += f" {baselines[key]:.4g} |" if key in baselines else " |"
        rows.append(row)
    return "## Figures\nOn who was held back.\n\n" + head + "\n" + "\n".join(rows)


def _credit(share: DataShare) -> str:
    return CREDITS.get(share.source, f"{share.source}: terms of its licence, {share.licence}.")
