"""The learning rate of an epoch: linear warm-up, then half a cosine."""

import math

FULL_WARMUP = 20  # epochs


def learning_rate(
    epoch: int, *, lr: float, min_lr: float, warmup_epochs: int, epochs: int
) -> float:
    """Return the learning rate of one epoch.

    No epoch is wasted on a rate of 0: the warm-up factor is ``(epoch + 1) / warmup_epochs``, so
    that ``lr`` is reached at the last warm-up epoch. From there the rate falls to ``min_lr`` along
    half a cosine (Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, without restarts).

    Parameters
    ----------
    epoch : int
        In [0, epochs).
    lr, min_lr : float
        Highest and lowest rate.
    warmup_epochs : int
        In [0, epochs); 0 means no warm-up.
    epochs : int
        Number of epochs of the whole run.
    """
    if epoch < warmup_epochs:
        return lr * (epoch + 1) / warmup_epochs
    progress = (epoch - warmup_epochs) / (epochs - warmup_epochs)
    return min_lr + (lr - min_lr) * 0.5 * (1 + math.cos(math.pi * progress))


def default_warmup(epochs: int) -> int:
    """Return the number of warm-up epochs of a run that names none: 20, or a tenth if shorter."""
    return min(FULL_WARMUP, epochs // 10)
