"""Small drawings for the report, as SVG text: lines, bars, steps and a plan seen from above.

An own generator, because a report must open anywhere without a network and evaluating must not need a plotting
package: the text is small, takes the page's colours (light or dark), and the same numbers give the same bytes.
Values that are not finite leave a gap. Every text is escaped here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

Values = Sequence[float | None]

WIDTH, HEIGHT = 560, 300
"""Units of the drawing; the page scales it to its column."""
_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 14, 44, 46
_COLOURS = 6
"""Classes s0..s5 of the page's style sheet."""
_PATH_POINTS = 20_000
"""Most points of a plan: more would make the page heavy and look the same."""


@dataclass(frozen=True)
class Axis:
    """A scale from data to drawing units, with round ticks."""

    low: float
    high: float
    start: float
    """Drawing coordinate of `low`."""
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        a, b = self.low, self.high
        if self.log:
            value, a, b = math.log10(value), math.log10(a), math.log10(b)
        return self.start + (value - a) / (b - a) * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        if self.log:
            return _log_ticks(self.low, self.high)
        step = _round_step((self.high - self.low) / 5)
        first = math.ceil(self.low / step - 1e-9)
        return [k * step for k in range(first, math.floor(self.high / step + 1e-9) + 1)]


def line_chart(
    x: Sequence[float],
    series: Mapping[str, Values],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    y_max: float | None = None,
) -> str:
    """Lines over one x axis; y starts at zero."""
    good = [v for v in x if math.isfinite(v) and (v > 0 or not log_x)]
    low, high = (min(good), max(good)) if good else (0.0, 1.0)
    if high <= low:
        high = low * 2 if log_x else low + 1
    x_axis = Axis(low, high, _LEFT, WIDTH - _RIGHT, log_x)
    y_axis = _upright(_largest(series.values()) if y_max is None else y_max)
    body = [_frame(x_axis, y_axis, x_label, y_label)]
    for k, values in enumerate(series.values()):
        points = [
            None
            if not (_finite(v) and _finite(t) and (t > 0 or not log_x))
            else (x_axis(t), y_axis(v or 0.0))
            for t, v in zip(x, values, strict=True)
        ]
        body.append(f'<path class="line s{k % _COLOURS}" d="{_polyline(points)}"/>')
        if sum(p is not None for p in points) <= 40:  # so few that each was measured at a chosen place
            body += [
                f'<circle class="dot s{k % _COLOURS}" cx="{p[0]:.1f}" cy="{p[1]:.1f}" r="2.6"/>'
                for p in points
                if p
            ]
    return _svg(title, body, list(series))


def step_chart(
    edges: Sequence[float],
    series: Mapping[str, Values],
    *,
    title: str,
    x_label: str,
    y_label: str,
    counts: Sequence[float] | None = None,
) -> str:
    """Means of bins as steps over their edges; the pale bars behind are the counts, on a scale of their own."""
    x_axis = Axis(edges[0], edges[-1] if edges[-1] > edges[0] else edges[0] + 1, _LEFT, WIDTH - _RIGHT)
    y_axis = _upright(_largest(series.values()))
    body = []
    if counts is not None and max(counts, default=0) > 0:
        behind = _upright(max(counts) * 1.6)
        body += [
            _bar(x_axis(a), x_axis(b), behind(n), behind(0), "count") for a, b, n in _bins(edges, counts)
        ]
    body.append(_frame(x_axis, y_axis, x_label, y_label))
    for k, values in enumerate(series.values()):
        points: list[tuple[float, float] | None] = []
        for a, b, v in _bins(edges, values):
            points += [(x_axis(a), y_axis(v)), (x_axis(b), y_axis(v))] if _finite(v) else [None]
        body.append(f'<path class="line s{k % _COLOURS}" d="{_polyline(points)}"/>')
    return _svg(title, body, list(series) + (["person-frames"] if counts is not None else []))


