"""People in equal parts: everybody is in one, and how many threads there are is nobody's business."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from crowdstream.kernels.solve.parts import PEOPLE_AT_ONCE, equal_parts, run_parts


@pytest.mark.parametrize("people", [1, 2, 3, 4, 7, 8, 9, 16, 17, 40, 101])
def test_parts_are_of_one_size_and_hold_everybody(people):
    parts = equal_parts(people)
    assert len({len(part) for part in parts}) == 1 and len(parts[0]) <= PEOPLE_AT_ONCE
    assert set(np.concatenate(parts).tolist()) == set(range(people))
    assert len(np.concatenate(parts)) < people + len(parts[0]) + 1  # no part of repeats alone


def test_nobody_is_no_part():
    assert equal_parts(0) == []
    run_parts(pytest.fail, 0, None)


def test_every_part_has_one_thread_of_torch_and_the_caller_gets_its_own_back():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: list[int] = []
    try:
        with ThreadPoolExecutor(2) as pool:
            run_parts(lambda rows: seen.append(torch.get_num_threads()), 20, pool)
        assert seen and set(seen) == {1}
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_failure_reaches_the_caller():
    def fail(rows: np.ndarray) -> None:
        raise ArithmeticError(f"{len(rows)} people")

    with pytest.raises(ArithmeticError), ThreadPoolExecutor(2) as pool:
        run_parts(fail, 5, pool)
