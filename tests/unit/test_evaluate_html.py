"""The report as a page: whole, closed to the network, escaped, and without what is not there."""

from __future__ import annotations

import copy
import math
import re
import xml.etree.ElementTree as ET
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from crowdstream.lab.evaluate.html import report_page, write_report
from crowdstream.lab.evaluate.paper import DATA_DIFFER, PAPER_ROWS

AUTHOR = {
    "ppds": 0.91,
    "pa_ppds": 0.942,
    "pcod": 0.951,
    "mpjpe_mm": 66.1,
    "pa_mpjpe_mm": 50.2,
    "accel": 13.2,
    "oks": 0.7,
}
CORRECTED = {"recall": 0.97, "ground_m": 0.123, "mpjpe_mm": 61.5, "jerk": None, "accel": math.nan}
RESULTS: dict[str, Any] = {
    "about": {"title": "plaza, high view", "date": "2026-11-21", "machine": "two cores", "facts": {"people": 100},
              "notes": ["Simulated observations."]},
    "author": AUTHOR,
    "corrected": CORRECTED,
    "occluded": {"author": {"mpjpe_mm": 70.2}, "corrected": {"mpjpe_mm": 68.4}},
    "hidden": {"author": {"mpjpe_mm": 99.9}, "corrected": {"recall": 0.444}},
    "long_occlusions": {"gaps": 12, "tracked": 10, "rejoined_share": 0.85, "stitched_wrong_share": 0.025,
                        "by_length": {"2-3 s": {"gaps": 12, "root_mm": 61.7, "straight_root_mm": 83.4},
                                      "6-10 s": {"gaps": 0, "root_mm": None}}},
    "refined": {"merges": 7, "revisions": 9, "bodies_revised": 0.123, "refiner": {"gaps_left_open": 41},
                "by_cause": {"guided": {"person_segments": 31, "changed_mm": 27.9}}},
    "rows": {"without lifter": {"author": AUTHOR, "corrected": CORRECTED}},
    "identity": {"idf1": 0.951, "switches": 3, "ground": {"idf1": 0.97},
                 "live": {"idf1": 0.8, "ground": {"idf1": 0.7}}},
    "streaming": {"coverage": 0.99, "late_versions": 0, "at_delay": {"1 s": {"coverage": 0.9, "mpjpe_mm": None}},
                  "latency_ms": {"live": {"p50": 40.0, "p95": 220.0}}},
    "speed": {"person_frames_per_s": 3120.4, "processor_s": {"solve": 3.0}, "note": "alone"},
    "calibration": {"origin": "given"},
    "plots": {
        "error_by_latency": {"t_ms": [100.0, 1000.0], "ground_mm": [None, 90.0], "mpjpe_mm": [None, 60.0],
                             "coverage": [0.0, 1.0]},
        "error_by_distance": {"edges_m": [0, 10, 1000], "mpjpe_mm": [50.0, None], "count": [4, 0]},
        "error_by_occlusion": {"edges": [0, 0.5, 1], "mpjpe_mm": [50.0, 40.0]},
        "per_joint_mm": {"left_knee": 41.0, "head": None},
        "error_over_time": {"t_s": [0.0, 1.0, 2.0], "root_mm": [1.0, None, 3.0]},
        "paths": {"true": [[[0, 0], [1, 1]]], "found": [[[0, 0.1], [1, 1.1]]]},
        "revision_mm": {"edges": [0.0, 1.0, 10.0], "counts": [3, 2]},
    },
}  # fmt: skip
HEADINGS = {
    "author": "Profile author", "corrected": "Profile corrected", "occluded": "occluded people",
    "identity": ">Identity<", "long_occlusions": ">Long occlusions<", "refined": "what was revised<",
    "streaming": ">Streaming<", "speed": ">Speed<", "plots": "Where the error is",
    "calibration": "Further figures<",
}  # fmt: skip
VOID = {"meta", "br"}


class _Balance(HTMLParser):
    """Every tag is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _parsed(page: str) -> _Balance:
    parser = _Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return parser


def _text(page: str) -> str:
    """What is read: no tags, no style, no drawings' coordinates."""
    return re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page, flags=re.S))


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    page = report_page(RESULTS)
    tags = _parsed(page).seen
    assert not tags & {"script", "link", "img", "iframe", "object", "a", "base", "form"}
    assert not re.search(r"(https?:|//[a-z]|url\(|@import|src=|href=|\son\w+=)", page)


def test_every_drawing_is_sound_and_named() -> None:
    drawings = re.findall(r"<svg.*?</svg>", report_page(RESULTS), flags=re.S)
    assert len(drawings) == 8  # two of the latency curve, one of each other
    names = {ET.fromstring(d).attrib["aria-label"] for d in drawings}
    assert len(names) == 8
    assert all("nan" not in d.lower() and "inf" not in d for d in drawings)


