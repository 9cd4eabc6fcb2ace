"""Which cells answer for whom: against plain loops, and what must hold whoever is there."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from crowdstream.kernels.perception.nms import iou
from crowdstream.lab.perception.detector.assign import AssignConfig, Assignment, Truth, assign
from crowdstream.lab.perception.detector.grid import boxes_of, cells

CPU = torch.device("cpu")
SIZE = (160, 96)
CONFIG = AssignConfig(cells=6)


def scene(seed: int, pictures: int = 3, people: int = 5) -> tuple[torch.Tensor, torch.Tensor, Truth]:
    """Scores and boxes of all cells, and people of any size; some are ignored, some rows are padding."""
    rng = np.random.default_rng(seed)
    where = cells(SIZE, CPU)
    raw = torch.from_numpy(rng.normal(0.5, 0.7, (pictures, len(where.corner), 5))).float()
    raw[..., 2:4] += 1.0
    middle = rng.uniform(0, 1, (pictures, people, 2)) * SIZE
    sides = np.exp(rng.uniform(np.log(6), np.log(90), (pictures, people, 1))) * (0.4, 1.0)
    boxes = np.concatenate([middle - sides / 2, middle + sides / 2], axis=2).clip(0, [*SIZE, *SIZE])
    kind = rng.integers(0, 4, (pictures, people))
    truth = Truth(torch.from_numpy(boxes).float(), torch.from_numpy(kind >= 2), torch.from_numpy(kind == 1))
    return raw[..., 4].sigmoid(), boxes_of(raw, where), truth


def assign_reference(
    score: torch.Tensor, boxes: torch.Tensor, truth: Truth, config: AssignConfig
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same of one picture, person by person and cell by cell."""
    centres = cells(SIZE, CPU).centre_px.numpy()
    persons, number = truth.boxes_px.numpy(), len(centres)
    overlap = iou(persons.astype(np.float64), boxes.numpy().astype(np.float64))
    person, target, counts = np.full(number, -1), np.zeros(number), np.ones(number, bool)
    wants: dict[int, list[int]] = {}

    def inside(row: int, cell: int) -> bool:
        x1, y1, x2, y2 = persons[row]
        half = max((x2 - x1) / 2, 4.001), max((y2 - y1) / 2, 4.001)
        dx, dy = centres[cell] - ((x1 + x2) / 2, (y1 + y2) / 2)
        return bool(abs(dx) < half[0] and abs(dy) < half[1])

    def aligned(row: int, cell: int) -> float:
        return float(score[cell]) ** config.score_power * overlap[row, cell] ** config.overlap_power

    for row in range(len(persons)):
        if truth.wanted[row]:
            candidates = [c for c in range(number) if inside(row, c) and aligned(row, c) > 1e-12]
            for cell in sorted(candidates, key=lambda c: -aligned(row, c))[: config.cells]:
                wants.setdefault(cell, []).append(row)
    for cell, rows in wants.items():
        person[cell] = max(rows, key=lambda row: overlap[row, cell])
    for row in set(person) - {-1}:
        own = np.flatnonzero(person == row)
        best_t = max(aligned(row, c) for c in own)
        best_u = max(overlap[row, c] for c in own)
        for cell in own:
            target[cell] = aligned(row, cell) / best_t * math.sqrt(best_u)
    for row in range(len(persons)):
        if truth.ignored[row]:
            counts &= np.array([person[c] >= 0 or not inside(row, c) for c in range(number)])
    return person, target, counts


def run(seed: int) -> tuple[Assignment, torch.Tensor, torch.Tensor, Truth]:
    score, boxes, truth = scene(seed)
    return assign(score, boxes, cells(SIZE, CPU).centre_px, truth, CONFIG), score, boxes, truth


@pytest.mark.parametrize("seed", range(4))
def test_equals_plain_loops(seed: int) -> None:
    given, score, boxes, truth = run(seed)
    assert (given.person >= 0).any() and not given.counts.all()
    for k in range(len(score)):
        one = Truth(truth.boxes_px[k], truth.wanted[k], truth.ignored[k])
        person, target, counts = assign_reference(score[k], boxes[k], one, CONFIG)
        np.testing.assert_array_equal(given.person[k], person)
        np.testing.assert_allclose(given.target[k], target, atol=2e-5)
        np.testing.assert_array_equal(given.counts[k], counts)


def test_the_order_of_people_does_not_matter() -> None:
    given, score, boxes, truth = run(7)
    turn = torch.tensor([3, 0, 4, 1, 2])
    turned = Truth(truth.boxes_px[:, turn], truth.wanted[:, turn], truth.ignored[:, turn])
    other = assign(score, boxes, cells(SIZE, CPU).centre_px, turned, CONFIG)
    torch.testing.assert_close(other.target, given.target)
    found = given.person >= 0
    assert (turn[other.person[found]] == given.person[found]).all()


def test_nobody_is_there() -> None:
    score, boxes, _ = scene(1)
    none = torch.zeros(len(score), 0, dtype=torch.bool)
    given = assign(
        score, boxes, cells(SIZE, CPU).centre_px, Truth(torch.zeros(len(score), 0, 4), none, none), CONFIG
    )
    assert (given.person == -1).all() and (given.target == 0).all() and given.counts.all()


@pytest.mark.parametrize("x", np.arange(40.0, 56.0, 1.3))
def test_somebody_thinner_than_a_cell_is_still_answered_for(x: float) -> None:
    where = cells(SIZE, CPU)
    box = torch.tensor([[[x, 30.0, x + 4.0, 42.0]]])
    raw = torch.zeros(1, len(where.corner), 5)
    raw[..., :2] = 0.5
    yes = torch.ones(1, 1, dtype=torch.bool)
    given = assign(
        torch.full(raw.shape[:2], 0.01), boxes_of(raw, where), where.centre_px, Truth(box, yes, ~yes), CONFIG
    )
    own = where.stride_px[(given.person[0] == 0).nonzero()[:, 0], 0]
    assert len(own) and 8.0 in own.tolist()
