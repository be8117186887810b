"""Train a VAE on a folder of sprites.

    python main.py --epoch 500

Sprites, model and loss are in utils/data_utils.py and model.py; the loop is in
utils/training/engine.py.
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from utils.cli import Parser, integer, number, run_script
from utils.lr_sched import FULL_WARMUP, default_warmup, learning_rate
from utils.run import folder as run_folder
from utils.run.resume import resumed_args, typed_arguments
from utils.training.recipes import RECIPES

if TYPE_CHECKING:
    from torch import Tensor

    from model import VAE

MAX_SEED = 2**32 - 1
NOT_SAVED = ("overwrite", "resume")  # of a run's arguments
MAX_EMA = 0.99999  # an average over 100,000 steps


class RecipeParser(Parser):
    """A Parser whose --recipe sets the defaults of the other arguments."""

    def parse_args(self, args=None, namespace=None):
        """Parse once to learn the recipe, and again with its defaults."""
        recipe = super().parse_args(args).recipe
        self.set_defaults(**RECIPES[recipe])
        return super().parse_args(args, namespace)


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of the training arguments."""
    parser = RecipeParser("Train a VAE on a folder of sprites.")
    group = parser.add_argument_group("sprites")
    group.add_argument(
        "--data_path",
        default="figure",
        help="folder or zip of PNGs; an empty figure/, or 'monsters', means the built-in sprites",
    )
    group.add_argument("--image_size", type=integer(1, 512), default=40, help="side in pixels")
    group.add_argument(
        "--val_ratio",
        type=number(0, 0.99),
        default=0.01,
        help="share of the sprites that is held out; at least one is",
    )
    group.add_argument(
        "--split_by",
        choices=("file", "number"),
        default="file",
        help="number: sprites whose file names begin with one number stay on one side",
    )
    group.add_argument(
        "--augment",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="mirror, move, bend, recolour and mix sprites at random, less towards the end of the "
        "run; see utils/training/augment.py",
    )

    group = parser.add_argument_group("model")
    group.add_argument(
        "--hidden_size", type=integer(1, 16384), default=1024, help="width of the hidden layers"
    )
    group.add_argument(
        "--latent_size", type=integer(1, 4096), default=16, help="number of latent dimensions"
    )
    group.add_argument(
        "--init",
        choices=("data", "pca", "torch"),
        default="data",
        help="starting weights: scaled to the training sprites, computing their principal "
        "components, or PyTorch's own (far slower)",
    )
    group.add_argument(
        "--weights",
        metavar="FILE",
        help="start from the weights of an earlier run instead",
    )

    group = parser.add_argument_group("training")
    group.add_argument(
        "--recipe",
        choices=RECIPES,
        default="default",
        help="defaults of these arguments; what is typed comes first",
    )
    group.add_argument("--epoch", type=integer(1), default=10000, help="number of epochs")
    group.add_argument("--batch_size", type=integer(1), default=256, help="sprites in a step")
    group.add_argument(
        "--lr", type=number(0, above=True), default=5e-4, help="highest learning rate"
    )
    group.add_argument(
        "--min_lr",
        type=number(0),
        default=1e-7,
        help="learning rate at the end; that of --lr for a constant one",
    )
    group.add_argument(
        "--warmup_epochs",
        type=integer(0),
        help="epochs in which the rate rises to --lr; 20, or a tenth of a shorter run",
    )
    group.add_argument(
        "--recon_weight", type=number(0), default=10.0, help="weight of the squared error"
    )
    group.add_argument("--kl_weight", type=number(0), default=1.0, help="weight of the KL in nats")
    group.add_argument(
        "--weight_decay", type=number(0), default=0.0, help="of AdamW; 0 leaves plain Adam"
    )
    group.add_argument(
        "--ema",
        type=number(0, MAX_EMA),
        default=0.0,
        metavar="DECAY",
        help="decay a step of a running average of the weights, for checkpoints; 0: none",
    )
    group.add_argument(
        "--seed",
        type=integer(0, MAX_SEED),
        default=41,
        help="seed of the split and of all that is random",
    )
    group.add_argument(
        "--device", help="cuda, cuda:1, mps, cpu, ...; the best one there is if left out"
    )
    group.add_argument(
        "--precision",
        choices=("auto", "fp32", "tf32", "bf16"),
        default="auto",
        help="of matrix products; auto: tf32 on CUDA, else fp32",
    )
    group.add_argument(
        "--cuda_graph",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="experimental: launch all kernels of a step at once; checks itself",
    )

    group = parser.add_argument_group("output")
    group.add_argument(
        "--output_dir", default="output_dir", help="start of the folder's name; the rest is added"
    )
    group.add_argument(
        "--save_period", type=integer(1), default=200, help="epochs between two checkpoints"
    )
    group.add_argument(
        "--save_epochs",
        type=integer(0),
        nargs="+",
        default=[],
        metavar="EPOCH",
        help="more epochs to keep a checkpoint of, for instance 1 2 5 10 20 50 100",
    )
    group.add_argument(
        "--overwrite", action="store_true", help="delete the run that the folder holds"
    )
    group.add_argument(
        "--resume",
        nargs="?",
        const="",
        metavar="DIR",
        help="go on with the run in DIR and its arguments; without DIR with the run of the other "
        "arguments, or start it",
    )
    group.add_argument(
        "--state_period",
        type=integer(1),
        help="epochs between two training states; if left out, they take 2 %% of the time",
    )
    return parser


