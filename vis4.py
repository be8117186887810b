"""Experiment 4: a page to walk the latent space in a browser, in one file.

    python vis4.py
    python vis4.py --with_encoder
    python vis4.py --export onnx

The page holds the decoder and needs no server, no network and no installation; with the encoder
it also takes drawings and PNGs. --export writes both networks for other programs instead.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model import VAE
from utils.cli import InputError, announce, integer, looking_parser, run_script
from utils.data_utils import Sprites, to_float
from utils.latents import samplers
from utils.latents.chart import chart, principal_directions
from utils.latents.kept import run_samplers
from utils.latents.runs import (
    TrainedRun,
    encode,
    open_run,
    run_sprites,
    trained_on,
)
from utils.pictures.explorer.page import ATLAS_COLUMNS, atlas, write_page
from utils.pictures.explorer.weights import LEAST_PSNR, Packed, page_psnr, smallest, with_packed
from utils.pictures.export import BACKGROUND
from utils.sprites.names import creatures
from utils.training.engine import evaluate

FOLDER = "exp4-Explorer"
SEED = 41  # of the samples that the page is measured on
SAMPLED = ("prior", "neighbours")  # by the page
MEASURED = 250  # sprites of each kind that it is measured on
SOLVED = (  # what to say of a run that --init solve began
    "This run solved for its last layer: what lies between sprites is noise; "
    "train with --epoch 500 for a latent space to walk."
)
LARGEST = {False: 12e6, True: 22e6}  # bytes of a page without and with the encoder


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this script's arguments."""
    parser = looking_parser("Write a page to explore the latent space in a browser.")
    group = parser.add_argument_group("experiment")
    group.add_argument(
        "--with_encoder", action="store_true", help="the page takes drawings and PNGs as well"
    )
    text = "sprites on the map, evenly chosen if there are more"
    group.add_argument("--most", type=integer(2, 5000), default=2000, metavar="N", help=text)
    text = "write encoder and decoder for other programs instead; see docs/explorer.md"
    group.add_argument("--export", choices=("onnx", "safetensors"), help=text)
    return parser


def main(args: argparse.Namespace) -> None:
    """Write the page, or what other programs read."""
    if args.finish or args.format != "png":
        raise InputError("the page shows sprites as they are decoded: no --finish, no --format")
    trained = open_run(args.run, args.checkpoint)
    folder = Path(args.vis_dir) / FOLDER
    if args.export:
        from utils.run.exchange import export

        announce(export(trained.model, folder, args.export), show=False)
        return
    check_model(trained.model)
    sprites = run_sprites(trained, args.data_path)
    shown = shown_sprites(trained, sprites, args.most)
    fitted = run_samplers(trained, sprites, SAMPLED)
    packed = pack_networks(trained, shown, fitted, args.with_encoder)

    path = folder / "explorer.html"
    write_page(path, facts_of(trained, shown, float(fitted["neighbours"].stretch)), packed)
    size = path.stat().st_size
    print(f"The page has {size / 1e6:.1f} MB.")
    if size > LARGEST[args.with_encoder]:
        print(f"That is more than {LARGEST[args.with_encoder] / 1e6:.0f} MB; browsers may be slow.")
    if is_solved(trained):
        print(SOLVED)
    announce([path], args.show)


def is_solved(trained: TrainedRun) -> bool:
    """Return whether a run began by solving for its last layer, as with --recipe fast."""
    return trained.settings.get("init") == "solve"


def check_model(model: VAE) -> None:
    """Raise ValueError for an architecture that the page cannot compute."""
    if not isinstance(model, VAE):
        name = type(model).__name__
        raise InputError(f"the page computes linear layers with ReLU, as VAE has them, not {name}")


def shown_sprites(trained: TrainedRun, sprites: Sprites, most: int) -> Sprites:
    """Return the sprites of the map: those that the run trained on, or evenly some of them."""
    index = trained_on(trained, sprites)
    if len(index) > most:
        print(f"The map shows {most} of {len(index)} sprites; see --most.")
        index = index[torch.linspace(0, len(index) - 1, most).round().long()]
    names = [sprites.names[i] for i in index]
    return Sprites(sprites.pixels[index], names, sprites.source, [])


def pack_networks(
    trained: TrainedRun, shown: Sprites, fitted: dict[str, samplers.Sampler], with_encoder: bool
) -> dict[str, Packed]:
    """Return the networks of the page; prints how near its sprites are to PyTorch's."""
    model = trained.model
    mu = encode(model, shown.pixels)
    draws = {
        kind: samplers.draw_latents(sampler, MEASURED, SEED) for kind, sampler in fitted.items()
    }
    some = torch.linspace(0, len(mu) - 1, min(MEASURED, len(mu))).round().long()
    latents = {"reconstructions": mu[some]} | {f"samples, {kind}": z for kind, z in draws.items()}

    def decoder_psnrs(page_model: VAE) -> dict[str, float]:
        return {name: page_psnr(model, page_model, z) for name, z in latents.items()}

    def encoder_psnrs(page_model: VAE) -> dict[str, float]:
        page_z = encode(page_model, shown.pixels[some])
        return {"encoder alone": page_psnr(model, model, mu[some], page_z)}

    packed = {}
    # Two networks with equal errors err twice as much, which is 3 dB.
    least = LEAST_PSNR + 3 * with_encoder
    z = torch.cat(list(latents.values()))
    packed["decoder"], psnrs = smallest(model, "decoder", z, decoder_psnrs, least)
    if with_encoder:
        x = to_float(shown.pixels[some])
        packed["encoder"], found = smallest(model, "encoder", x, encoder_psnrs, least)
        both = with_packed(model, packed)
        found["both"] = page_psnr(model, both, mu[some], encode(both, shown.pixels[some]))
        psnrs |= found
    for name, network in packed.items():
        bits = ", ".join(str(bits) for _, _, bits in network.layers)
        size = len(network.text) / 1e6
        print(f"The {name} takes {size:.1f} MB; its layers have {bits} bits a weight.")
    print("PSNR of the page's sprites against PyTorch's in float32:")
    print("\n".join(f"  {name:24}{found:6.1f} dB" for name, found in psnrs.items()))
    return packed


def facts_of(trained: TrainedRun, shown: Sprites, stretch: float) -> dict:
    """Return what the page knows of the run beside its networks; see facts.js."""
    mu: Tensor = encode(trained.model, shown.pixels)
    spread = principal_directions(mu.numpy().astype(np.float64))
    name = trained.folder.resolve().name
    return {
        "about": f"{len(mu)} sprites and everything between them, from {name}",
        "note": SOLVED if is_solved(trained) else "",
        "side": trained.model.input_size,
        "latentSize": trained.model.latent_size,
        "names": shown.names,
        "groups": creatures(shown.names).tolist(),
        "mu": mu.numpy(),
        "places": chart(mu.numpy().astype(np.float64)),
        "center": spread.mean,
        "axes": spread.axes,
        "deviations": spread.deviations,
        "kl": [round(nats, 4) for nats in evaluate(trained.model, shown.pixels)[2:].tolist()],
        "atlas": atlas(shown.pixels),
        "atlasColumns": ATLAS_COLUMNS,
        "background": BACKGROUND,
        "sampler": {
            "near": samplers.NUM_NEAR,
            "parents": list(samplers.PARENTS.items()),
            "concentration": samplers.CONCENTRATION,
            "stretch": stretch,
            "leastRatio": samplers.LEAST_RATIO,
            "tries": samplers.TRIES,
        },
    }


if __name__ == "__main__":
    run_script(main, get_args_parser())
