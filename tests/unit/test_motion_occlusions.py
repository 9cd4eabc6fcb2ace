"""Synthetic occlusions: the kinds and their shares, and that something is always left."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from crowdstream.lab.motion.occlusions import (
    ENOUGH_FRAMES,
    ENOUGH_JOINTS,
    KINDS,
    LEGS,
    PATH,
    Kind,
    OcclusionConfig,
    draw_occlusion,
    occlude,
)

MANY = 1500


def only(kind: Kind, count: int = 400, seed: int = 3) -> Tensor:
    config = OcclusionConfig(**{**dict.fromkeys(KINDS, 0.0), kind: 1.0})
    return draw_occlusion(count, np.random.default_rng(seed), config)


def runs_of_hidden(frames: np.ndarray) -> int:
    return int((np.diff(np.concatenate([[False], frames, [False]]).astype(int)) == 1).sum())


def test_same_seed_same_occlusions() -> None:
    first, second, other = (draw_occlusion(50, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", KINDS)
def test_something_is_always_left_to_go_by(kind: Kind) -> None:
    seen = only(kind)
    assert (seen[..., PATH].sum(1) >= ENOUGH_FRAMES).all()
    assert ((seen[..., :PATH].sum(2) >= ENOUGH_JOINTS).sum(1) >= ENOUGH_FRAMES).all()


def test_nothing_left_is_uncovered() -> None:
    seen = np.zeros((64, 22), bool)
    occlude(seen, "none", np.random.default_rng(0))
    assert seen.all(1).sum() == ENOUGH_FRAMES


def test_kinds_are_as_frequent_as_asked_for() -> None:
    config = OcclusionConfig(none=0.5, stretch=0.5, part=0.0, joints=0.0, frames=0.0, two=0.0)
    seen = draw_occlusion(MANY, np.random.default_rng(0), config)
    # three standard deviations of a share of one half
    assert float(seen.flatten(1).all(1).float().mean()) == pytest.approx(0.5, abs=3 * 0.5 / MANY**0.5)


def test_none_hides_nothing() -> None:
    assert only("none", 20).all()


def test_stretch_hides_consecutive_frames_of_all_or_body_or_path() -> None:
    kinds = {"all": 0, "body": 0, "path": 0}
    for seen in only("stretch").numpy():
        body, path = ~seen[:, :PATH].any(1), ~seen[:, PATH]
        assert (seen[:, :PATH].all(1) | body).all()  # the body is hidden whole or not at all
        hidden = body | path
        assert runs_of_hidden(hidden) in (1, 2)
        if runs_of_hidden(hidden) == 2:  # both ends
            assert hidden[0] and hidden[-1]
        assert 4 <= hidden.sum() <= 52
        kinds["all" if (body & path).any() else "body" if body.any() else "path"] += 1
        if (body & path).any():
            assert (body == path).all()
    assert all(count > 10 for count in kinds.values())
    assert kinds["all"] > kinds["body"] + kinds["path"]


def test_stretches_reach_what_is_measured() -> None:
    """16, 32 and 48 hidden frames in the middle are among what is learned from, and both ends are."""
    hidden = ~only("stretch", MANY)[..., 0]
    for frames in (16, 32, 48):
        first = (64 - frames) // 2
        assert hidden[:, first : first + frames].all(1).any()
    assert hidden[:, 0].float().mean() > 0.05
    assert hidden[:, -1].float().mean() > 0.1


def test_parts_keep_the_path_and_often_are_the_legs_of_the_whole_window() -> None:
    seen = only("part", MANY)
    assert seen[..., PATH].all()
    legs = (~seen[..., [joint - 1 for joint in LEGS]]).all(1).all(1)
    assert 0.15 < float(legs.float().mean()) < 0.4
    assert (~seen).any(1).any(1).all()  # each hides something
    assert (seen[..., :PATH].sum(2) >= ENOUGH_JOINTS).all()


def test_joints_keep_the_path() -> None:
    seen = only("joints")
    assert seen[..., PATH].all()
    constant = (seen == seen[:, :1]).flatten(1).all(1)
    assert 0.3 < float(constant.float().mean()) < 0.7  # half throughout, half flickering


def test_frames_are_hidden_wholly() -> None:
    seen = only("frames")
    assert (seen.all(2) | ~seen.any(2)).all()
