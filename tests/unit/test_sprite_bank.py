"""Banks of sprites: what was written is read, and half a bank is none."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from crowdstream.lab.perception.sprite import BankError, SpriteBank, save_bank
from tests.made_up_banks import dotted_person, painted_person, painted_thing


def test_what_was_written_is_read(tmp_path: Path) -> None:
    sprites = [painted_person(0.2), painted_thing(0.7), dotted_person(3)]
    assert save_bank(tmp_path / "bank", iter(sprites)) == 3
    bank = SpriteBank(tmp_path / "bank")
    assert len(bank) == 3 and bank.kind == ["walk", "block", "walk"]
    np.testing.assert_allclose(bank.elevation_rad, [0.2, 0.7, 0.5], rtol=1e-6)
    for row, sprite in enumerate(sprites):
        for part in fields(sprite):
            read, written = getattr(bank[row], part.name), getattr(sprite, part.name)
            if isinstance(written, np.ndarray):
                np.testing.assert_array_equal(read, written)
            elif isinstance(written, float):
                assert read == pytest.approx(written)
            else:
                assert read == written
    assert bank[0].is_person and not bank[1].is_person


def test_a_bank_cut_short_is_refused(tmp_path: Path) -> None:
    save_bank(tmp_path, [painted_person()])
    pixels = np.load(tmp_path / "pixels.npy")
    np.save(tmp_path / "pixels.npy", pixels[:-1])
    with pytest.raises(BankError, match="cut short"):
        SpriteBank(tmp_path)


def test_a_bank_without_its_index_is_none(tmp_path: Path) -> None:
    save_bank(tmp_path, [painted_person()])
    (tmp_path / "index.npz").unlink()
    with pytest.raises(BankError, match="no bank"):
        SpriteBank(tmp_path)


def test_nothing_is_no_bank(tmp_path: Path) -> None:
    with pytest.raises(BankError, match="nothing to write"):
        save_bank(tmp_path / "empty", [])