def test_no_number_is_a_dash_not_a_word() -> None:
    text = _text(report_page(RESULTS))
    assert "&ndash;" in text
    assert not re.search(r"\b(nan|none|null|inf)\b", text, flags=re.I)


@pytest.mark.parametrize("part", HEADINGS)
def test_a_part_alone_makes_its_section_and_no_other(part: str) -> None:
    page = report_page({part: RESULTS[part]})
    _parsed(page)
    assert HEADINGS[part] in page
    others = {"occluded": {"author", "corrected"}, "plots": {"streaming"}}.get(part, set())
    assert [k for k, words in HEADINGS.items() if k not in {part, *others} and words in page] == []


def test_nothing_at_all_is_still_a_page() -> None:
    assert "Evaluation" in _text(report_page({}))


@pytest.mark.parametrize("plot", RESULTS["plots"])
def test_any_drawing_may_be_missing(plot: str) -> None:
    without = copy.deepcopy(RESULTS)
    del without["plots"][plot]
    alone = report_page({"plots": {plot: RESULTS["plots"][plot]}})
    several = 2 if plot == "error_by_latency" else 1
    assert report_page(without).count("<svg") == 8 - several
    assert alone.count("<svg") == several


def test_the_papers_rows_stand_beside_ours_in_the_authors_profile_only() -> None:
    page = report_page(RESULTS)
    author, corrected = page.split("Profile corrected")[:2]
    assert all(name in author for name in PAPER_ROWS)
    assert "DyCrowd" not in corrected.split("occluded people")[0]
    assert author.count(escape(DATA_DIFFER)) == 1
    row = next(line for line in re.findall(r"<tr.*?</tr>", author) if "<td>DyCrowd</td>" in line)
    assert re.findall(r"<td>([^<]*)</td>", row) == [
        "DyCrowd",
        "&ndash;",
        "89.1",
        "92.2",
        "69.7",
        "48.6",
        "15.7",
    ]
    ours = next(line for line in re.findall(r"<tr.*?</tr>", author) if "this run" in line)
    assert re.findall(r"<td>([^<]*)</td>", ours)[1:] == ["91.0", "94.2", "95.1", "66.1", "50.2", "13.2"]


def test_who_was_gone_and_what_was_revised_is_told() -> None:
    text = _text(report_page(RESULTS))
    for told in ("85.0", "2.5", "61.7", "83.4", "12.3", "27.9", "gaps left open", "44.4"):
        assert told in text, told
    assert "6-10 s" not in text, "no gap of that length"
    quiet = copy.deepcopy(RESULTS)
    quiet["long_occlusions"]["gaps"] = quiet["refined"]["merges"] = quiet["refined"]["revisions"] = 0
    page = report_page(quiet)
    assert "Long occlusions" not in page and "what was revised" not in page


def test_what_is_not_known_here_is_shown_all_the_same() -> None:
    page = _text(
        report_page(RESULTS | {"author": AUTHOR | {"new_metric_mm": 7.25}, "weather": {"wind_m": 3.5}})
    )
    assert "new metric" in page and "7.25" in page
    assert "weather" in page and "3.5 m" in page


def test_every_text_is_escaped() -> None:
    evil = "<script>alert('&\"')</script>"

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            return {k: spoil(v) for k, v in value.items()}
        if isinstance(value, list) and value and isinstance(value[0], str):
            return [evil]
        return evil if isinstance(value, str) else value

    bad = spoil(copy.deepcopy(RESULTS))
    for path in ((), ("about", "facts"), ("author",), ("corrected",), ("rows",), ("identity",), ("identity", "live"),
                 ("streaming",), ("streaming", "latency_ms"), ("speed",), ("speed", "processor_s"), ("calibration",),
                 ("plots", "per_joint_mm"), ("plots", "error_by_distance"), ("plots", "error_by_latency")):  # fmt: skip
        at = bad
        for key in path:
            at = at[key]
        at[evil] = next((v for v in at.values() if v is not None and v != evil), 1.0)
    bad["plots"]["error_by_distance"][evil] = [1.0, 2.0]
    bad["plots"]["error_by_latency"][evil] = [0.1, 0.2]
    page = report_page(bad)
    assert "<script" not in page and "alert('" not in page
    assert "script" not in _parsed(page).seen
    for drawing in re.findall(r"<svg.*?</svg>", page, flags=re.S):
        ET.fromstring(drawing)


def test_the_same_results_give_the_same_bytes_in_utf8(tmp_path: Path) -> None:
    for name in "ab":
        write_report(tmp_path / name, RESULTS | {"about": {"title": "Plätze, 2×"}})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert "Plätze, 2×" in (tmp_path / "a").read_text("utf-8")
