"""Paths and surfaces between latents."""

from collections.abc import Callable

import torch
from torch import Tensor

# Two vectors count as parallel or opposite if the sine of their angle is below this: the plane
# they span is lost in rounding, or LERP is the same to seven digits.
MIN_SINE = 1e-3


def lerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return (1 - t) a + t b, which is exactly a at t = 0 and b at t = 1; see `slerp`."""
    return (1 - t) * a + t * b


def slerp(a: Tensor, b: Tensor, t: Tensor) -> Tensor:
    """Return the spherical interpolation from a to b (Shoemake 1985).

        slerp(a, b, t) = sin((1 - t) theta) / sin(theta) a + sin(t theta) / sin(theta) b

    with theta the angle between a and b. Where this is undefined (parallel or opposite vectors,
    or a zero one) it falls back to `lerp`.

    Parameters
    ----------
    a, b : Tensor, shape (..., d)
        Of any norm.
    t : Tensor, shape (..., 1) or any that broadcasts with a and b
    """
    theta = angle(a, b)[..., None]
    sine = theta.sin()
    safe = torch.where(sine > MIN_SINE, sine, torch.ones_like(sine))
    arc = ((1 - t) * theta).sin() / safe * a + (t * theta).sin() / safe * b
    return torch.where(sine > MIN_SINE, arc, lerp(a, b, t))


def angle(a: Tensor, b: Tensor) -> Tensor:
    """Return the angle between vectors (..., d) in radians, shape (...); 0 where one is zero.

    Kahan's formula, which unlike the arc cosine is exact near 0 and pi.
    """
    a, b = (torch.nn.functional.normalize(v, dim=-1) for v in (a, b))
    theta = 2 * torch.atan2((a - b).norm(dim=-1), (a + b).norm(dim=-1))
    both = (a.norm(dim=-1) > 0) & (b.norm(dim=-1) > 0)
    return torch.where(both, theta, torch.zeros_like(theta))


def path(a: Tensor, b: Tensor, steps: int, mix: Callable = lerp) -> Tensor:
    """Return `steps` latents from a to b, including both, shape (steps, d)."""
    return mix(a, b, torch.linspace(0, 1, steps)[:, None])


def surface(corners: Tensor, steps: int, mix: Callable = lerp) -> Tensor:
    """Return latents between four corners, shape (steps, steps, d), which include them exactly.

    Mixed along the left and the right edge, then across; with `lerp` this is bilinear. The
    corners (4, d) are top left, top right, bottom left, bottom right.
    """
    top_left, top_right, bottom_left, bottom_right = corners
    left = path(top_left, bottom_left, steps, mix)
    right = path(top_right, bottom_right, steps, mix)
    across = torch.linspace(0, 1, steps)[None, :, None]
    return mix(left[:, None], right[:, None], across)


def traverse(z: Tensor, dim: int, values: Tensor) -> Tensor:
    """Return copies of a latent (d,) in which one dimension takes each value, (len(values), d)."""
    copies = z.repeat(len(values), 1)
    copies[:, dim] = values
    return copies


def plane(z: Tensor, across: int, down: int, offsets: Tensor) -> Tensor:
    """Return latents around a latent (d,) in two of its dimensions, (n * n, d), row by row."""
    rows = torch.cat([traverse(z, down, value) for value in z[down] + offsets[:, None]])
    return torch.cat([traverse(row, across, z[across] + offsets) for row in rows])


def manifold(steps: int) -> Tensor:
    """Return a grid over a two-dimensional latent space, (steps * steps, 2).

    Its cells are equally likely under the prior (Kingma and Welling 2014, figure 4).
    """
    values = torch.special.ndtri((torch.arange(steps) + 0.5) / steps)
    return torch.cartesian_prod(values, values).flip(1)
