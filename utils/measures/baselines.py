"""What reconstructs a sprite without learning much: the errors that a model must be below."""

import torch
from torch import Tensor

from utils.data_utils import to_float

COMPONENTS = (16, 32, 64)


def baseline_errors(
    train_sprites: Tensor, val_sprites: Tensor, components: tuple[int, ...] = COMPONENTS
) -> dict[str, tuple[Tensor, Tensor]]:
    """Return the squared errors of reconstructions by the mean sprite, PCA and nearest sprite.

    All of it is fitted to the training sprites.

    Parameters
    ----------
    train_sprites, val_sprites : Tensor, shape (N, 3, S, S), uint8
    components : tuple of int
        Numbers of principal components; those beyond the rank of the training set change nothing.

    Returns
    -------
    dict
        From a name to the errors (N,) of the training and of the held-out sprites, summed over
        the values of a sprite (SSE). The nearest sprite of a training sprite is another one.
    """
    train, val = (to_float(sprites).flatten(1) for sprites in (train_sprites, val_sprites))
    mean = train.mean(0)
    # The rows of `axes` are the principal axes, the first explains most.
    _, _, axes = torch.linalg.svd(train - mean, full_matrices=False)

    errors = {"mean sprite": (squared_error(train, mean), squared_error(val, mean))}
    for count in components:
        basis = axes[:count]
        errors[f"PCA, {count} components"] = tuple(
            squared_error(x, mean + (x - mean) @ basis.T @ basis) for x in (train, val)
        )
    others = torch.cdist(train, train).fill_diagonal_(torch.inf).argmin(1)
    nearest = torch.cdist(val, train).argmin(1)
    errors["nearest training sprite"] = (
        squared_error(train, train[others]),
        squared_error(val, train[nearest]),
    )
    return errors


def squared_error(x: Tensor, recon: Tensor) -> Tensor:
    """Return the squared error of each sprite, summed over its values."""
    return (x - recon).square().sum(1)
