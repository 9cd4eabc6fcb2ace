"""Settings: presets fill them, `--set` changes one, and what cannot be taken is named with what can."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from crowdstream.configs.errors import ConfigError
from crowdstream.configs.load import load_config, preset_names
from crowdstream.configs.schema import EngineConfig


def test_the_presets_of_the_design_are_there() -> None:
    assert preset_names() == ["edge", "live", "paper", "replay"]


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_is_valid(name: str) -> None:
    assert isinstance(load_config(name), EngineConfig)


def test_presets_differ_where_they_should() -> None:
    assert load_config("paper").refine.preset == "paper" and load_config("live").refine.preset == "live"
    assert [name for name in preset_names() if not load_config(name).refine.enabled] == ["edge"]
    assert load_config("paper").solve.preset == "paper" and load_config("replay").solve.preset == "live"
    assert load_config("live").runtime.drop_late and not load_config("replay").runtime.drop_late
    assert load_config("edge").runtime.kind == "inline"


def test_set_changes_one_value_and_later_ones_win() -> None:
    config = load_config("replay", ["window.hop=8", "window.hop=32", "runtime.speed=null"])
    assert config.window.hop == 32 and config.runtime.speed is None
    assert config.track == load_config("replay").track


@pytest.mark.parametrize(
    ("item", "parts"),
    [
        ("window.hopp=8", ("window.hopp", "did you mean 'hop'", "frames")),
        ("nothing.a=1", ("unknown key 'nothing'", "window", "track")),
        ("window.hop=0", ("window.hop = 0", "greater than or equal to 1")),
        ("window.hop=soon", ("window.hop = 'soon'", "integer")),
        ("window.hop", ("expected stage.key=value",)),
        ("=3", ("expected stage.key=value",)),
        ("window=3", ("window = 3",)),
        ("runtime.ring_slots=4", ("ring_slots = 4 is too small", "batch_frames")),
        ("runtime.kind=threads", ("runtime.kind", "inline", "ray")),
        ("window.hop=[", ("not YAML",)),
    ],
)
def test_nonsense_is_named_with_what_is_allowed(item: str, parts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config("replay", [item])
    text = str(caught.value)
    assert "\n" not in text
    for part in parts:
        assert part in text


def test_a_file_of_the_same_form_works(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text("window: {hop: 4}\n")
    assert load_config(str(path)).window.hop == 4


@pytest.mark.parametrize(("text", "part"), [("[1, 2]", "expected a map"), ("a: [", "not YAML")])
def test_a_bad_file_is_one_line(tmp_path: Path, text: str, part: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=part):
        load_config(str(path))


def test_a_missing_preset_lists_the_presets() -> None:
    with pytest.raises(ConfigError, match="edge, live, paper, replay"):
        load_config("fast")


def test_records_are_frozen_and_every_setting_is_explained() -> None:
    with pytest.raises(Exception, match="frozen"):
        load_config().window.hop = 3  # type: ignore[misc]
    unexplained = [
        f"{stage}.{name}"
        for stage, field in EngineConfig.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name, inner in field.annotation.model_fields.items()
        if not inner.description
        and not (isinstance(inner.annotation, type) and issubclass(inner.annotation, BaseModel))
    ]
    assert unexplained == []
