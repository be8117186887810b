"""Experiment 1: how a sprite comes into being, epoch after epoch.

    python vis1.py
    python vis1.py --sprites 025MON.png 7 --epochs 0:401:200 499 --gif

Each checkpoint of the run encodes the sprite, by its mean, and decodes it. The curve of the error
over the epochs of training, from the run's history.csv, stands beside it.
"""

import argparse
from pathlib import Path

import torch

from utils.cli import announce, integer, looking_parser, run_script
from utils.data_utils import to_float
from utils.latents.runs import choose_sprites, open_run, run_sprites
from utils.pictures.curves import read_history, save_error_curve
from utils.pictures.finish import finish, noted
from utils.pictures.plot import MARGIN, captioned, join, save_figure, save_gif, shorten
from utils.run.checkpoint import load_vae
from utils.run.folder import checkpoints
from utils.training.engine import psnr, reconstruct

FOLDER = "exp1-TimeInterpolation"
DEFAULT_SPRITES = (1,)
LAST_DEFAULT_EPOCH = 7800
MAX_DEFAULT_EPOCHS = 40


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Draw the reconstructions of sprites by the checkpoints of a run.")
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
    group.add_argument("--gif", action="store_true", help="write a moving picture as well")
    return parser


def main(args: argparse.Namespace) -> None:
    """Draw the progression and the curve of the error."""
    trained = open_run(args.run, args.checkpoint)
    chosen = choose_sprites(run_sprites(trained, args.data_path), args.sprites, DEFAULT_SPRITES)
    if args.checkpoint is not None and args.epochs:
        raise ValueError("--checkpoint and --epochs: name one of the two")
    if args.checkpoint is None:
        shown = choose_checkpoints(trained.folder, args.epochs)
    elif args.checkpoint.isdecimal():
        shown = {f"epoch {args.checkpoint}": trained.checkpoint}
    else:
        shown = {shorten(trained.checkpoint.name): trained.checkpoint}

    # Each checkpoint encodes and decodes all chosen sprites.
    recon = torch.stack([reconstruct(load_vae(path), chosen.pixels) for path in shown.values()])
    errors = (recon - to_float(chosen.pixels)).square().flatten(2).mean(2)  # (epochs, sprites)
    if args.finish:  # the picture alone: errors are those of the model
        recon = to_float(finish(recon.flatten(0, 1)).view_as(recon))

    rows = []
    for index, name in enumerate(chosen.names):
        caption = f"original\n{shorten(name, 14)}"
        original = captioned(chosen.pixels[index, None], [caption], 1, args.scale)
        captions = [
            f"{label}\n{psnr(error):.1f} dB"
            for label, error in zip(shown, errors[:, index].tolist(), strict=True)
        ]
        rows.append(
            join(
                [original, captioned(recon[:, index], captions, args.columns, args.scale)],
                align="start",
            )
        )
    folder = Path(args.vis_dir) / FOLDER
    written = [folder / f"progression.{args.format}"]
    picture = join(rows, down=True, gap=2 * MARGIN, align="start")
    save_figure(written[0], noted(picture, args.finish))

    if args.gif:
        frames = [
            captioned(
                torch.cat([to_float(chosen.pixels), recon[index]]),
                ["original"] * len(chosen.names) + [label] * len(chosen.names),
                len(chosen.names),
                2 * args.scale,
            )
            for index, label in enumerate(shown)
        ]
        written.append(folder / "progression.gif")
        save_gif(written[-1], frames)

    history = trained.folder / "history.csv"
    if history.is_file():
        written.append(folder / f"error.{args.format}")
        save_error_curve(written[-1], read_history(history))
    announce(written, args.show)


def choose_checkpoints(folder: Path, wanted: list[str] | None) -> dict[str, Path]:
    """Return checkpoints of a run by their labels, those wanted or at most forty of all.

    Raises
    ------
    ValueError
        If one that is wanted is missing.
    """
    found = checkpoints(folder)
    epochs = parse_epochs(wanted) if wanted else default_epochs(list(found))
    missing = [str(epoch) for epoch in epochs if epoch not in found]
    if missing:
        raise ValueError(
            f"--epochs: {folder} has no checkpoint of {', '.join(missing)}; it has those of "
            f"{', '.join(map(str, found))}"
        )
    return {f"epoch {epoch}": found[epoch] for epoch in epochs}


def parse_epochs(texts: list[str]) -> list[int]:
    """Return the epochs that numbers and ranges start:stop:step name, in rising order.

    Raises
    ------
    ValueError
        If one is neither, or a range is empty.
    """
    epochs = set()
    for text in texts:
        try:
            parts = [int(part) for part in text.split(":")]
            named = [parts[0]] if len(parts) == 1 else list(range(*parts))
        except (ValueError, TypeError):
            named = []
        if not named or min(named) < 0:
            raise ValueError(f"--epochs {text}: name epochs as 0 200 1000 or as 0:1001:200")
        epochs.update(named)
    return sorted(epochs)


def default_epochs(epochs: list[int]) -> list[int]:
    """Return those up to 7800 and the last, at most forty with first and last among them."""
    epochs = [epoch for epoch in epochs if epoch <= LAST_DEFAULT_EPOCH or epoch == epochs[-1]]
    count = min(len(epochs), MAX_DEFAULT_EPOCHS)
    # Whole-number steps over the list; rounding never names one twice, for count <= len.
    return [epochs[round(i * (len(epochs) - 1) / max(1, count - 1))] for i in range(count)]


if __name__ == "__main__":
    run_script(main, get_args_parser())
