"""What surrounds a training: what was asked and is kept, settings by name, the sections of a model card."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from crowdstream.configs.errors import ConfigError
from crowdstream.lab.mocap import MocapError
from crowdstream.lab.motion.track import MotionTrack
from crowdstream.lab.training.card import CREDITS, data_shares, figures_table, recordings_section, run_section
from crowdstream.lab.training.config import FitConfig
from crowdstream.lab.training.errors import CheckpointError, TrainingError
from crowdstream.lab.training.loop import FitResult
from crowdstream.lab.training.recipes import KINDS, fit_config, prepare
from crowdstream.lab.training.run_file import RUN, RunRequest, read_request, write_request

sys.path.insert(0, str(Path(__file__).parents[1]))
from tiny_mocap import write_mocap
from toy_recipe import ToyRecipe

sys.path.pop(0)

REQUEST = RunRequest(
    "lifter", (Path("/data/mocap"), Path("/my amass")), "large", 7, ("batch=3", "steps=9"), 100, 2.5, 2
)


def track(name: str, subject: str, frames: int, source: str = "cmu", licence: str = "CMU") -> MotionTrack:
    return MotionTrack(
        name, subject, "walk", np.zeros((frames, 22, 4), np.float32), np.zeros((frames, 3), np.float32),
        np.zeros((frames, 8), bool), True, source, licence,
    )  # fmt: skip


# --- what was asked ---------------------------------------------------------------------------------------


def test_a_request_is_kept_as_it_was(tmp_path: Path) -> None:
    write_request(tmp_path / "new", REQUEST)
    assert read_request(tmp_path / "new", "lifter") == REQUEST


def test_a_new_budget_replaces_the_old_one_and_settings_add_up() -> None:
    changed = REQUEST.changed(None, 500, None, None, ["batch=4"])
    assert (changed.steps, changed.minutes) == (500, None)
    assert changed.overrides == ("batch=3", "steps=9", "batch=4")
    assert REQUEST.changed(None, None, None, None, None) == REQUEST
    assert REQUEST.changed([Path("/moved")], None, None, 1, None) == replace(
        REQUEST, mocap=(Path("/moved"),), threads=1
    )


def test_the_command_of_a_card_names_no_path_of_this_machine() -> None:
    command = REQUEST.command()
    assert command == (
        "crowdstream train lifter --mocap mocap --mocap 'my amass' --size large --seed 7 --steps 100 --minutes 2.5 "
        "--set batch=3 --set steps=9 -o FOLDER"
    )


@pytest.mark.parametrize(
    "text", ["no json", "[]", "{}", '{"mocap": [], "overrides": [], "kind": "lifter", "colour": 3}']
)
def test_a_damaged_request(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN).write_text(text)
    with pytest.raises(CheckpointError, match=r"run\.json is damaged .*; begin in a new folder"):
        read_request(tmp_path, "lifter")


def test_a_request_of_another_kind_or_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no training in .*: expected run\.json there"):
        read_request(tmp_path, "lifter")
    write_request(tmp_path, REQUEST)
    with pytest.raises(CheckpointError, match="trains lifter, not pose-prior; say lifter"):
        read_request(tmp_path, "pose-prior")


# --- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_settings_that_hold(kind: str) -> None:
    """Records, sizes of the large network and the fit's defaults fit together."""
    _, settings, sizes = KINDS[kind].parts()
    assert settings()
    assert sizes(**KINDS[kind].large) != sizes()
    assert fit_config(kind, {}).minutes
    assert not set(settings.model_fields) & set(FitConfig.model_fields), "an override could mean both"


def test_a_budget_that_was_asked_for_is_the_only_one() -> None:
    assert fit_config("lifter", {"steps": 10}).minutes is None
    assert fit_config("lifter", {}, ["steps=10"]).minutes is None
    assert fit_config("lifter", {"minutes": 3.0}).minutes == 3.0
    both = fit_config("lifter", {"steps": 10}, ["minutes=2"])
    assert (both.steps, both.minutes) == (10, 2)


