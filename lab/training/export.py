"""What a fit leaves for others: the weights as shipped, and their card."""

from __future__ import annotations

from pathlib import Path

from ...stream.network_file import save_network
from .card import run_section
from .config import FitConfig
from .loop import FitResult
from .recipe import Recipe


def export(
    recipe: Recipe, config: FitConfig, result: FitResult, folder: Path, file: str, command: str
) -> Path:
    """Write FOLDER/<file>.safetensors and .md.

    Args:
        recipe: with its network as the fit left it.
        config: of the fit.
        result: what the fit came to.
        folder: of the fit.
        file: kind of the weights, and their name without ending.
        command: that trains the same again, for the card.

    Raises:
        ModelError: weights that cannot be stored, or the disk refuses.
    """
    path = folder / f"{file}.safetensors"
    card = recipe.card(result.validation).rstrip("\n") + "\n\n" + run_section(command, config, result)
    save_network(path, recipe.network, file, card)
    return path
