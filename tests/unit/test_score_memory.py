"""What yardsticks said is kept: the same answers, asked once, and never taken for those of another question."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from crowdstream.kernels.perception.detector import Boxes
from crowdstream.kernels.perception.pose import Poses
from crowdstream.lab.perception.score.errors import ScoreError
from crowdstream.lab.perception.score.memory import Answers, RememberingDetector, RememberingPose


class Counting:
    """Finds one box as bright as the picture, and counts how often it is asked."""

    max_side_px = 640
    asked = 0

    def detect(self, images_bgr: list[np.ndarray]) -> list[Boxes]:
        self.asked += len(images_bgr)
        return [(np.full((1, 4), image[0, 0, 0], np.float32), np.ones(1, np.float32)) for image in images_bgr]

    def estimate(self, image_bgr: np.ndarray, boxes_px: np.ndarray) -> Poses:
        self.asked += 1
        return np.repeat(boxes_px[:, None, :2], 17, axis=1), np.ones((len(boxes_px), 17), np.float32)


def picture(value: int) -> np.ndarray:
    return np.full((4, 6, 3), value, np.uint8)


def test_a_picture_is_looked_at_once_and_the_answer_is_the_same(tmp_path: Path) -> None:
    counting = Counting()
    answers = Answers(tmp_path, "net")
    first = RememberingDetector(counting, answers).detect([picture(3), picture(5), picture(3)])
    assert counting.asked == 2
    answers.save()
    again = RememberingDetector(counting, Answers(tmp_path, "net")).detect([picture(3), picture(5)])
    assert counting.asked == 2
    for one, other in zip(first, again, strict=False):
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


def test_another_network_picture_or_box_is_another_question(tmp_path: Path) -> None:
    counting = Counting()
    answers = Answers(tmp_path, "net")
    RememberingDetector(counting, answers).detect([picture(3)])
    answers.save()
    RememberingDetector(counting, Answers(tmp_path, "other")).detect([picture(3)])
    assert counting.asked == 2
    pose = RememberingPose(counting, Answers(tmp_path, "pose"))
    for box in (1.0, 2.0, 1.0):
        pose.estimate(picture(3), np.full((1, 4), box, np.float32))
    assert counting.asked == 4
    RememberingDetector(counting, answers).detect([picture(3).reshape(6, 4, 3)])  # the same bytes
    assert counting.asked == 5


def test_a_damaged_file_is_asked_again_and_a_full_disk_is_told(tmp_path: Path) -> None:
    answers = Answers(tmp_path, "net")
    answers.keep("key", (np.zeros(1), np.zeros(1)))
    answers.save()
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"half a file")
    assert Answers(tmp_path, "net").find("key") is None
    blocked = Answers(file / "below", "net")
    blocked.keep("key", (np.zeros(1), np.zeros(1)))
    with pytest.raises(ScoreError, match="cannot keep answers"):
        blocked.save()
