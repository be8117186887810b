"""Experiment 1: how a sprite takes shape during training, epoch by epoch.

    python vis1.py
    python vis1.py --sprites 025MON.png 7 --epochs 0:401:200 499 --gif

Each checkpoint of the run encodes the sprite, as its mean, and decodes it. A second picture is the
curve of the error over the epochs, from the run's history.csv.
"""

import argparse
import csv
from pathlib import Path

import torch
from torch import Tensor

from utils.cli import InputError, integer, looking_parser, run_script
from utils.data_utils import to_float
from utils.latents.runs import Chosen, TrainedRun, choose_sprites, open_run, run_sprites
from utils.pictures.album import Album
from utils.pictures.finish import finish
from utils.pictures.plot import MARGIN, Figure, captioned, error_curve, join, shorten
from utils.run.checkpoint import load_model
from utils.run.folder import checkpoints
from utils.training.engine import psnr, reconstruct

FOLDER = "exp1-TimeInterpolation"
DEFAULT_SPRITES = (1,)
LAST_DEFAULT_EPOCH = 7800
MAX_DEFAULT_EPOCHS = 40


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Show the reconstructions of sprites by the checkpoints of a run.")
    group = parser.add_argument_group("experiment")
    group.add_argument(
        "--sprites", nargs="+", metavar="SPRITE", help="index, name or path; index 1 if left out"
    )
    group.add_argument(
        "--epochs",
        nargs="+",
        metavar="EPOCH",
        help="checkpoints, as 0 200 1000 or start:stop:step; at most forty of all if left out",
    )
    group.add_argument(
        "--columns", type=integer(1), default=10, help="checkpoints in a line of the picture"
    )
    group.add_argument("--gif", action="store_true", help="write an animation as well")
    return parser


def main(args: argparse.Namespace) -> None:
    """Plot the progression and the curve of the error."""
    run = open_run(args.run, args.checkpoint)
    chosen = choose_sprites(run_sprites(run, args.data_path), args.sprites, DEFAULT_SPRITES)
    shown = choose_checkpoints(run, args.checkpoint, args.epochs)

    # Each checkpoint encodes and decodes all chosen sprites: (epochs, sprites, 3, S, S).
    models = (load_model(path, run.settings) for path in shown.values())
    recon = torch.stack([reconstruct(model, chosen.pixels) for model in models])
    mse = (recon - to_float(chosen.pixels)).square().flatten(2).mean(2)  # (epochs, sprites)
    if args.finish:  # only the pictures: errors are those of the model
        recon = to_float(finish(recon.flatten(0, 1)).view_as(recon))

    album = Album(Path(args.vis_dir) / FOLDER, args.format, args.finish)
    captions = [
        [f"{label}\n{psnr(error):.1f} dB" for label, error in zip(shown, errors, strict=True)]
        for errors in mse.T.tolist()
    ]
    figure = plot_progression(chosen, recon, captions, args.columns, args.scale)
    album.add_figure("progression", figure)
    if args.gif:
        album.add_gif("progression", plot_frames(chosen, recon, list(shown), 2 * args.scale))
    history = run.folder / "history.csv"
    if history.is_file():
        album.add_chart("error", error_curve(read_history(history)))
    album.announce(args.show)


def plot_progression(
    chosen: Chosen, recon: Tensor, captions: list[list[str]], columns: int, scale: int
) -> Figure:
    """Return a row per sprite: the original, and its reconstruction by each checkpoint."""
    rows = []
    for index, name in enumerate(chosen.names):
        caption = f"original\n{shorten(name, 14)}"
        original = captioned(chosen.pixels[index, None], [caption], 1, scale)
        progression = captioned(recon[:, index], captions[index], columns, scale)
        rows.append(join([original, progression], align="start"))
    return join(rows, down=True, gap=2 * MARGIN, align="start")


def plot_frames(chosen: Chosen, recon: Tensor, labels: list[str], scale: int) -> list[Figure]:
    """Return a frame per checkpoint: the originals, and their reconstructions by it."""
    count = len(chosen.names)
    return [
        captioned(
            torch.cat([to_float(chosen.pixels), images]),
            ["original"] * count + [label] * count,
            count,
            scale,
        )
        for label, images in zip(labels, recon, strict=True)
    ]


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a ``history.csv`` by name, without a last row that was cut short.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["val_kl"] is not None]
        return {name: [float(row[name]) for row in rows] for name in rows[0]}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged ({error})") from None


# ---- which checkpoints


def choose_checkpoints(
    run: TrainedRun, checkpoint: str | None, wanted: list[str] | None
) -> dict[str, Path]:
    """Return checkpoints by their labels: the given one, those wanted, or at most forty of all.

    Raises
    ------
    ValueError
        If one that is wanted does not exist.
    """
    if checkpoint is not None:
        if wanted:
            raise InputError("--checkpoint and --epochs: name one of the two")
        name = f"epoch {checkpoint}" if checkpoint.isdecimal() else shorten(run.checkpoint.name)
        return {name: run.checkpoint}
    found = checkpoints(run.folder)
    epochs = parse_epochs(wanted) if wanted else default_epochs(list(found))
    missing = [str(epoch) for epoch in epochs if epoch not in found]
    if missing:
        raise InputError(
            f"--epochs: {run.folder} has no checkpoint of {', '.join(missing)}; it has those of "
            f"{', '.join(map(str, found))}"
        )
    return {f"epoch {epoch}": found[epoch] for epoch in epochs}


def parse_epochs(texts: list[str]) -> list[int]:
    """Return the epochs that numbers and ranges start:stop:step name, in ascending order."""
    epochs = set()
    for text in texts:
        try:
            parts = [int(part) for part in text.split(":")]
            named = [parts[0]] if len(parts) == 1 else list(range(*parts))
        except (ValueError, TypeError):
            named = []
        if not named or min(named) < 0:
            raise InputError(f"--epochs {text}: name epochs as 0 200 1000 or as 0:1001:200")
        epochs.update(named)
    return sorted(epochs)


def default_epochs(epochs: list[int]) -> list[int]:
    """Return those up to 7800 and the last one, thinned out to at most forty."""
    epochs = [epoch for epoch in epochs if epoch <= LAST_DEFAULT_EPOCH or epoch == epochs[-1]]
    count = min(len(epochs), MAX_DEFAULT_EPOCHS)
    # Even steps over the list include its ends; none is named twice, because count <= len.
    return [epochs[round(i * (len(epochs) - 1) / max(1, count - 1))] for i in range(count)]


if __name__ == "__main__":
    run_script(main, get_args_parser())