def test_overrides_win_and_are_checked() -> None:
    assert fit_config("lifter", {"seed": 1}, ["learning_rate=0.5", "batch=3"]).learning_rate == 0.5
    with pytest.raises(ConfigError, match="learning_rate = -1"):
        fit_config("lifter", {}, ["learning_rate=-1"])


def test_an_unknown_key_lists_what_there_is(tmp_path: Path) -> None:
    mocap = write_mocap(tmp_path / "mocap")
    with pytest.raises(
        ConfigError, match=r"unknown key 'bach'; did you mean 'batch'.*of the fit: .*learning_rate"
    ):
        prepare("pose-prior", [mocap], overrides=["bach=3"])
    with pytest.raises(ConfigError, match=r"unknown key 'widht'; did you mean 'width'"):
        prepare("pose-prior", [mocap], overrides=["network.widht=32"])


def test_nothing_to_learn_from(tmp_path: Path) -> None:
    held = write_mocap(tmp_path / "held", subjects=("13", "accad_m2"))
    with pytest.raises(
        TrainingError, match=r"nothing to learn from in .*held: .*2 clips are of subjects that are held"
    ):
        prepare("pose-prior", [held])
    with pytest.raises(MocapError, match="no motion capture at"):
        prepare("pose-prior", [tmp_path / "nowhere"])


def test_words_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match="nothing called 'gait' can be trained; expected one of pose-prior, motion"
    ):
        prepare("gait", [tmp_path])
    with pytest.raises(TrainingError, match="no size 'huge'; expected small or large"):
        prepare("lifter", [tmp_path], size="huge")


# --- cards ------------------------------------------------------------------------------------------------

TRAINING = [
    track("a", "02", 900),
    track("b", "o3de", 1800, "o3de", "Apache-2.0 OR MIT"),
    track("c", "05", 900),
]
VALIDATION = [track("d", "13", 450), track("e", "07", 450), track("f", "x", 90, "", "")]


def test_shares_count_every_frame_once() -> None:
    shares = data_shares(TRAINING, VALIDATION)
    assert [share.source for share in shares] == ["cmu", "o3de", "unnamed"]
    assert sum(share.learned_frames for share in shares) == sum(t.num_frames for t in TRAINING)
    assert sum(share.held_back_frames for share in shares) == sum(t.num_frames for t in VALIDATION)
    assert sum(share.learned_clips + share.held_back_clips for share in shares) == 6


def test_the_recordings_section_names_licences_people_held_back_and_credits() -> None:
    text = recordings_section(TRAINING, VALIDATION)
    assert "| cmu | CMU | 2 | 1.0 | 2 | 0.5 |" in text
    assert "Held back by subject, never by window: 07, 13, x." in text
    assert CREDITS["cmu"] in text and CREDITS["o3de"] in text and CREDITS["accad"] not in text
    assert "unnamed: not stated." in text
    assert "nobody" in recordings_section(TRAINING, [])


def test_figures_stand_beside_their_baselines() -> None:
    text = figures_table({"a_mm": 12.3456, "b_mm": 1e-3}, {"a_mm": 40.0})
    assert "| `a_mm` | 12.35 | 40 |" in text and "| `b_mm` | 0.001 | |" in text
    assert all(line.count("|") == 4 for line in text.splitlines())
    assert all(line.count("|") == 3 for line in figures_table({"a_mm": 1.0}).splitlines())


def test_the_run_section_tells_what_makes_the_same_file_again() -> None:
    result = FitResult(12345, 3600.0, {}, {}, 2, False)
    config = FitConfig(minutes=60, seed=9, learning_rate=0.002, threads=1)
    text = run_section("crowdstream train toy", ToyRecipe().network, config, result)
    assert "`crowdstream train toy`" in text and "12,345 steps, 2 of them skipped" in text
    assert "60 minutes, seed 9" in text and "learning_rate 0.002" in text and "width 8" in text
    assert "threads" not in text and "device" not in text
