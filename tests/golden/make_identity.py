"""Makes the golden tables of identity and the scores that the public `trackers` package gives them.

    pip install 'trackers>=2.6'
    python tests/golden/make_identity.py            # from outside the repository root, into identity/

Each crowd is two MOT texts (found, truth) and one entry of scores.json. Rows of the truth with class 2 are those that
need not be found: a distractor to the package, `dont_care` to us. The two rules differ where such a person stands
before one that counts, so the people of that crowd stand apart.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
FOLDER = HERE / "identity"
NAMES = {
    "idf1": "Identity.IDF1", "idp": "Identity.IDP", "idr": "Identity.IDR", "mota": "CLEAR.MOTA", "motp": "CLEAR.MOTP",
    "switches": "CLEAR.IDSW", "fragments": "CLEAR.Frag", "misses": "CLEAR.CLR_FN", "false_positives": "CLEAR.CLR_FP",
    "mostly_tracked": "CLEAR.MT", "mostly_lost": "CLEAR.ML", "hota": "HOTA.HOTA", "deta": "HOTA.DetA",
    "assa": "HOTA.AssA", "loca": "HOTA.LocA",
}  # fmt: skip
"""Our key -> where the package keeps the same."""


def random_crowd(
    seed: int, people: int, frames: int, spread_px: float = 12.0, hidden: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Found and true rows (frame, id, left, top, width, height, 1, class) of a crowd that is tracked badly.

    Boxes of 40 x 80 px walk at random, `spread_px` apart at the start; the tracker misses, invents, and now and then
    exchanges or renames people. Frames 5 and 6 have nobody in truth, frames 8 and 9 nobody found.
    """
    rng = np.random.default_rng(seed)
    truth, found = [], []
    place = rng.permutation(people)[:, None] * [spread_px, spread_px / 2.0] + rng.random((people, 2)) * 5
    step = (rng.random((people, 2)) - 0.5) * min(spread_px / 4.0, 3.0)
    names = np.arange(people) + 100
    unseen = np.zeros(people, np.int64)
    for frame in range(1, frames + 1):
        place = place + step + (rng.random((people, 2)) - 0.5)
        if rng.random() < 0.2:  # two exchange their names, or one gets a new one
            a, b = rng.integers(0, people, 2)
            names[[a, b]] = names[[b, a]]
            names[rng.integers(0, people)] = 200 + frame
        unseen = np.where(rng.random(people) < 0.1, 3, unseen - 1)
        out = rng.random(people) < hidden
        there = rng.random(people) < 0.95
        for k in range(people):
            box = np.array([*place[k], 40.0, 80.0])
            if there[k] and frame not in (5, 6):
                truth.append([frame, k + 1, *box, 1, 2 if out[k] else 1])
            if unseen[k] <= 0 and frame not in (8, 9):
                off = (rng.random(4) - 0.5) * [16, 24, 10, 20]
                found.append([frame, names[k], *(box + off), 1, 1])
        for j in range(int(rng.integers(0, 3)) * (frame not in (8, 9))):
            found.append([frame, 1000 + j, *(rng.random(2) * spread_px * people), 40.0, 80.0, 1, 1])
    return np.round(np.array(found), 2), np.round(np.array(truth), 2)


def crossing() -> tuple[np.ndarray, np.ndarray]:
    """Two people walk past one another and their names stay on their sides; a third is found from half-way on."""
    found, truth = [], []
    for frame in range(1, 21):
        x = 10.0 * frame
        for k, left in enumerate((x, 210.0 - x, 400.0)):
            truth.append([frame, k + 1, left, 50.0, 40.0, 80.0, 1, 1])
        found.append([frame, 7, min(x, 210.0 - x), 50.0, 40.0, 80.0, 1, 1])
        found.append([frame, 8, max(x, 210.0 - x), 50.0, 40.0, 80.0, 1, 1])
        if frame > 10:
            found.append([frame, 9, 404.0, 52.0, 40.0, 80.0, 1, 1])
    return np.array(found), np.array(truth)


def crowds() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> found and true rows."""
    return {
        "crossing": crossing(),
        "crowd": random_crowd(1, people=9, frames=24),
        "hidden": random_crowd(2, people=8, frames=24, spread_px=120.0, hidden=0.25),
    }


def public_scores(found: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """What the package says, under our names."""
    from trackers.eval import evaluate_mot_sequence

    with tempfile.TemporaryDirectory() as folder:
        paths = [write(Path(folder) / name, rows) for name, rows in (("truth", truth), ("found", found))]
        result = evaluate_mot_sequence(*paths, ["CLEAR", "HOTA", "Identity"])
    out = {}
    for ours, theirs in NAMES.items():
        family, field = theirs.split(".")
        out[ours] = float(getattr(getattr(result, family), field))
    return out


def write(path: Path, rows: np.ndarray) -> Path:
    """MOT text, to a hundredth of a pixel."""
    np.savetxt(path, rows, fmt=["%d", "%d", *["%.2f"] * 4, "%d", "%d"], delimiter=",")
    return path


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Found and true rows of a golden crowd."""
    return tuple(np.loadtxt(FOLDER / f"{name}.{side}.txt", delimiter=",") for side in ("found", "truth"))  # type: ignore[return-value]


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    scores = {}
    for name, (found, truth) in crowds().items():
        for side, rows in (("found", found), ("truth", truth)):
            write(FOLDER / f"{name}.{side}.txt", rows)
        scores[name] = public_scores(found, truth)
    (FOLDER / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")


if __name__ == "__main__":
    main()
