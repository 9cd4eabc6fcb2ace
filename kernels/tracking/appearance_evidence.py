"""What two appearance codes say about two tracks being one person: a log likelihood ratio.

The logarithm of the cosine distance x = ln(d + d0) of codes of one person, 1-10 s apart in one camera, and of
different people of one place is near to Gaussian, and the means of n and m codes come nearer to each other:

    same       x ~ N(mu_s + g (1/n + 1/m) / 2, s_s)
    different  x ~ N(mu_d, s_d)

Nobody is believed without end: a share `lost` of the same people look like others (a jacket taken off, sun after
shade, codes of whoever stood in front), and a share `alike` of others look the same (dark coats, uniforms):

    llr = ln((1 - lost) S + lost D) - ln((1 - alike) D + alike S)

which lies between ln(lost) and -ln(alike). Codes that share only a part (`share` < 1) speak with that part of their
voice. The numbers were measured on PETS09 S2.L1 with annotated ids (colour, and the network's embeddings) and
on a grey hall with unbroken tracks; see docs/tracking.md.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..perception.appearance_code import CodeKind, compare_codes

Array = np.ndarray

_FLOOR = 1e-4
"""d0 of the module's head: float32 codes do not come nearer."""


@dataclass(frozen=True)
class Evidence:
    """The parameters of the module's head, for one kind of code."""

    same_mean: float
    """Of x for one person, means of many codes."""
    same_std: float
    single_gain: float
    """g: what is added to it for single codes."""
    other_mean: float
    """Of x for different people."""
    other_std: float
    lost: float
    alike: float


EVIDENCE = {
    CodeKind.COLOUR: Evidence(-3.90, 1.05, 0.38, -1.79, 0.74, 0.03, 0.05),
    CodeKind.GREY: Evidence(-5.00, 1.35, 0.66, -2.18, 0.88, 0.03, 0.08),
    CodeKind.EMBEDDING: Evidence(-3.15, 0.53, 0.65, -1.80, 0.50, 0.04, 0.08),
}


def appearance_llr(
    distance: Float[Array, "P"],
    count_a: Float[Array, "P"],
    count_b: Float[Array, "P"],
    kind: CodeKind = CodeKind.COLOUR,
) -> Float[Array, "P"]:
    """Natural log likelihood ratio of "the same person" over "somebody else"; 0 where the distance is NaN.

    Args:
        distance: cosine distance of the two mean codes.
        count_a, count_b: codes that each mean rests on, at some 5 a second.
    """  # fmt: skip
    e = EVIDENCE[kind]
    x = np.log(np.maximum(np.nan_to_num(distance, nan=1.0), 0.0) + _FLOOR)
    single = 0.5 / np.maximum(count_a, 1.0) + 0.5 / np.maximum(count_b, 1.0)
    same_mean = e.same_mean + e.single_gain * single
    x = np.minimum(x, _turn(e, same_mean))
    same, other = _log_gaussian(x, same_mean, e.same_std), _log_gaussian(x, e.other_mean, e.other_std)
    return np.asarray(np.where(
        np.isnan(distance), 0.0,
        np.logaddexp(np.log(1 - e.lost) + same, np.log(e.lost) + other)
        - np.logaddexp(np.log(1 - e.alike) + other, np.log(e.alike) + same),
    ))  # fmt: skip


def code_llr(
    a: Float[Array, "P A"], b: Float[Array, "P A"], count_a: Float[Array, "P"], count_b: Float[Array, "P"]
) -> Float[Array, "P"]:
    """The same for pairs of mean codes of whatever kind; 0 where they know nothing in common."""
    distance, kind, share = compare_codes(a, b)
    out = np.zeros(len(distance))
    for each in EVIDENCE:
        rows = np.flatnonzero(kind == int(each))
        out[rows] = appearance_llr(distance[rows], count_a[rows], count_b[rows], each) * share[rows]
    return out


def _turn(e: Evidence, same_mean: Float[Array, "P"]) -> Float[Array, "P"]:
    """Where the ratio of the two Gaussians is least: beyond, the wider one would win again, which says nothing."""
    a, b = e.other_std**-2, e.same_std**-2
    if a <= b:
        return np.full(len(same_mean), np.inf)
    return np.asarray((a * e.other_mean - b * same_mean) / (a - b))


def _log_gaussian(x: Float[Array, "P"], mean: Float[Array, "*P"] | float, std: float) -> Float[Array, "P"]:
    return np.asarray(-0.5 * ((x - mean) / std) ** 2 - np.log(std))
