"""Figures of the soak: how they stand to their goals, and how they get onto the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdstream.kernels.errors import CrowdstreamError
from crowdstream.lab.soak.figures import Figure, Figures, Verdict, load_figures, save_figures
from crowdstream.lab.soak.report import MARKS, load_all, machine_in_words, write_page
from crowdstream.lab.soak.scenarios import SCENARIOS

WORDS = {"kills": "Killed", "stop": "Stopped"}


def figures(scenario: str, value: float, short: bool = False) -> Figures:
    rows = (Figure("lost", value, at_most=0), Figure("took", 3.14159, "s", error=0.2))
    return Figures(scenario, 90.0, rows, short, "2030-01-02", "2 cores", ("how it was done",), {"list": [1]})


@pytest.mark.parametrize(
    ("figure", "verdict"),
    [
        (Figure("x", 1.0, at_most=1.0), Verdict.MET),
        (Figure("x", 1.1, at_most=1.0), Verdict.MISSED),
        (Figure("x", 0.9, at_least=0.95), Verdict.MISSED),
        (Figure("x", 0.95, at_least=0.95), Verdict.MET),
        (Figure("x", 1.5, at_most=1.0, error=1.0), Verdict.MET),
        (Figure("x", 2.5, at_most=1.0, error=1.0), Verdict.MISSED),
        (Figure("x", None, at_most=1.0), Verdict.NOT_MEASURED),
        (Figure("x", float("inf"), at_most=1.0), Verdict.NOT_MEASURED),
        (Figure("x", 5.0), Verdict.NO_GOAL),
    ],
)
def test_a_verdict_follows_from_value_goal_and_error(figure: Figure, verdict: Verdict) -> None:
    assert figure.verdict is verdict


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    found = figures("kills", 2.0)
    assert load_figures(save_figures(found, tmp_path)) == found
    assert [figure.name for figure in found.missed] == ["lost"]
    assert found.value("took") == 3.14159


def test_the_long_form_goes_before_the_short_one(tmp_path: Path) -> None:
    save_figures(figures("kills", 2.0, short=True), tmp_path)
    assert load_all(tmp_path)["kills"].short
    save_figures(figures("kills", 0.0), tmp_path)
    assert not load_all(tmp_path)["kills"].short


def test_the_page_keeps_its_words_and_says_what_was_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Before\n\n{MARKS[0]}\nold\n{MARKS[1]}\n\nAfter.\n")
    save_figures(figures("kills", 2.0), tmp_path)
    write_page(page, tmp_path, WORDS)
    text = page.read_text()
    assert text.startswith("# Before\n") and text.endswith("After.\n") and "old" not in text
    assert "| lost | 2 | <= 0 | missed |" in text and "| took | 3.14 ± 0.2 s |  |  |" in text
    assert "### Stopped\n\nnot run" in text
    assert "2030-01-02, 90 s; 2 cores. How it was done." in text
    write_page(page, tmp_path, WORDS)
    assert page.read_text() == text


def test_the_page_keeps_what_was_not_run_anew(tmp_path: Path) -> None:
    page, first, later = tmp_path / "page.md", tmp_path / "first", tmp_path / "later"
    first.mkdir()
    later.mkdir()
    save_figures(figures("kills", 2.0), first)
    save_figures(figures("stop", 3.0), first)
    write_page(page, first, WORDS)
    save_figures(figures("stop", 0.0), later)
    write_page(page, later, WORDS)
    kills, stop = page.read_text().split("### Stopped")
    assert "| lost | 2 | <= 0 | missed |" in kills
    assert "| lost | 0 | <= 0 | met |" in stop and "| lost | 3 |" not in stop


def test_a_page_with_one_mark_is_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(MARKS[0])
    with pytest.raises(CrowdstreamError, match="without the other"):
        write_page(page, tmp_path, WORDS)
    assert page.read_text() == MARKS[0]


def test_a_page_that_is_no_text_is_said_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CrowdstreamError, match="cannot read"):
        write_page(page, tmp_path, WORDS)
    assert page.read_bytes() == b"\xff\xfe\x00"


def test_every_scenario_is_shorter_in_its_short_form_and_the_page_has_a_place_for_it() -> None:
    assert all(0 < s.short_s < s.long_s for s in SCENARIOS.values())
    page = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
    text = page.read_text("utf-8")
    assert MARKS[0] in text and MARKS[1] in text
    assert [words for s in SCENARIOS.values() if (words := f"### {s.words}") not in text] == []


def test_the_machine_is_told_in_general_words() -> None:
    import socket

    assert socket.gethostname().casefold() not in machine_in_words().casefold().split()
