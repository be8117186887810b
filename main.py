"""Train a VAE on a folder of sprites.

    python main.py --epoch 500

Arguments become sprites, a model and a `Config`; the loop is `train` in utils/training/engine.py,
and what a run writes is the business of the `Recorder` in utils/run/recorder.py.
"""

import argparse
from typing import TYPE_CHECKING

from utils.cli import InputError, integer, number, run_script, tile
from utils.lr_sched import FULL_WARMUP, default_warmup
from utils.run import folder as run_folder
from utils.training import processes
from utils.training.recipes import RECIPES, RecipeParser, check_encoder

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from model import VAE
    from utils.training.engine import Config, Parts

MAX_SEED = 2**32 - 1
NOT_SAVED = ("overwrite", "resume", "typed")  # of a run's arguments


def add_sprites(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that say what the sprites are."""
    add = parser.add_argument_group("sprites").add_argument
    text = "folder, zip or sheet of PNGs; built-in: 'monsters', 'monsters:20000', an empty figure/"
    add("--data_path", default="figure", help=text)
    add("--tile", type=tile, metavar="WxH", help="size of a sheet's tiles, such as 40 or 32x48")
    text = (
        "crop: one opaque colour all along a border is transparent; keep: it is part of the sprite"
    )
    add("--background", choices=("crop", "keep"), default="crop", help=text)
    add("--cache", metavar="DIR", help="folder that keeps decoded sprites for the next time")
    add("--image_size", type=integer(1, 512), default=40, help="side of a sprite in pixels")
    text = "share of the sprites to hold out; at least one is"
    add("--val_ratio", type=number(0, 0.99), default=0.01, help=text)
    text = "number: sprites whose file names begin with the same number stay together"
    add("--split_by", choices=("file", "number"), default="file", help=text)
    text = "mirror, move, bend, recolour and mix sprites at random, less towards the end"
    add("--augment", action=argparse.BooleanOptionalAction, default=False, help=text)
    text = "mirror half of the sprites at random, and no more; --augment does so too"
    add("--mirror", action=argparse.BooleanOptionalAction, default=False, help=text)


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the training arguments."""
    parser = RecipeParser("Train a VAE on a folder of sprites.")

    add_sprites(parser)
    add = parser.add_argument_group("model").add_argument
    add("--model", default="mlp", help="architecture: a name in model.MODELS")
    add("--hidden_size", type=integer(1, 16384), default=1024, help="width of the hidden layers")
    add("--latent_size", type=integer(1, 4096), default=16, help="number of latent dimensions")
    text = (
        "starting weights; data: scaled to the sprites, pca: computing their principal components, "
        "solve: the same with the last layer solved for, torch: PyTorch's own (far slower)"
    )
    add("--init", choices=("data", "pca", "solve", "torch"), default="data", help=text)
    add("--weights", metavar="FILE", help="start from the weights of an earlier run instead")

    add = parser.add_argument_group("training").add_argument
    text = "a set of defaults, see utils/training/recipes.py; typed arguments override it"
    add("--recipe", choices=RECIPES, default="default", help=text)
    add("--epoch", type=integer(1), default=10000, help="number of epochs")
    add("--batch_size", type=integer(1), default=256, help="sprites per step, in all processes")
    add("--lr", type=number(0, above=True), default=5e-4, help="peak learning rate")
    text = "learning rate at the end; equal to --lr for a constant one"
    add("--min_lr", type=number(0), default=1e-7, help=text)
    text = "epochs over which the rate rises to --lr; 20, or a tenth of a shorter run"
    add("--warmup_epochs", type=integer(0), help=text)
    add("--recon_weight", type=number(0), default=10.0, help="weight of the reconstruction")
    add("--kl_weight", type=number(0), default=1.0, help="weight of the KL in nats")
    text = "errors of a value above this grow linearly, not as their square; 1: all are squared"
    add("--huber", type=number(0, 1, above=True), default=1.0, help=text)
    text = "keep the encoder as it starts, and train the decoder alone; --hybrids does so too"
    add("--fix_encoder", action=argparse.BooleanOptionalAction, default=False, help=text)
    text = "peak learning rate of the encoder alone; --lr if left out"
    add("--encoder_lr", type=number(0, above=True), help=text)
    text = "hybrids of near sprites, put together by code, beside each sprite of a batch"
    add("--hybrids", type=integer(0, 64), default=0, help=text)
    add("--weight_decay", type=number(0), default=0.0, help="AdamW's weight decay; 0: plain Adam")
    text = "seed of the split and of everything random"
    add("--seed", type=integer(0, MAX_SEED), default=41, help=text)
    add("--device", help="cuda, cuda:1, mps, cpu, ...; the best one available if left out")
    text = "precision of matrix products; auto: tf32 on CUDA, else fp32"
    add("--precision", choices=("auto", "fp32", "tf32", "bf16"), default="auto", help=text)

    add = parser.add_argument_group("output").add_argument
    add("--output_dir", default="output_dir", help="prefix of the run's folder")
    add("--save_period", type=integer(1), default=200, help="epochs between two checkpoints")
    text = "further epochs to keep a checkpoint of, for instance 1 2 5 10 20 50 100"
    add("--save_epochs", type=integer(0), nargs="+", default=[], metavar="EPOCH", help=text)
    add("--overwrite", action="store_true", help="replace the run that the folder holds")
    text = (
        "resume the run in DIR with its own arguments; without DIR resume the run that the other "
        "arguments name, or start it"
    )
    add("--resume", nargs="?", const="", metavar="DIR", help=text)
    text = "epochs between two training states; if left out, they take 2 %% of the time"
    add("--state_period", type=integer(1), help=text)
    return parser


# Torch is imported in the functions below, not at the top, so that --help and a wrong argument are
# answered without waiting for it.


@processes.joined()
def main(args: argparse.Namespace) -> None:
    """Train a VAE, and leave its weights, its history and pictures of it in the run's folder."""
    # Arguments: those that were typed, or those of the run that is resumed.
    args, folder, is_resumed = processes.from_first(choose_run, args)
    check_args(args)

    import torch

    from utils.data_utils import fingerprint
    from utils.run import state
    from utils.run.recorder import Run, opened, recorder_of
    from utils.training.device import choose_device, choose_precision
    from utils.training.engine import Progress, freeze_encoder, new_optimizer, train
    from utils.training.hybrids import digest_of

    # Sprites: one uint8 tensor, split in two, on the device.
    device, device_line = choose_device(processes.own_device(args.device))
    precision, precision_line = choose_precision(args.precision, device)
    print(device_line, precision_line, sep="\n")
    sprites, prints, data_path = load_parts(args, device)
    args = resolved(args, precision=precision, data_path=data_path)
    config = config_of(args)

    # Model: random numbers are drawn on the CPU, so every device starts alike.
    torch.manual_seed(args.seed)
    model = start_model(args, sprites.train, is_resumed).to(device)
    if args.fix_encoder or args.hybrids:
        freeze_encoder(model)
    optimizer = new_optimizer(model, args.lr, args.weight_decay, args.encoder_lr)
    progress = Progress()

    # Training: nothing was written before this line.
    settings = {name: value for name, value in vars(args).items() if name not in NOT_SAVED}
    settings["sprites_sha256"] = fingerprint(prints)
    if args.hybrids:
        settings["pairs_sha256"] = digest_of(sprites.hybrids.pairs.cpu().numpy())
    conditions = state.conditions(device, config)
    checkpoint_epochs = {*range(0, args.epoch, args.save_period), *args.save_epochs, args.epoch - 1}
    run = Run(
        folder=folder,
        training=state.Training(model, optimizer, progress),
        identity=state.Identity(settings, sprites=prints, conditions=conditions),
        sprites=sprites,
        checkpoint_epochs=checkpoint_epochs,
        state_period=args.state_period,
        is_resumed=is_resumed,
    )
    overwrite = args.overwrite or args.resume is not None
    with processes.first_only(opened(run, overwrite=overwrite)):
        state.spread(run.training)
        if progress.epoch == args.epoch:
            print(f"The run in {folder} is finished; there is nothing left to train.")
            return
        print(f"Output: {folder}", flush=True)
        with recorder_of(run, config) as recorder:
            for report in train(model, optimizer, sprites, config, progress, recorder.should_stop):
                recorder.record(report)
    recorder.say_what_is_next()


# ---- arguments


def choose_run(args: argparse.Namespace) -> tuple[argparse.Namespace, "Path", bool]:
    """Return the arguments of the run to start or to resume, its folder, and whether to resume."""
    folder = run_folder.folder_name(args)
    if args.resume is None:
        return args, folder, False
    args, folder = run_folder.resumed_args(args, get_args_parser())
    if run_folder.can_resume(folder):
        return args, folder, True
    print(f"Nothing to resume: {folder} has no training state; starting at epoch 0.")
    others = ", ".join(map(str, run_folder.runs_with_state()))
    print(f"Other runs here, for --resume DIR: {others or 'none'}.")
    return args, folder, False


def check_args(args: argparse.Namespace) -> None:
    """Raise ValueError where arguments that are fine alone do not go together."""
    if args.warmup_epochs is not None and args.warmup_epochs >= args.epoch:
        raise InputError(f"--warmup_epochs {args.warmup_epochs} must be below --epoch {args.epoch}")
    if args.min_lr > args.lr and "min_lr" in args.typed:
        raise InputError(f"--min_lr {args.min_lr} must not be above --lr {args.lr}")
    if args.hybrids and (args.augment or args.mirror):
        option = "--augment" if args.augment else "--mirror"
        raise InputError(f"--hybrids and {option}: hybrids are of sprites as they are; drop one")
    check_encoder(args)
    late = [epoch for epoch in args.save_epochs if epoch >= args.epoch]
    if late:
        raise InputError(f"--save_epochs {late[0]}: the last epoch is {args.epoch - 1}")


def resolved(args: argparse.Namespace, *, precision: str, data_path: str) -> argparse.Namespace:
    """Return the arguments with everything chosen that was left open; nobody changes them later."""
    warmup_epochs = args.warmup_epochs
    if warmup_epochs is None:
        warmup_epochs = default_warmup(args.epoch)
        if warmup_epochs < FULL_WARMUP:
            print(
                f"Warm-up: {warmup_epochs} of {FULL_WARMUP} epochs, because the run is short; a "
                "high --lr may spoil the start (see --warmup_epochs)."
            )
    chosen = {"precision": precision, "data_path": data_path, "warmup_epochs": warmup_epochs}
    return argparse.Namespace(**vars(args) | chosen | {"min_lr": min(args.min_lr, args.lr)})


def config_of(args: argparse.Namespace) -> "Config":
    """Return what training depends on, from resolved arguments."""
    from utils.training.augment import MIRROR, Augmentation
    from utils.training.engine import Config

    return Config(
        epochs=args.epoch,
        batch_size=args.batch_size,
        lr=args.lr,
        min_lr=args.min_lr,
        warmup_epochs=args.warmup_epochs,
        recon_weight=args.recon_weight,
        kl_weight=args.kl_weight,
        huber=args.huber,
        precision=args.precision,
        augmentation=Augmentation() if args.augment else MIRROR if args.mirror else None,
        hybrids=args.hybrids,
        seed=args.seed,
    )


# ---- sprites and model


def load_parts(args: argparse.Namespace, device) -> tuple["Parts", dict, str]:
    """Return the sprites of a run on a device, their fingerprints and where they are from.

    Says how many they are. Nothing else of them stays in memory: a million names would.
    """
    from utils.data_utils import divide, fingerprint, fingerprints, load_sprites, split
    from utils.sprites.names import creatures
    from utils.training.device import check_room
    from utils.training.engine import Parts
    from utils.training.hybrids import taught_hybrids

    loaded = load_sprites(args.data_path, args.image_size, args.tile, args.background, args.cache)
    # Digested before the split moves them: a resumed run can tell whether they are the same.
    prints = fingerprints(loaded)
    processes.check_same(fingerprint(prints), "sprites")
    check_room(loaded.pixels, device, is_mapped=args.cache is not None)
    names = loaded.names if args.split_by == "number" else None
    indices = split(len(loaded.names), args.val_ratio, args.seed, names)
    train, val = divide(loaded.pixels.to(device), *indices)
    print(*loaded.notes, sep="\n")
    print(f"Split: {len(train)} to train on, {len(val)} held out.")
    processes.check_shares(args.batch_size, len(train))
    hybrids = None
    if args.hybrids:
        groups = creatures([loaded.names[i] for i in indices[0]])
        hybrids = taught_hybrids(train, groups)
    return Parts(train, val, hybrids), prints, loaded.source


def start_model(args: argparse.Namespace, train_sprites: "Tensor", is_resumed: bool) -> "VAE":
    """Return a model at the start of its training, on the CPU."""
    from model import MODELS, VAE, initialize_from_data
    from utils.run.checkpoint import load_model
    from utils.training.start import start_as_pca, start_solved

    if args.model not in MODELS:
        raise InputError(f"--model {args.model}: it is one of {', '.join(MODELS)}")
    if args.weights and not is_resumed:
        return load_model(args.weights, vars(args))
    model = MODELS[args.model](args.image_size, args.hidden_size, args.latent_size)
    if is_resumed or args.init == "torch":
        return model
    if type(model) is not VAE:
        raise InputError(f"--init {args.init} knows the layers of mlp alone; give --init torch")
    initialize_from_data(model, train_sprites)
    if args.init == "pca":
        start_as_pca(model, train_sprites, args.kl_weight / (2 * args.recon_weight or 1))
    if args.init == "solve":
        start_solved(model, train_sprites, args.seed)
    return model


if __name__ == "__main__":
    run_script(main, get_args_parser())
