"""Paths and surfaces between latents."""

from collections.abc import Callable

import torch
from torch import Tensor

# Below this sine of the angle two vectors count as parallel or opposite: the plane that they span
# is lost in rounding, or LERP is the same to seven digits.
MIN_SINE = 1e-3


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return (1 - t) a + t b, which is a at t = 0 and b at t = 1 exactly.

    Parameters
    ----------
    a, b : Tensor, shape (..., d)
    t : Tensor, shape (..., 1) or one that broadcasts with a and b
    """
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the spherical interpolation from a to b (Shoemake 1985).

        slerp(a, b, t) = sin((1 - t) theta) / sin(theta) a + sin(t theta) / sin(theta) b

    with theta the angle between a and b. Where that is not defined (parallel or opposite vectors,
    or one of them zero) it falls back to `lerp`.

    Parameters
    ----------
    a, b : Tensor, shape (..., d)
        Of any norm; the norm goes over from one to the other.
    t : Tensor, shape (..., 1) or one that broadcasts with a and b
    """
    theta = angle(a, b)[..., None]
    sine = theta.sin()
    safe = torch.where(sine > MIN_SINE, sine, torch.ones_like(sine))
    arc = ((1 - t) * theta).sin() / safe * a + (t * theta).sin() / safe * b
    return torch.where(sine > MIN_SINE, arc, lerp(a, b, t))


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the angle between vectors in radians, in [0, pi]; 0 where one of them is zero.

    Kahan's formula, which unlike the arc cosine is exact near 0 and pi.

    Parameters
    ----------
    a, b : Tensor, shape (..., d)

    Returns
    -------
    Tensor, shape (...)
    """
    a, b = (torch.nn.functional.normalize(v, dim=-1) for v in (a, b))
    theta = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))
    both = (a.norm(dim=-1) > 0) & (b.norm(dim=-1) > 0)
    return torch.where(both, theta, torch.zeros_like(theta))


def path(a: Tensor, b: Tensor, steps: int, mix: Callable = lerp) -> Tensor:
    """Return `steps` latents from a to b, both included, shape (steps, d)."""
    return mix(a, b, torch.linspace(0, 1, steps)[:, None])


def surface(corners: Tensor, steps: int, mix: Callable = lerp) -> Tensor:
    """Return latents between four corners: along the left and right edge, then across.

    With `lerp` this is the bilinear interpolation.

    Parameters
    ----------
    corners : Tensor, shape (4, d)
        Top left, top right, bottom left, bottom right.
    steps : int
        Latents along each side.
    mix : callable
        `lerp` or `slerp`.

    Returns
    -------
    Tensor, shape (steps, steps, d)
        Its corners are the given ones exactly.
    """
    top_left, top_right, bottom_left, bottom_right = corners
    left = path(top_left, bottom_left, steps, mix)
    right = path(top_right, bottom_right, steps, mix)
    across = torch.linspace(0, 1, steps)[None, :, None]
    return mix(left[:, None], right[:, None], across)
