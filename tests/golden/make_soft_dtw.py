"""Makes the golden values and gradients of soft-DTW that the public package `pysdtw` gives.

    pip install pysdtw
    python tests/golden/make_soft_dtw.py            # from outside the repository root, into soft_dtw/

The sequences are formulas (`sequences`), so that only numbers are kept.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "soft_dtw"
CASES = ({"n": 12, "m": 12, "gamma": 0.1}, {"n": 20, "m": 33, "gamma": 1.0}, {"n": 64, "m": 64, "gamma": 0.1})
PAIRS, NUMBERS = 3, 5


def sequences(n: int, m: int) -> tuple[np.ndarray, np.ndarray]:
    """Two swings of each pair, the second later and slower; float32 (pairs, steps, numbers)."""

    def swing(steps: int, late: float) -> np.ndarray:
        pair, step, number = np.meshgrid(*map(np.arange, (PAIRS, steps, NUMBERS)), indexing="ij")
        return np.sin(2 * np.pi * (1 + pair) * step / steps + number - late * (1 + 0.3 * pair)).astype(
            np.float32
        )

    return swing(n, 0.0), swing(m, 0.4)


def main() -> None:
    """Write values (pairs) and gradients by the first sequence (pairs, steps, numbers) of every case."""
    import pysdtw
    import torch

    found = []
    for case in CASES:
        x, y = (torch.tensor(each) for each in sequences(int(case["n"]), int(case["m"])))
        x.requires_grad_()
        value = pysdtw.SoftDTW(gamma=case["gamma"], use_cuda=False)(x, y)
        value.sum().backward()
        assert x.grad is not None
        entry = {
            "value": value.detach().double().numpy().tolist(),
            "gradient": x.grad.double().numpy().round(5).tolist(),
        }
        found.append(case | entry)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "pysdtw.json").write_text(json.dumps({"version": "pysdtw 0.0.5", "cases": found}) + "\n")


if __name__ == "__main__":
    main()
