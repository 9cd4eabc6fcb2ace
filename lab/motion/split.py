"""Who is learned from and who is held back: by subject, never by window.

The validation subjects walk, run, gesture, jump and carry; one of them is a whole actor of his own source (`accad_m2`).
Subjects that the table does not name (another folder, AMASS) are held back by a hash of their name, one in ten.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from .track import MotionTrack

VALIDATION_SUBJECTS = frozenset({"07", "13", "16", "35", "accad_m2"})
TRAINING_SUBJECTS = frozenset(
    {
        "02", "03", "05", "06", "09", "10", "26", "27", "29", "32", "86", "14", "11", "131", "60", "61",
        "94", "unk", "127", "139", "140", "90", "o3de", "accad_m1", "accad_f1", "100style",
    }
)  # fmt: skip
HELD_BACK_ONE_IN = 10


def held_back(subject: str) -> bool:
    """Whether a subject belongs to the validation split."""
    if subject in VALIDATION_SUBJECTS:
        return True
    if subject in TRAINING_SUBJECTS:
        return False
    return zlib.crc32(subject.encode()) % HELD_BACK_ONE_IN == 0


def split(tracks: Sequence[MotionTrack]) -> tuple[list[MotionTrack], list[MotionTrack]]:
    """(training, validation), in the order given."""
    training = [track for track in tracks if not held_back(track.subject)]
    return training, [track for track in tracks if held_back(track.subject)]