def check_args(args: argparse.Namespace) -> None:
    """Raise ValueError where arguments that are fine alone do not go together."""
    if args.warmup_epochs is not None and args.warmup_epochs >= args.epoch:
        raise ValueError(f"--warmup_epochs {args.warmup_epochs} must be below --epoch {args.epoch}")
    if args.min_lr > args.lr:
        raise ValueError(f"--min_lr {args.min_lr} must not be above --lr {args.lr}")
    late = [epoch for epoch in args.save_epochs if epoch >= args.epoch]
    if late:
        raise ValueError(f"--save_epochs {late[0]}: the last epoch is {args.epoch - 1}")


# Torch is imported in the functions below, not at the top: --help and a wrong argument are answered
# without waiting for it.


def main(args: argparse.Namespace) -> None:
    """Train a VAE, and leave its weights, its history and pictures of it in the run's folder."""
    # Arguments: those typed, or those of the run that goes on.
    folder, resuming = run_folder.folder_name(args), False
    if args.resume is not None:
        args, folder = resumed_args(args, typed_arguments(get_args_parser()))
        resuming = run_folder.can_resume(folder)
        if not resuming:
            print(f"Nothing to resume: {folder} has no training state; starting at epoch 0.")
            others = ", ".join(map(str, run_folder.runs_with_state()))
            print(f"Other runs here, for --resume DIR: {others or 'none'}.")
    check_args(args)
    if args.warmup_epochs is None:
        args.warmup_epochs = default_warmup(args.epoch)
        if args.warmup_epochs < FULL_WARMUP:
            print(f"Warm-up: {args.warmup_epochs} of {args.epoch} epochs, for the run is short.")

    import torch

    from utils.data_utils import fingerprint
    from utils.run import state
    from utils.run.checkpoint import load_vae
    from utils.training.device import choose_device, choose_precision
    from utils.training.engine import new_optimizer

    # Sprites: one uint8 tensor on the device.
    device, device_line = choose_device(args.device)
    args.precision, precision_line = choose_precision(args.precision, device)
    print(device_line, precision_line, sep="\n")
    if device.type == "cuda":
        torch.cuda.set_device(device)  # streams and graphs are made on the current one
    train_sprites, val_sprites, prints = load_parts(args)
    train_sprites, val_sprites = train_sprites.to(device), val_sprites.to(device)

    # Model: random numbers are drawn on the CPU, so every device starts alike.
    torch.manual_seed(args.seed)
    if args.weights and not resuming:
        model = load_vae(args.weights, (args.image_size, args.hidden_size, args.latent_size))
    else:
        model = new_model(args, train_sprites)
    trained = {"model": model.to(device)}
    trained["optimizer"] = new_optimizer(model, args.lr, args.weight_decay)
    if args.ema:
        trained["average"] = deepcopy(model)

    # Output: nothing is written before this line.
    settings = {name: value for name, value in vars(args).items() if name not in NOT_SAVED}
    facts = {
        "args": settings | {"sprites_sha256": fingerprint(prints)},
        "sprites": prints,
        "conditions": state.conditions(device),
    }
    with run_folder.locked(folder):
        fit(args, folder, trained, train_sprites, val_sprites, facts, resuming)


def load_parts(args: argparse.Namespace) -> tuple["Tensor", "Tensor", dict]:
    """Return the training sprites, the held-out ones, and the fingerprints of all."""
    from utils.data_utils import divide, fingerprints, load_sprites, split

    sprites = load_sprites(args.data_path, args.image_size)
    args.data_path = sprites.source
    prints = fingerprints(sprites)
    names = sprites.names if args.split_by == "number" else None
    parts = split(len(sprites.names), args.val_ratio, args.seed, names)
    train_sprites, val_sprites = divide(sprites.pixels, *parts)
    print(*sprites.notes, sep="\n")
    print(f"Split: {len(train_sprites)} to train on, {len(val_sprites)} held out.")
    return train_sprites, val_sprites, prints


def new_model(args: argparse.Namespace, train_sprites: "Tensor") -> "VAE":
    """Return a model at the start of its training, on the CPU."""
    from model import VAE, initialize_from_data
    from utils.training.pca_start import start_as_pca

    model = VAE(args.image_size, args.hidden_size, args.latent_size)
    if args.init != "torch":
        initialize_from_data(model, train_sprites)
    if args.init == "pca":
        start_as_pca(model, train_sprites, args.kl_weight / (2 * args.recon_weight or 1))
    return model


