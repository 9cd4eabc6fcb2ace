"""Which network is used, and what a user is told when there is none."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from crowdstream.stream.errors import ModelError
from crowdstream.stream.models.catalogue import CATALOGUE, CatalogueEntry, Role
from crowdstream.stream.models.download import pull
from crowdstream.stream.models.folder import ModelFile, choose

BEST, WORSE = (
    sorted((e for e in CATALOGUE if e.role == Role.DETECTOR), key=lambda e: -e.rank)[i] for i in (0, -1)
)


def test_the_best_that_is_there_wins(tmp_path: Path) -> None:
    (tmp_path / WORSE.file).write_bytes(b"w")
    assert choose(tmp_path, Role.DETECTOR).name == WORSE.name
    (tmp_path / BEST.file).write_bytes(b"b")
    assert choose(tmp_path, Role.DETECTOR).name == BEST.name


def test_a_name_wins_over_rank(tmp_path: Path) -> None:
    for entry in (BEST, WORSE):
        (tmp_path / entry.file).write_bytes(b"x")
    assert choose(tmp_path, Role.DETECTOR, WORSE.name).path.name == WORSE.file


def test_a_file_of_the_user_wins(tmp_path: Path) -> None:
    own = tmp_path / "mine.onnx"
    own.write_bytes(b"x")
    chosen = choose(tmp_path / "nowhere", Role.POSE, str(own))
    assert chosen.path == own and chosen.entry is None


@pytest.mark.parametrize("wanted", ["", "no-such-network", "rtmpose-s"])
def test_none_says_how_to_get_one(tmp_path: Path, wanted: str) -> None:
    with pytest.raises(ModelError) as caught:
        choose(tmp_path, Role.POSE, wanted, shipped=tmp_path / "stripped")
    assert "\n" not in str(caught.value) and (
        "models pull" in str(caught.value) or "one of" in str(caught.value)
    )


def test_another_file_under_a_catalogue_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / BEST.file).write_bytes(b"not the network")
    with pytest.raises(ModelError, match="sha256 differs"):
        choose(tmp_path, Role.DETECTOR).read()


def test_a_vanished_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="cannot read"):
        ModelFile(tmp_path / "gone.onnx", Role.POSE, None, "").read()


def test_catalogue_is_sound() -> None:
    assert len({e.name for e in CATALOGUE}) == len({e.file for e in CATALOGUE}) == len(CATALOGUE)
    for entry in CATALOGUE:
        assert entry.url is None or entry.url.startswith("https://")
        assert entry.sha256 is None or len(entry.sha256) == 64
        assert entry.licence


def _entry(
    content: bytes, member: str | None = None, url: str | None = "https://host.example/x"
) -> CatalogueEntry:
    return CatalogueEntry(
        "x", Role.POSE, "heatmap", "x.onnx", hashlib.sha256(content).hexdigest(), "Apache-2.0", 1, url, member
    )


def test_pull_stores_what_the_sum_says(tmp_path: Path) -> None:
    seen: list[int] = []
    path = pull(
        _entry(b"network"), tmp_path / "m", lambda n, _: seen.append(n), lambda _: io.BytesIO(b"network")
    )
    assert path.read_bytes() == b"network" and seen[-1] == 7


def test_pull_takes_the_member_of_a_zip(tmp_path: Path) -> None:
    bundle = io.BytesIO()
    with zipfile.ZipFile(bundle, "w") as z:
        z.writestr("deep/end2end.onnx", b"network")
        z.writestr("../../evil", b"never written")
    path = pull(_entry(b"network", "end2end.onnx"), tmp_path, opener=lambda _: io.BytesIO(bundle.getvalue()))
    assert path.read_bytes() == b"network" and [p.name for p in tmp_path.iterdir()] == ["x.onnx"]


@pytest.mark.parametrize(
    ("entry", "body", "part"),
    [
        (_entry(b"network"), b"other", "nothing was stored"),
        (_entry(b"network", "end2end.onnx"), b"no zip", "not a zip"),
        (_entry(b"network", url=None), b"", "no stable public address"),
        (_entry(b"network", url="http://host.example/x"), b"", "not https"),
    ],
)
def test_pull_refuses(tmp_path: Path, entry: CatalogueEntry, body: bytes, part: str) -> None:
    with pytest.raises(ModelError, match=part):
        pull(entry, tmp_path, opener=lambda _: io.BytesIO(body))
    assert not list(tmp_path.iterdir())


def test_no_network_is_one_line(tmp_path: Path) -> None:
    def refuse(_: str) -> io.BufferedIOBase:
        raise OSError("Name or service not known")

    with pytest.raises(ModelError, match="cannot fetch x from"):
        pull(_entry(b"network"), tmp_path, opener=refuse)
