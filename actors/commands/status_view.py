"""A health report for a terminal: what is wrong first, then cameras, stages and what was left out.

State by shape and word as well as by colour. Nothing that a camera or a node calls itself can steer the terminal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ...stream.health.records import CameraHealth, HealthReport, StageHealth
from ...stream.health.verdict import ready, span, troubles

PHASES = {
    "running": ("●", "green"),
    "starting": ("◔", "cyan"),
    "paused": ("‖", "cyan"),
    "ended": ("■", "bright_black"),
    "stalled": ("◌", "yellow"),
    "reconnecting": ("↻", "yellow"),
    "failed": ("✖", "red"),
}
"""Phase -> symbol and colour; whatever is not here gets a question mark."""
OLD_S = 10.0
"""A report that old is no longer one of the moment: it is shown grey."""
MOST_ROWS = 64
MOST_TROUBLES = 12


def view(report: HealthReport, age_s: float, events: Sequence[str] = ()) -> RenderableType:
    """Everything, as wide as the terminal is.

    Args:
        age_s: since the report was made.
        events: what happened last, oldest first.
    """
    old = age_s > OLD_S
    parts: list[RenderableType] = [_head(report, age_s), _figures(report)]
    wrong = troubles(report)
    parts += [Text(f"! {_clean(line)}", style="yellow") for line in wrong[:MOST_TROUBLES]]
    if len(wrong) > MOST_TROUBLES:
        parts.append(Text(f"! and {len(wrong) - MOST_TROUBLES} more", style="yellow"))
    if report.cameras:
        parts.append(_cameras(report.cameras, old))
    if report.stages:
        parts.append(_stages(report.stages))
    if report.drops:
        parts.append(_drops(report))
    parts += [Text(_clean(event), style="dim") for event in events]
    return Group(*parts)


def _head(report: HealthReport, age_s: float) -> Text:
    is_ready, said = ready(report, age_s)
    symbol, colour = ("●", "green") if is_ready else ("✖", "red")
    short = said if is_ready else said.partition(":")[0]  # the rest is said below, a line each
    line = Text(f"{symbol} {_clean(short)}", style=f"bold {colour}")
    line.append(
        f"  up {span(report.uptime_s)}, session {_clean(report.sid)}, {_clean(report.version)}",
        style="not bold",
    )
    if age_s > OLD_S:
        line.append(f"  figures are {span(age_s)} old", style="bold red")
    return line


def _figures(report: HealthReport) -> RenderableType:
    """What comes out, and what it costs."""
    out = [f"{report.people} people", f"{report.windows} windows"]
    for tier, values in report.latency_ms.items():
        p50, p95 = values.get("p50", math.nan), values.get("p95", math.nan)
        out.append(f"{_clean(tier)} {_ms(p50)} (p95 {_ms(p95)})")
    if report.refine_lag_s is not None:
        out.append(f"refined {report.refine_lag_s:.1f} s behind")
    dropped = f" ({report.subscriber_dropped} dropped)" if report.subscriber_dropped else ""
    out.append(f"{report.subscribers} subscribers{dropped}")
    cost = [f"log {size(report.log_bytes)}" if report.recording or report.log_bytes else "no log"]
    cost.append(f"memory {size(report.resident_bytes)}")
    cost += [f"{_clean(role)} {_clean(name)}" for role, name in report.networks.items()]
    return Group(Text("  " + ", ".join(out)), Text("  " + ", ".join(cost)))


def _cameras(cameras: Sequence[CameraHealth], old: bool) -> Table:
    table = _table(
        "camera", "state", ">fps", ">out", ">age", ">people", ">dropped", ">lost", "clock", "ground"
    )
    for camera in cameras[:MOST_ROWS]:
        symbol, colour = PHASES.get(camera.phase, ("?", "red"))
        table.add_row(
            Text(_clean(camera.name)),
            Text(f"{symbol} {_clean(camera.phase)}", style="bright_black" if old else colour),
            f"{camera.fps_in:.1f}",
            f"{camera.fps_out:.1f}",
            "-" if camera.frame_age_s is None else _age(camera.frame_age_s),
            str(camera.people),
            str(sum(camera.dropped.values())),
            str(camera.reconnects),
            Text(_clock(camera)),
            "stands" if camera.calibrated else "not yet",
        )
    if len(cameras) > MOST_ROWS:
        table.add_row(f"and {len(cameras) - MOST_ROWS} more")
    return table


def _stages(stages: Sequence[StageHealth]) -> Table:
    table = _table("stage", ">waiting", ">busy", ">replaced", "node")
    for stage in stages[:MOST_ROWS]:
        limit = f" of {stage.queue_limit}" if stage.queue_limit else ""
        replaced = Text(str(stage.restarts), style="yellow" if stage.restarts else "")
        table.add_row(
            Text(_clean(stage.name)),
            f"{stage.queued}{limit}",
            span(stage.busy_s),
            replaced,
            Text(_clean(stage.place)),
        )
    return table


def _drops(report: HealthReport) -> Text:
    """The largest first."""
    rows = sorted(report.drops.items(), key=lambda row: -row[1])[:MOST_ROWS]
    said = ", ".join(f"{_clean(stage)}: {_clean(cause)} {count}" for (stage, cause), count in rows)
    return Text(f"left out  {said}")


def _table(*heads: str) -> Table:
    """A `>` in front of a head: numbers, right-aligned; on a narrow terminal words give way to them."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for head in heads:
        name, right = head.lstrip(">"), head.startswith(">")
        table.add_column(
            name,
            justify="right" if right else "left",
            no_wrap=True,
            min_width=max(6, len(name)) if right else 4,
        )
    return table


def _clock(camera: CameraHealth) -> str:
    """What the capture time rests on, and how far it may be off."""
    parts = [_clean(camera.clock)] if camera.clock else []
    if camera.skew_s is not None:
        parts.append(f"{camera.skew_s * 1e3:+.0f} ms")
    return " ".join(parts)


def _age(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else span(seconds)


def _ms(value: float) -> str:
    return f"{value:.0f} ms" if math.isfinite(value) else "-"


def size(num_bytes: int) -> str:
    """12 MB, 3.4 GB."""
    if num_bytes < 1_000_000_000:
        return f"{num_bytes / 1e6:.0f} MB"
    return f"{num_bytes / 1e9:.1f} GB"


def _clean(text: str) -> str:
    """One line that cannot steer a terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)
