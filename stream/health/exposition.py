"""The text format that Prometheus reads (0.0.4), and OpenMetrics 1.0 for those who ask for it.

A family is a name, a kind, a line of help and its samples; everything said about escaping and order is here, so that
`prometheus.py` only has to say what is what.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from .histogram import Counts

PREFIX = "crowdstream_"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
MOST_LABEL = 128
"""Characters of a label's value; what is longer is cut."""

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


class MetricKind(StrEnum):
    """How a reader may treat the numbers."""

    COUNTER = "counter"
    """Only ever goes up, until the engine starts anew; its name ends in `_total`."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """All samples of one name."""

    name: str
    """Without the prefix; of a counter with `_total`."""
    kind: MetricKind
    help: str
    samples: dict[Labels, float | Counts] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"metric {self.name!r}: expected small letters, digits and underscores")
        if (self.kind is MetricKind.COUNTER) != self.name.endswith("_total"):
            raise ValueError(f"metric {self.name!r}: counters, and only they, end in _total")

    def set(self, value: float | Counts, **labels: str) -> None:
        """The sample with these labels; a second one replaces the first, for a name may stand only once."""
        self.samples[tuple((name, clean(text)) for name, text in labels.items())] = value


def clean(text: str) -> str:
    """A label's value that every reader can take: printable, encodable, of bounded length."""
    text = _UNPRINTABLE.sub("\ufffd", text)
    return text if len(text) <= MOST_LABEL else text[: MOST_LABEL - 1] + "…"


def render(families: Iterable[Family], openmetrics: bool = False) -> str:
    """The whole page. Families without samples are left out."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            lines += _family(family, openmetrics)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n"


def _family(family: Family, openmetrics: bool) -> list[str]:
    name = PREFIX + family.name
    # OpenMetrics names the family of a counter without its suffix
    title = name.removesuffix("_total") if openmetrics else name
    help_text = family.help.replace("\\", "\\\\").replace("\n", "\\n")
    if openmetrics:
        help_text = help_text.replace('"', '\\"')
    lines = [f"# HELP {title} {help_text}", f"# TYPE {title} {family.kind}"]
    for labels, value in family.samples.items():
        if isinstance(value, Counts):
            lines += _histogram(name, dict(labels), value, openmetrics)
        else:
            lines.append(f"{name}{_labels(dict(labels))} {number(value)}")
    return lines


def _histogram(name: str, labels: Mapping[str, str], counts: Counts, openmetrics: bool) -> list[str]:
    # OpenMetrics wants "1.0" where the older format had "1"
    bound = _point if openmetrics else number
    lines = [
        f"{name}_bucket{_labels({**labels, 'le': bound(bound_s)})} {total}"
        for bound_s, total in counts.cumulative()
    ]
    lines.append(f"{name}_sum{_labels(labels)} {number(counts.sum_s)}")
    lines.append(f"{name}_count{_labels(labels)} {counts.count}")
    return lines


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(text)}"' for name, text in labels.items()) + "}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number(value: float) -> str:
    """As Go's parser reads it: whole numbers without a point, infinities and NaN by name."""
    if isinstance(value, bool | int):
        return str(int(value))
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _point(value: float) -> str:
    return number(value) if math.isinf(value) else repr(float(value))
