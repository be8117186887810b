"""Pictures of a model while it trains: ``reconstructions.png``, ``samples.png``, TensorBoard's."""

from pathlib import Path

from torch import Tensor

from model import VAE
from utils.pictures.plot import grid, labelled_rows, save_figure
from utils.training.engine import decode, evaluate, psnr, reconstruct

COLUMNS = 10
SCALE = 3  # pixels of a picture a pixel of a sprite
NUM_SAMPLES = 100
NUM_SHOWN = 64  # sprites in a picture of TensorBoard


def save_snapshots(
    folder: Path, model: VAE, train_sprites: Tensor, val_sprites: Tensor, z: Tensor
) -> None:
    """Draw ``reconstructions.png`` and ``samples.png`` anew.

    Parameters
    ----------
    folder : Path
        Of the run.
    model : VAE
    train_sprites, val_sprites : Tensor, shape (N, 3, S, S), uint8
    z : Tensor, shape (N, latent_size)
        From the prior; the same in all snapshots of a run, so that they can be compared.
    """
    rows = []
    for label, sprites in (
        ("held out", val_sprites[:COLUMNS]),
        ("training", train_sprites[:COLUMNS]),
        ("training", train_sprites[COLUMNS : 2 * COLUMNS]),
    ):
        if len(sprites):
            rows += [(label, sprites), ("reconstruction", reconstruct(model, sprites))]
    save_figure(folder / "reconstructions.png", labelled_rows(rows, SCALE))
    save_figure(folder / "samples.png", grid(decode(model, z), COLUMNS, SCALE))


def tensorboard_pictures(model: VAE, train_sprites: Tensor, z: Tensor) -> dict[str, Tensor]:
    """Return the images that TensorBoard shows, by their names there."""
    shown = train_sprites[:NUM_SHOWN]
    return {
        "train/x": shown,
        "train/reconstruct_img": reconstruct(model, shown),
        "train/prior_samples": decode(model, z[:NUM_SHOWN]),
    }


def reconstruction_table(model: VAE, train_sprites: Tensor, val_sprites: Tensor) -> str:
    """Return how good reconstructions from the mean are, as a small table for the console."""
    lines = [f"{'':10}{'SSE':>10}{'MSE':>10}{'PSNR':>12}"]
    for label, sprites in (("training", train_sprites), ("held out", val_sprites)):
        sse = evaluate(model, sprites)[1].item()
        mse = sse / sprites[0].numel()
        lines.append(f"{label:10}{sse:10.2f}{mse:10.5f}{psnr(mse):9.2f} dB")
    return "\n".join(lines)
