"""`python -P -m crowdstream.lab.soak [SCENARIO ...] [--short] [--out DIR] [--page FILE]`: the long proofs.

Runs one scenario after the other, says how each stands, and writes the figures: JSON in the folder, and the section
of the page that is theirs. Exit code 0: every goal is met; 1: one is missed, or a scenario could not run.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

from ...kernels.errors import CrowdstreamError
from .figures import Figures, save_figures
from .report import machine_in_words, write_page
from .scenarios import SCENARIOS


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--short", action="store_true", help="the same courses in tens of seconds each")
    parser.add_argument("--seconds", type=float, help="of each scenario, instead of its own length")
    parser.add_argument(
        "--out", type=Path, default=Path("out/soak"), help="folder for figures and what led to them"
    )
    parser.add_argument("--page", type=Path, help="Markdown page whose section is written")
    args = parser.parse_args()
    unknown = sorted(set(args.scenarios) - set(SCENARIOS))
    if unknown:
        parser.error(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    # ended from outside, it still ends what it started
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    folder: Path = args.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for name in args.scenarios or SCENARIOS:
        found = run_one(name, args.short, args.seconds, folder)
        failed += found is None or bool(found.missed)
        if args.page is not None:
            write_page(args.page, folder, {key: scenario.words for key, scenario in SCENARIOS.items()})
    print(f"soak: {'all goals met' if not failed else f'{failed} scenarios missed a goal or did not run'}")
    return 1 if failed else 0


def run_one(name: str, short: bool, seconds: float | None, folder: Path) -> Figures | None:
    """One scenario in a folder of its own; None where it could not run, which is said."""
    scenario = SCENARIOS[name]
    length_s = seconds if seconds is not None else scenario.short_s if short else scenario.long_s
    work = folder / name
    work.mkdir(exist_ok=True)
    print(f"== {name}: {scenario.words} ({length_s:.0f} s or what it takes)", flush=True)
    begin_s = time.monotonic()
    try:
        found = scenario.run(length_s, work)
    except CrowdstreamError as exc:
        print(f"   not run: {exc}  [{time.monotonic() - begin_s:.0f} s]", flush=True)
        return None
    today = datetime.date.today().isoformat()
    found = replace(found, short=length_s < scenario.long_s, date=today, machine=machine_in_words())
    for figure in found.figures:
        print(f"   {figure}", flush=True)
    save_figures(found, folder)
    return found


if __name__ == "__main__":
    sys.exit(main())
