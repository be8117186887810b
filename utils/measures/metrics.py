"""How good reconstructions are, in numbers."""

import numpy as np
from skimage.metrics import structural_similarity
from torch import Tensor

from model import VAE
from utils.data_utils import to_float
from utils.training.engine import evaluate, psnr, reconstruct

SSIM_WINDOW = 11  # pixels


def reconstruction_metrics(
    model: VAE, sprites: Tensor, *, ssim: bool = True
) -> dict[str, float | None]:
    """Return the metrics of reconstructions from the mean, z = mu.

    Parameters
    ----------
    model : VAE
    sprites : Tensor, shape (N, 3, S, S), uint8
    ssim : bool
        False where its millisecond a sprite is too much.

    Returns
    -------
    dict
        ``sse``, the squared error summed over the values of a sprite and averaged over sprites;
        ``mse``, the same a value; ``psnr`` in dB, of that mean; ``ssim``, single scale, the mean
        over sprites (Wang et al. 2004: Gaussian window of sigma 1.5), None where it is
        not wanted or sprites are smaller than that window.
    """
    sse = evaluate(model, sprites)[1].item()
    mse = sse / sprites[0].numel()
    similarity = sprite_ssim(model, sprites) if ssim else None
    mean = None if similarity is None else float(similarity.mean())
    return {"sse": sse, "mse": mse, "psnr": psnr(mse), "ssim": mean}


def sprite_ssim(model: VAE, sprites: Tensor) -> np.ndarray | None:
    """Return the SSIM (N,) of each sprite, or None where they are smaller than its window."""
    if sprites.shape[-1] < SSIM_WINDOW:
        return None
    originals, recons = to_float(sprites).numpy(), reconstruct(model, sprites).numpy()
    similarity = [
        structural_similarity(
            original,
            recon,
            channel_axis=0,
            data_range=1.0,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for original, recon in zip(originals, recons, strict=True)
    ]
    return np.array(similarity)
