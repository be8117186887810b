"""What the measures of samples say of sprites that are fine, made bad on purpose, or hybrids.

    python benchmarks/measures.py --data_path monsters --seed 1

One sprite in ten is held out, by number, and compared with the others: as it is, with noise, in
grey, two overlaid, and blurred; and so are hybrids of near pairs of the others. Prints the table
that `test_vae.py --metrics` prints.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from utils.cli import Parser, integer, run_script

NOISE = 0.1  # standard deviation, of values in [0, 1]


def get_args_parser() -> Parser:
    """Return the parser of this script's arguments."""
    parser = Parser("What the measures of samples say of sprites made bad on purpose.")
    parser.add_argument("--data_path", default="figure", help="folder or zip of PNGs")
    parser.add_argument("--seed", type=integer(0), default=1, help="of the split")
    parser.add_argument("--pairs", type=integer(2), default=400, help="hybrids, at most")
    return parser


def main(args) -> None:
    """Print the table."""
    from utils.data_utils import load_sprites, split
    from utils.measures.samples import measure, table
    from utils.sprites.names import creatures

    sprites = load_sprites(args.data_path)
    train, val = split(len(sprites.names), 0.1, args.seed, sprites.names)
    real, held_out = (sprites.pixels[index].numpy() for index in (train, val))
    groups = creatures([sprites.names[i] for i in train])
    sets = spoilt(held_out) | hybrids(real, groups, args.pairs)
    print(f"{len(real)} sprites, {len(held_out)} held out, seed {args.seed}\n")
    print(table(measure(sets, real, groups=groups)))


def spoilt(sprites: np.ndarray) -> dict[str, np.ndarray]:
    """Return sprites (N, 3, S, S) as they are and made bad in four ways, by name."""
    from utils.sprites.png import import_cv2

    x = sprites / 255
    drawn = sprites.min(1, keepdims=True) < 240
    noise = np.random.default_rng(0).normal(0, NOISE, x.shape)
    blurred = [import_cv2().blur(picture.transpose(1, 2, 0), (3, 3)) for picture in x]
    return {
        "held-out sprites": x,
        f"with noise of {NOISE}": np.where(drawn, np.clip(x + noise, 0, 1), x),
        "in grey": np.repeat(x.mean(1, keepdims=True), 3, 1),
        "two overlaid": (x + x[::-1]) / 2,
        "blurred by 3x3": np.stack(blurred).transpose(0, 3, 1, 2),
    }


def hybrids(sprites: np.ndarray, groups: np.ndarray, count: int) -> dict[str, np.ndarray]:
    """Return hybrids of some pairs that a run would be taught, by name."""
    import torch

    from utils.sprites import hybrid
    from utils.training.hybrids import hybrid_pairs

    pairs, _ = hybrid_pairs(sprites, groups)
    pairs = pairs[np.random.default_rng(0).permutation(len(pairs))[:count]]
    pixels, parents = torch.from_numpy(sprites), torch.from_numpy(pairs)
    layout = hybrid.layouts(pixels)
    return {
        f"hybrids, t = {t}": hybrid.hybrids(
            pixels, layout, parents, torch.tensor([1 - t, t]).expand(len(pairs), 2)
        ).numpy()
        for t in (0.25, 0.5)
    }


if __name__ == "__main__":
    run_script(main, get_args_parser())
