"""The package list in pyproject.toml matches the folders on disk."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TOP = ("actors", "configs", "kernels", "lab", "stream")


def test_every_package_folder_is_listed() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    on_disk = ["crowdstream"] + [
        "crowdstream." + ".".join(init.parent.relative_to(ROOT).parts)
        for top in TOP
        for init in (ROOT / top).rglob("__init__.py")
    ]
    assert sorted(listed) == sorted(on_disk)


def test_dev_requirements_mirror_the_group() -> None:
    """Plain pip cannot read dependency groups, so the file repeats them; they must not drift apart."""
    group = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    lines = (ROOT / "requirements-dev.txt").read_text().splitlines()
    assert sorted(line for line in lines if line and not line.startswith("#")) == sorted(
        item
        for item in group
        if not item.startswith("pyright")  # pyright is an editor's aid, not a gate
    )
