"""The summary of a demo as one page that any browser shows, the overlay video on top."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from .demo_summary import rows_of

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem;
       color: #1c2430; background: #fafafa; }
video { width: 100%; border-radius: 6px; background: #000; }
table { border-collapse: collapse; width: 100%; margin-top: 1.5rem; }
td { border-top: 1px solid #dde2e8; padding: .35rem .6rem; vertical-align: top; }
td:first-child { white-space: nowrap; color: #57606d; }
p { color: #57606d; }
"""


def page(summary: Mapping[str, Any]) -> str:
    """The whole page; it names the video by its file name, so both stay in one folder.

    Args:
        summary: of `demo_summary.summary_of`.
    """
    name = html.escape(Path(summary["video"]).name)
    overlay = summary["files"].get("overlay")
    video = ""
    if overlay:
        source = html.escape(quote(Path(overlay).name))
        video = f'<video controls autoplay muted loop src="{source}"></video>\n'
    rows = "\n".join(
        f"<tr><td>{html.escape(label)}</td><td>{html.escape(value)}</td></tr>"
        for label, value in rows_of(summary)
    )
    return (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>{name}: crowdstream</title>\n'
        f"<style>{_STYLE}</style>\n<h1>{name}</h1>\n{video}<table>\n{rows}\n</table>\n"
        "<p>Bodies of people who were hidden are inferred, not seen.</p>\n</html>\n"
    )