def histogram(
    edges: Sequence[float],
    counts: Sequence[float],
    *,
    title: str,
    x_label: str,
    y_label: str,
    log_x: bool = False,
) -> str:
    """Counts of bins as bars. With `log_x`, a first edge of zero is drawn half a decade below the second."""
    edges = list(edges)
    if log_x and edges and edges[0] <= 0:
        edges[0] = edges[1] / math.sqrt(10)
    x_axis = Axis(
        edges[0], edges[-1] if edges[-1] > edges[0] else edges[0] * 2 + 1, _LEFT, WIDTH - _RIGHT, log_x
    )
    y_axis = _upright(max(counts, default=0.0))
    bars = [_bar(x_axis(a), x_axis(b), y_axis(n), y_axis(0), "s0") for a, b, n in _bins(edges, counts) if n]
    return _svg(title, [*bars, _frame(x_axis, y_axis, x_label, y_label)], [])


def bar_chart(values: Mapping[str, float | None], *, title: str, unit: str) -> str:
    """Lying bars with a label and a value each, in the order given."""
    row, left = 17, 118
    known = {k: v for k, v in values.items() if _finite(v)}
    top = 26
    height = top + row * len(known) + 8
    x_axis = Axis(0.0, _ceiling(max((v or 0.0 for v in known.values()), default=0.0)), left, WIDTH - 60)
    body = []
    for k, (name, value) in enumerate(known.items()):
        y, v = top + k * row, value or 0.0
        body.append(
            f'<rect class="bar s0" x="{left}" y="{y + 2}" width="{max(x_axis(v) - left, 0):.1f}" height="{row - 4}"/>'
        )
        body.append(f'<text class="tick end" x="{left - 6}" y="{y + row - 5}">{escape(name)}</text>')
        body.append(
            f'<text class="tick" x="{x_axis(v) + 5:.1f}" y="{y + row - 5}">{_number(v)} {escape(unit)}</text>'
        )
    return _svg(title, body, [], height)


