"""A plan is loaded only when everything about it is as it was written; else it is built again, once."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from crowdstream.stream.inference.engine_cache import EngineCache, EngineKey

KEY = EngineKey(
    onnx_sha256="ab" * 32,
    tensorrt_version="11.4.0",
    cuda_version="13.0",
    gpu_name="GPU",
    compute_capability="9.0",
    driver_major="580",
    typing="strong",
    profiles=(("input", (1, 3, 8, 8), (8, 3, 8, 8), (32, 3, 8, 8)), ("other", (1,), (2,), (3,))),
    workspace_bytes=1 << 30,
    flags=("b", "a"),
)


class Builder:
    """Counts how often a plan is built."""

    def __init__(self, plan: bytes = b"plan") -> None:
        self.plan, self.builds = plan, 0

    def __call__(self) -> bytes:
        self.builds += 1
        return self.plan


def _card(root: Path) -> Path:
    return root / f"{KEY.digest()}.json"


def _plan(root: Path) -> Path:
    return root / f"{KEY.digest()}.plan"


def test_second_asking_hits(tmp_path: Path) -> None:
    build = Builder()
    cache = EngineCache(tmp_path / "c")
    assert cache.get_or_build(KEY, build) == cache.get_or_build(KEY, build) == b"plan"
    assert build.builds == 1 and cache.counts["hits"] == 1
    assert (tmp_path / "c").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(EngineKey)])
def test_every_field_is_part_of_the_key(field: str) -> None:
    old = getattr(KEY, field)
    new = (
        old + "x"
        if isinstance(old, str)
        else old + 1
        if isinstance(old, int)
        else ((*old, old[0]) if old else ("p",))
    )
    assert dataclasses.replace(KEY, **{field: new}).digest() != KEY.digest()


def test_order_does_not_matter() -> None:
    turned = dataclasses.replace(KEY, profiles=KEY.profiles[::-1], flags=KEY.flags[::-1])
    assert turned.digest() == KEY.digest()


def test_the_key_is_the_same_in_every_process() -> None:
    code = (
        "from crowdstream.stream.inference.engine_cache import EngineKey as K;"
        "print(K('ab'*32,'11.4.0','13.0','GPU','9.0','580','strong',"
        "(('input',(1,3,8,8),(8,3,8,8),(32,3,8,8)),('other',(1,),(2,),(3,))),1<<30,('b','a')).digest())"
    )
    for seed in ("0", "1", "77"):
        env = dict(os.environ, PYTHONHASHSEED=seed)
        out = subprocess.run(
            [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=env, check=True
        )
        assert out.stdout.strip() == KEY.digest()


def _flip_plan(root: Path) -> None:
    _plan(root).write_bytes(b"PLAN")


def _cut_plan(root: Path) -> None:
    _plan(root).write_bytes(b"pl")


def _no_card(root: Path) -> None:
    _card(root).unlink()


def _no_plan(root: Path) -> None:
    _plan(root).unlink()


def _garbage_card(root: Path) -> None:
    _card(root).write_bytes(b"\x00{{")


def _card_of_another_key(root: Path) -> None:
    card = json.loads(_card(root).read_text())
    card["key"]["tensorrt_version"] = "10.0"
    _card(root).write_text(json.dumps(card))


def _resigned_by_somebody_else(root: Path) -> None:
    (root / "hmac.key").write_bytes(os.urandom(32))


def _card_is_a_list(root: Path) -> None:
    _card(root).write_text("[1]")


@pytest.mark.parametrize(
    "spoil",
    [
        _flip_plan,
        _cut_plan,
        _no_card,
        _no_plan,
        _garbage_card,
        _card_of_another_key,
        _resigned_by_somebody_else,
        _card_is_a_list,
    ],
)
def test_anything_odd_means_a_rebuild(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    root = tmp_path / "c"
    EngineCache(root).get_or_build(KEY, Builder(b"plan"))
    spoil(root)
    again, cache = Builder(b"fresh"), EngineCache(root)
    assert cache.get_or_build(KEY, again) == b"fresh"
    assert again.builds == 1 and cache.counts["misses"] == 1
    assert EngineCache(root).get_or_build(KEY, Builder(b"never")) == b"fresh"


def test_one_build_however_many_ask(tmp_path: Path) -> None:
    build = Builder()
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(lambda _: EngineCache(tmp_path / "c").get_or_build(KEY, build), range(16)))
    assert plans == [b"plan"] * 16 and build.builds == 1


def test_a_cache_that_cannot_be_used_still_gives_the_plan(tmp_path: Path) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_text("not a folder")
    cache = EngineCache(in_the_way / "c")
    assert cache.get_or_build(KEY, Builder()) == b"plan"
    assert cache.counts["unusable"] == 1


def test_a_full_disk_still_gives_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("crowdstream.stream.inference.engine_cache._write_atomically", full)
    cache = EngineCache(tmp_path / "c")
    assert cache.get_or_build(KEY, Builder()) == b"plan"
    assert cache.counts["not_stored"] == 1
    assert not list((tmp_path / "c").glob("*.plan"))


def test_a_failed_build_comes_out_and_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> bytes:
        raise ValueError("no kernel")

    with pytest.raises(ValueError, match="no kernel"):
        EngineCache(tmp_path / "c").get_or_build(KEY, fail)
    assert not list((tmp_path / "c").glob("*.plan"))


def test_oldest_plans_go_when_the_cache_is_full(tmp_path: Path) -> None:
    cache = EngineCache(tmp_path / "c", max_bytes=250)
    keys = [dataclasses.replace(KEY, gpu_name=f"GPU{i}") for i in range(3)]
    for age, key in enumerate(keys):
        cache.get_or_build(key, Builder(b"x" * 100))
        os.utime(tmp_path / "c" / f"{key.digest()}.plan", (1000 + age, 1000 + age))
    cache.get_or_build(dataclasses.replace(KEY, gpu_name="GPU9"), Builder(b"x" * 100))
    left = {p.stem for p in (tmp_path / "c").glob("*.plan")}
    assert keys[0].digest() not in left and keys[1].digest() not in left and keys[2].digest() in left
