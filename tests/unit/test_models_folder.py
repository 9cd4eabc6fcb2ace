"""The ladder of networks: what is named, what was pulled, what ships; and the reason that is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdstream.stream.errors import ModelError
from crowdstream.stream.models.catalogue import CATALOGUE, CatalogueEntry, Role, entry_by_name
from crowdstream.stream.models.download import pull
from crowdstream.stream.models.folder import choose
from crowdstream.stream.models.shipped import SHIPPED, shipped_entry, shipped_folder

RUN = (Role.DETECTOR, Role.POSE)
"""The roles that a run needs a network for."""


def weakest(role: Role) -> CatalogueEntry:
    return min((e for e in CATALOGUE if e.role == role), key=lambda e: e.rank)


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A package with both networks in it."""
    folder = tmp_path / "weights"
    folder.mkdir()
    for entry in SHIPPED:
        (folder / entry.file).write_bytes(entry.name.encode())
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model folder, still empty."""
    made = tmp_path / "models"
    made.mkdir()
    return made


# --- order ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", RUN)
@pytest.mark.parametrize("exists", [True, False])
def test_what_ships_is_used_where_nothing_was_pulled(
    role: Role, exists: bool, folder: Path, shipped: Path
) -> None:
    there = folder if exists else folder / "nowhere"
    chosen = choose(there, role, shipped=shipped)
    assert chosen.entry == shipped_entry(role) and chosen.ships
    assert chosen.read() == chosen.name.encode()
    assert chosen.why.startswith("ships with crowdstream; ") and str(there) in chosen.why


@pytest.mark.parametrize("role", RUN)
def test_whatever_was_pulled_goes_before_what_ships(role: Role, folder: Path, shipped: Path) -> None:
    entry = weakest(role)
    (folder / entry.file).write_bytes(b"x")
    chosen = choose(folder, role, shipped=shipped)
    assert chosen.entry == entry and not chosen.ships
    assert str(folder) in chosen.why and "ships" not in chosen.why


@pytest.mark.parametrize("role", RUN)
def test_what_was_pulled_for_one_role_changes_nothing_for_the_other(
    role: Role, folder: Path, shipped: Path
) -> None:
    (folder / weakest(role).file).write_bytes(b"x")
    other = next(r for r in RUN if r != role)
    assert choose(folder, other, shipped=shipped).ships


@pytest.mark.parametrize("role", RUN)
def test_what_is_named_goes_before_everything(role: Role, folder: Path, shipped: Path) -> None:
    for entry in CATALOGUE:
        (folder / entry.file).write_bytes(b"x")
    (folder / "mine.onnx").write_bytes(b"mine")
    ships = shipped_entry(role)
    assert ships is not None
    for wanted, path in (
        (ships.name, shipped / ships.file),
        (weakest(role).name, folder / weakest(role).file),
        (weakest(role).file, folder / weakest(role).file),
        ("mine.onnx", folder / "mine.onnx"),
        (str(folder / "mine.onnx"), folder / "mine.onnx"),
    ):
        chosen = choose(folder, role, wanted, shipped)
        assert chosen.path == path and chosen.why == "named by the user"


def test_an_unknown_file_in_the_folder_is_left_alone(folder: Path, shipped: Path) -> None:
    (folder / "detector.onnx").write_bytes(b"somebody's")  # the name of the shipped one, elsewhere
    chosen = choose(folder, Role.DETECTOR, shipped=shipped)
    assert chosen.path.parent == shipped
    mine = choose(folder, Role.DETECTOR, "detector.onnx", shipped)
    assert mine.path.parent == folder and mine.entry is None and not mine.ships


def test_a_damaged_pull_is_an_error_and_no_reason_to_take_what_ships(folder: Path, shipped: Path) -> None:
    entry = next(e for e in CATALOGUE if e.role == Role.DETECTOR and e.sha256)
    (folder / entry.file).write_bytes(b"half of it")
    with pytest.raises(ModelError, match="sha256 differs"):
        choose(folder, Role.DETECTOR, shipped=shipped).read()


# --- a stripped install, and mistakes -----------------------------------------------------------------------


@pytest.mark.parametrize("role", RUN)
def test_a_stripped_install_says_how_to_get_one(role: Role, folder: Path, tmp_path: Path) -> None:
    for there, cause in ((folder, f"no {role} network in"), (folder / "no", "no model folder")):
        with pytest.raises(ModelError, match=cause) as caught:
            choose(there, role, shipped=tmp_path / "stripped")
        assert "crowdstream models pull" in str(caught.value)
    ships = shipped_entry(role)
    assert ships is not None
    with pytest.raises(ModelError, match="does not ship with this install"):
        choose(folder, role, ships.name, tmp_path / "stripped")


@pytest.mark.parametrize(
    ("role", "wanted"),
    [(Role.POSE, "crowdstream-detector"), (Role.DETECTOR, "crowdstream-pose"), (Role.DETECTOR, "rtmpose-t")],
)
def test_a_network_of_another_role_is_refused_by_its_name(
    role: Role, wanted: str, folder: Path, shipped: Path
) -> None:
    for entry in CATALOGUE:
        (folder / entry.file).write_bytes(b"x")
    with pytest.raises(ModelError, match=f"expected a {role}"):
        choose(folder, role, wanted, shipped)


def test_a_name_that_is_none_lists_what_there_is(folder: Path, shipped: Path) -> None:
    with pytest.raises(ModelError, match="crowdstream-pose, rtmpose-t"):
        choose(folder, Role.POSE, "nonesuch", shipped)


# --- what ships ---------------------------------------------------------------------------------------------


def test_shipped_networks_are_never_downloaded(tmp_path: Path) -> None:
    for entry in SHIPPED:
        assert entry_by_name(entry.name) is None  # `models pull` knows the catalogue only
        with pytest.raises(ModelError):
            pull(entry, tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_name_or_file_means_two_networks() -> None:
    everything = (*SHIPPED, *CATALOGUE)
    assert len({e.name for e in everything}) == len({e.file for e in everything}) == len(everything)
    assert all(e.rank < min(c.rank for c in CATALOGUE) for e in SHIPPED)


def test_the_package_names_a_real_folder() -> None:
    assert (shipped_folder() / "body.npz").is_file()