def plan(
    true: Sequence[Sequence[Sequence[float]]], found: Sequence[Sequence[Sequence[float]]], *, title: str
) -> str:
    """Paths on the ground seen from above, true ones below the found ones; one scale for both axes, metres."""
    everywhere = [p for path in (*true, *found) for p in path if _finite(p[0]) and _finite(p[1])]
    if not everywhere:
        return _svg(title, [], [])
    xs, ys = [p[0] for p in everywhere], [p[1] for p in everywhere]
    x0, y0 = min(xs), min(ys)
    extent_x, extent_y = max(max(xs) - x0, 1.0), max(max(ys) - y0, 1.0)
    wide = WIDTH - _LEFT - _RIGHT
    high = min(max(wide * extent_y / extent_x, 160.0), 620.0)
    scale = min(wide / extent_x, high / extent_y)
    x_axis = Axis(x0, x0 + wide / scale, _LEFT, _LEFT + wide)
    y_axis = Axis(y0, y0 + high / scale, _TOP + high, _TOP)
    stride = -(-len(everywhere) // _PATH_POINTS)
    body = [_frame(x_axis, y_axis, "x, m", "y, m")]
    for paths, style in ((true, "path true"), (found, "path found")):
        d = " ".join(_polyline([_place(p, x_axis, y_axis) for p in _thinned(path, stride)]) for path in paths)
        body.append(f'<path class="{style}" d="{d}"/>')
    return _svg(title, body, ["true", "found"], int(_TOP + high + _BOTTOM), ("true", "found"))


def _place(p: Sequence[float], x_axis: Axis, y_axis: Axis) -> tuple[float, float] | None:
    return (x_axis(p[0]), y_axis(p[1])) if _finite(p[0]) and _finite(p[1]) else None


def _thinned(path: Sequence[Sequence[float]], stride: int) -> list[Sequence[float]]:
    """Every stride-th point, and always the last and the gaps."""
    last = len(path) - 1
    return [p for k, p in enumerate(path) if k % stride == 0 or k == last or not _finite(p[0])]


def _bins(edges: Sequence[float], values: Sequence[float | None]) -> list[tuple[float, float, float]]:
    return [
        (a, b, math.nan if v is None else v) for a, b, v in zip(edges[:-1], edges[1:], values, strict=True)
    ]


def _bar(x0: float, x1: float, top: float, floor: float, style: str) -> str:
    wide, high = max(x1 - x0 - 1, 0.5), max(floor - top, 0.0)
    return (
        f'<rect class="bar {style}" x="{x0 + 0.5:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{high:.1f}"/>'
    )


def _polyline(points: Sequence[tuple[float, float] | None]) -> str:
    """Path data; None lifts the pen."""
    out, down = [], False
    for p in points:
        if p is not None:
            out.append(f"{'L' if down else 'M'}{p[0]:.1f} {p[1]:.1f}")
        down = p is not None
    return "".join(out)


def _frame(x_axis: Axis, y_axis: Axis, x_label: str, y_label: str) -> str:
    left, right, low, high = x_axis.start, x_axis.end, y_axis.start, y_axis.end
    out = [
        f'<path class="grid" d="{"".join(f"M{left:.1f} {y_axis(v):.1f}H{right:.1f}" for v in y_axis.ticks)}"/>'
    ]
    out += [
        f'<text class="tick end" x="{left - 6:.1f}" y="{y_axis(v) + 4:.1f}">{_number(v)}</text>'
        for v in y_axis.ticks
    ]
    out += [
        f'<text class="tick mid" x="{x_axis(v):.1f}" y="{low + 16:.1f}">{_number(v)}</text>'
        for v in x_axis.ticks
    ]
    out.append(f'<path class="axis" d="M{left:.1f} {high:.1f}V{low:.1f}H{right:.1f}"/>')
    out.append(
        f'<text class="label mid" x="{(left + right) / 2:.1f}" y="{low + 36:.1f}">{escape(x_label)}</text>'
    )
    middle = (low + high) / 2
    out.append(
        f'<text class="label mid" transform="translate(14 {middle:.1f}) rotate(-90)">{escape(y_label)}</text>'
    )
    return "".join(out)


def _svg(
    title: str,
    body: Sequence[str],
    legend: Sequence[str],
    height: int = HEIGHT,
    styles: Sequence[str] | None = None,
) -> str:
    """The whole drawing with its title, and below it, for several series, the legend."""
    out = [
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">',
        f'<text class="title" x="8" y="15">{escape(title)}</text>',
        *body,
    ]
    x = float(_LEFT)
    for k, name in enumerate(legend if len(legend) > 1 else []):
        style = styles[k] if styles else ("count" if name == "person-frames" else f"s{k % _COLOURS}")
        out.append(f'<rect class="key {style}" x="{x:.1f}" y="25" width="11" height="8"/>')
        out.append(f'<text class="tick" x="{x + 15:.1f}" y="33">{escape(name)}</text>')
        x += 6.0 * len(name) + 34
    return "".join([*out, "</svg>"])


def _upright(largest: float) -> Axis:
    return Axis(0.0, _ceiling(largest), HEIGHT - _BOTTOM, _TOP)


def _largest(rows: object) -> float:
    values = [v for row in rows for v in row if _finite(v)]  # type: ignore[attr-defined]
    return max(values, default=0.0)


def _ceiling(value: float) -> float:
    """The next round number, not below; 1 for nothing to show."""
    if value <= 0:
        return 1.0
    step = _round_step(value / 5)
    return step * math.ceil(value / step - 1e-9)


def _round_step(rough: float) -> float:
    """1, 2 or 5 times a power of ten, not below `rough`."""
    base = 10.0 ** math.floor(math.log10(rough))
    return next(m * base for m in (1, 2, 5, 10) if m * base >= rough * (1 - 1e-9))


def _log_ticks(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    marks = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [m * 10.0**k for k in range(first, last + 1) for m in marks]
    return [t for t in ticks if low * (1 - 1e-9) <= t <= high * (1 + 1e-9)]


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
