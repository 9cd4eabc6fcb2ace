"""What a fit leaves for others: the weights as shipped, and their card."""

from __future__ import annotations

from pathlib import Path

from ...stream.network_file import save_network
from .card import STORED_HALF, STORED_WHOLE, recordings_section, run_section
from .config import FitConfig
from .loop import FitResult
from .recipe import ExportsItself
from .recipes import Prepared


def export(
    prepared: Prepared, config: FitConfig, result: FitResult, folder: Path, file: str, command: str
) -> Path:
    """Write FOLDER/<file>.safetensors (or what the recipe ships as) and .md.

    The card is the recipe's own, then what was learned from, then how the file was made.

    Args:
        prepared: the recipe, its network as the fit left it, and its recordings.
        config: of the fit.
        result: what the fit came to.
        folder: of the fit.
        file: kind of the weights, and their name without ending.
        command: that trains the same again, for the card.

    Raises:
        ModelError: weights that cannot be stored, or the disk refuses.
    """
    network = prepared.recipe.network
    own_form = isinstance(prepared.recipe, ExportsItself)
    parts = (
        prepared.recipe.card(result.validation),
        recordings_section(prepared.training, prepared.validation),
        run_section(command, network, config, result, STORED_WHOLE if own_form else STORED_HALF),
    )
    card = "\n\n".join(part.strip("\n") for part in parts) + "\n"
    if isinstance(prepared.recipe, ExportsItself):
        return prepared.recipe.export(folder, file, card)
    path = folder / f"{file}.safetensors"
    save_network(path, network, file, card)
    return path
