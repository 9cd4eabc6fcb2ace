"""Masks from confidence: what one hidden keypoint hides, how cameras help, and where the unseen are put."""

from __future__ import annotations

import numpy as np
import pytest

from crowdstream.kernels.priors.visibility import placed, seen_groups
from crowdstream.kernels.skeleton import COCO_KEYPOINTS, SMPL_JOINTS

PRESENT = np.ones((1, 1), bool)
PATH = 21


def hidden_by(*keypoints: str, cameras: int = 1) -> set[str]:
    """Groups that go when these keypoints go in the first camera."""
    confidence = np.full((cameras, 1, 1, 17), 0.9)
    confidence[0, ..., [COCO_KEYPOINTS.index(name) for name in keypoints]] = 0.1
    seen = seen_groups(confidence, PRESENT, 0.3)[0, 0]
    names = [*SMPL_JOINTS[1:22], "path"]
    return {name for name, there in zip(names, seen, strict=True) if not there}


@pytest.mark.parametrize(
    "keypoints,gone",
    [
        (("left_ankle",), {"left_knee", "left_ankle", "left_foot"}),
        (("right_knee",), {"right_hip", "right_knee"}),
        (("left_elbow",), {"left_shoulder", "left_elbow"}),
        (("right_wrist",), {"right_elbow", "right_wrist"}),
        (("nose", "left_eye"), set()),
        (("left_hip", "right_hip"), {"spine1", "spine2", "spine3", "neck"}),
        (("left_hip", "right_hip", "left_shoulder"), {"spine1", "spine2", "spine3", "neck", "path"}
         | {"left_collar", "left_shoulder"}),
    ],
)  # fmt: skip
def test_what_a_hidden_keypoint_hides(keypoints: tuple[str, ...], gone: set[str]) -> None:
    assert hidden_by(*keypoints) == gone


def test_another_camera_sees_for_the_first() -> None:
    assert hidden_by(*COCO_KEYPOINTS, cameras=2) == set()
    assert len(hidden_by(*COCO_KEYPOINTS)) == 22


def test_nothing_is_seen_of_the_absent_or_at_no_confidence() -> None:
    confidence = np.full((1, 2, 3, 17), 0.9)
    present = np.array([[True, False, True], [True, True, True]])
    confidence[:, 1] = 0.0
    seen = seen_groups(confidence, present, 0.0)
    assert not seen[0, 1].any() and seen[0, [0, 2]].all() and not seen[1].any()


def test_who_never_shows_a_torso_is_where_they_were_put() -> None:
    present = np.array([[False, True, True]] * 3)
    seen = np.zeros((3, 3, 22), bool)
    seen[0, 1, PATH] = True  # seen: left alone
    seen[1, 2, 5] = True  # a knee only
    out = placed(seen, present)
    np.testing.assert_array_equal(
        out[..., PATH], [[False, True, False], [False, False, True], [False, True, True]]
    )
    np.testing.assert_array_equal(out[..., :PATH], seen[..., :PATH])
