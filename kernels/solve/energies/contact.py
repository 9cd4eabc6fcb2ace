"""E_contact: the lowest point of a body is on the ground (DyCrowd eq. 5).

    printed   E_contact = sum_{n,t} zeta_nt  min_i | n . v_nti - d |
    signed    E_contact = sum_{n,t} zeta_nt | min_i (n . v_nti - d) |

As printed, a body that cuts the plane anywhere scores about zero, however deep it has sunk; the signed form
measures the lowest vertex. Vertices are those of the soles or the whole mesh: for anybody on their feet the
minimum is the same and the mesh costs two hundred times more. O(N T V). The gradient goes through one
vertex; it jumps where the lowest vertex changes or touches the ground (and is 0 exactly on it).
"""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def contact(
    vertices_m: Float[Tensor, "N T V 3"],
    normal: Float[Tensor, "N T 3"],
    offset_m: Float[Tensor, "N T"],
    valid: Bool[Tensor, "N T"],
    signed: bool = False,
) -> Float[Tensor, "N"]:
    """E_contact without its lambda, per person (DyCrowd eq. 5), metres.

    Args:
        vertices_m: candidates for the lowest point, world, metres.
        normal: unit normal of the ground under each person-frame.
        offset_m: d of that ground, metres.
        valid: zeta: person-frames that count.
        signed: take the lowest vertex instead of the one nearest to the plane.
    """
    height = (vertices_m * normal[..., None, :]).sum(-1) - offset_m[..., None]
    distance = height.amin(-1).abs() if signed else height.abs().amin(-1)
    return (distance * valid).sum(-1)