def schedule_of(args: argparse.Namespace) -> Callable[[int], float]:
    """Return the function from an epoch to its learning rate."""
    warmup = default_warmup(args.epoch) if args.warmup_epochs is None else args.warmup_epochs
    return partial(
        learning_rate, lr=args.lr, min_lr=args.min_lr, warmup_epochs=warmup, epochs=args.epoch
    )


def fit(
    args: argparse.Namespace,
    folder: Path,
    trained: dict,
    train_sprites: "Tensor",
    val_sprites: "Tensor",
    facts: dict,
    resuming: bool,
) -> None:
    """Train what is in `trained`, from the start or from the newest state in the folder."""
    from utils.interrupt import Deferred
    from utils.run import state
    from utils.run.checkpoint import save_weights
    from utils.run.logger import DETAIL_PERIOD, Logger, duration
    from utils.run.snapshots import NUM_SAMPLES, reconstruction_table, save_snapshots
    from utils.run.writer import Writer
    from utils.training.augment import augment
    from utils.training.cuda_graph import GraphedStep
    from utils.training.draws import prior_noise
    from utils.training.engine import Progress, train, train_step

    progress = Progress()
    if resuming:
        print(*state.restore(folder, trained, progress, facts), sep="\n")
        if progress.epoch == args.epoch:
            print(f"The run in {folder} is finished; there is nothing to go on with.")
            return
    else:
        run_folder.start(folder, facts["args"], overwrite=args.overwrite or args.resume is not None)
    print(f"Output: {folder}", flush=True)

    model = trained["model"]
    shown = trained.get("average", model)  # what is saved and drawn
    first, last = progress.epoch, args.epoch - 1
    saved = {*range(0, args.epoch, args.save_period), *args.save_epochs, last}
    z = prior_noise(args.seed, NUM_SAMPLES, args.latent_size).to(train_sprites.device)
    clock = state.Clock(args.state_period)

    def save_state(writer: Writer, logger: Logger) -> None:
        logger.read(writer)
        writer.put(logger.flush)  # a state never knows of more epochs than the logs do
        writer.put(clock.time, state.save, folder, state.copy_of(trained, progress, facts))

    # A report an epoch, pictures now and then, the weights, and the state: copies, written by a
    # thread while training goes on. Signals wait for a step.
    started = time.perf_counter()
    with (
        Deferred() as stop,
        Logger(folder, args.epoch, progress.epoch if resuming else None, args.augment) as logger,
        Writer(is_threaded=train_sprites.device.type != "mps") as writer,
    ):
        for report in train(
            model,
            trained["optimizer"],
            train_sprites,
            val_sprites,
            epochs=args.epoch,
            batch_size=args.batch_size,
            schedule=schedule_of(args),
            seed=args.seed,
            recon_weight=args.recon_weight,
            kl_weight=args.kl_weight,
            precision=args.precision,
            augment=augment if args.augment else None,
            average=trained.get("average"),
            decay=args.ema,
            take_step=GraphedStep() if args.cuda_graph else train_step,
            progress=progress,
            should_stop=stop.requested,
        ):
            epoch = report.epoch
            logger.log(report, writer)
            is_saved, is_shown = epoch in saved, epoch % DETAIL_PERIOD == 0 or epoch == last
            if is_saved or is_shown:
                logger.read(writer)  # a loss that is not finite ends the run before it is saved
                copied = deepcopy(shown)
            if is_shown:
                writer.put(logger.pictures, epoch, copied, train_sprites, z)
            if is_saved:
                writer.put(save_weights, run_folder.checkpoint_path(folder, epoch), copied)
                writer.put(save_snapshots, folder, copied, train_sprites, val_sprites, z)
            if epoch == last or clock.is_due(epoch + 1):
                save_state(writer, logger)
        if progress.epoch < args.epoch:
            save_state(writer, logger)

    if progress.epoch < args.epoch:
        print(f"Stopped in epoch {progress.epoch}. Go on with: ", end="")
        print(f"python main.py --resume {folder}")
        stop.exit()

    print(f"Trained epochs {first} to {last} in {duration(time.perf_counter() - started)}.")
    print(reconstruction_table(shown, train_sprites, val_sprites))
    print(f"See reconstructions.png and samples.png in {folder}. Next:")
    print(f"  python vis1.py --run {folder}   (and vis2.py, vis3.py, test_vae.py)")
    print(f"  tensorboard --logdir {folder}")
    if stop.requested():  # too late to stop anything, but whoever sent it wants its exit code
        stop.exit()


if __name__ == "__main__":
    run_script(main, get_args_parser())
