"""What a site counts of months of people, in memory that does not grow."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from crowdstream.stream.site import SiteStats


def seen(ids: list[int], confirmed: list[bool]) -> Any:
    return SimpleNamespace(person_ids=np.array(ids), confirmed=np.array(confirmed, bool), drops={})


def test_everybody_counts_once_however_many_come_and_whoever_stays() -> None:
    stats = SiteStats()
    for newest in range(1, 40_001):
        stats.count(seen([0, newest - 1, newest, newest + 1], [True, True, True, False]))
    assert stats.tracks == stats.as_dict()["tracks"] == 40_001
    assert len(stats.recent) < 10_000 and 0 in stats.recent and stats.people_max == 3
