"""What happens with a report: logs, pictures, checkpoints, states, and an end when one is wanted.

with Recorder(run, config) as recorder:
    for report in train(model, optimizer, sprites, config, progress, recorder.should_stop):
        recorder.record(report)
"""

import math
import os
import sys
import time
from contextlib import ExitStack
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from model import VAE
from utils.cli import exit_code, handling, quoted
from utils.pictures.plot import grid, join, labelled_rows, save_figure, titled
from utils.run import state
from utils.run.checkpoint import save_weights
from utils.run.folder import checkpoint_path
from utils.run.logger import Console, History, TensorBoard, duration, is_detailed, read_losses
from utils.run.projector import save_projector
from utils.run.writer import Writer
from utils.training.draws import prior_noise
from utils.training.engine import (
    Config,
    Parts,
    Report,
    decode,
    encode,
    evaluate,
    psnr,
    reconstruct,
)
from utils.training.hybrids import mixtures

READ_SECONDS = 0.5  # between two readings of the losses from the device
COLUMNS = 10  # of a picture
SCALE = 3  # pixels of a picture per pixel of a sprite
NUM_SAMPLES = 100
NUM_SHOWN = 64  # sprites in a picture of TensorBoard
MEASURED_HYBRIDS = 1000


@dataclass(frozen=True)
class Run:
    """A run in progress: where it writes, what it trains, and which epochs it keeps."""

    folder: Path
    training: state.Training
    identity: state.Identity
    sprites: Parts
    checkpoint_epochs: set[int]
    state_period: int | None  # epochs between two states; None: by time
    is_resumed: bool


class Recorder:
    """Takes a report per epoch, and writes all that a run leaves behind.

    Files are written by a thread while training continues; what they need is copied first. Losses
    are read by that thread as well, many at once, because reading waits for the device. Ctrl-C and
    SIGTERM stop training at the next step; a second signal ends the process at once.
    """

    def __init__(self, run: Run, config: Config):
        self.run, self.config = run, config
        self.first_epoch = run.training.progress.epoch
        self.unread: list[Report] = []
        self.started = self.read_at = time.perf_counter()
        self.speed = Speed()
        self.clock = state.Clock(run.state_period)
        self.signal: int | None = None
        device = run.sprites.train.device
        model = run.training.model
        # The same latents in all pictures of a run, so that they can be compared.
        self.z = prior_noise(config.seed, NUM_SAMPLES, model.latent_size).to(device)
        self.writer = Writer(is_threaded=device.type != "mps")

    def __enter__(self):
        run, epochs = self.run, self.config.epochs
        resumed_at = self.first_epoch if run.is_resumed else None
        with ExitStack() as stack:
            stack.enter_context(handling(self.handle_signal))
            self.history = History(run.folder / "history.csv", self.first_epoch)
            stack.enter_context(self.history)
            self.tensorboard = TensorBoard(run.folder, epochs, resumed_at)
            stack.enter_context(self.tensorboard)
            self.console = stack.enter_context(Console(epochs, self.first_epoch))
            stack.enter_context(self.writer)
            self.stack = stack.pop_all()  # all is open: from here on __exit__ closes it
        return self

    def __exit__(self, *error):
        try:
            if error[0] is None and not self.is_finished:  # stopped between two steps
                self.put_state()
        finally:
            self.stack.__exit__(*error)

    # ---- signals

    def handle_signal(self, number: int, _frame: object) -> None:
        """Remember the first signal; at the second, do not wait for anything."""
        if self.signal is not None:
            os._exit(exit_code(number))
        self.signal = number

    def should_stop(self) -> bool:
        """Return whether a signal has come."""
        return self.signal is not None

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is over."""
        return self.run.training.progress.epoch == self.config.epochs

    # ---- reports

    def record(self, report: Report) -> None:
        """Have everything written that is due after an epoch."""
        run, epoch = self.run, report.epoch
        is_last = epoch == self.config.epochs - 1
        is_kept, is_shown = epoch in run.checkpoint_epochs, is_detailed(epoch, self.config.epochs)
        self.unread.append(report)
        if is_kept or is_shown or time.perf_counter() - self.read_at > READ_SECONDS:
            self.read()  # before anything is saved: a loss that is not finite ends the run
        if is_kept or is_shown:
            model = deepcopy(run.training.model)
        if is_shown:
            self.writer.put(self.show, epoch, model)
        if is_kept:
            self.writer.put(save_weights, checkpoint_path(run.folder, epoch), model)
            self.writer.put(save_pictures, run.folder, model, run.sprites, self.z)
        if is_last:
            self.writer.put(save_projector, run.folder, model, run.sprites, run.identity.sprites)
        if is_last or self.clock.is_due(epoch + 1):
            self.put_state()

    def read(self) -> None:
        """Have the reports so far read from the device and logged."""
        self.read_at = time.perf_counter()
        reports, self.unread = self.unread, []
        if reports:
            self.writer.put(self.log, reports)
        else:
            self.writer.check()

    def put_state(self) -> None:
        """Have the state written, after the logs: it must never be ahead of them."""
        self.read()
        self.writer.put(self.history.flush)
        self.writer.put(self.tensorboard.flush)
        copied = state.copy_of(self.run.training, self.run.identity)
        self.writer.put(self.clock.time, state.save, self.run.folder, copied)

    # ---- what the writer's thread does

    def log(self, reports: list[Report]) -> None:
        """Write the losses of epochs to all three logs.

        Raises
        ------
        FloatingPointError
            If a loss is not a finite number.
        """
        all_losses = read_losses(reports)
        rate = self.speed.after(sum(report.num_sprites for report in reports))
        for losses in all_losses:
            if not math.isfinite(losses.loss + losses.val_loss):
                raise FloatingPointError(
                    f"the loss of epoch {losses.epoch} is {losses.loss} (held out: "
                    f"{losses.val_loss}); the checkpoints before it are whole. Try a lower --lr or "
                    "a longer --warmup_epochs"
                )
            for log in (self.history, self.tensorboard, self.console):
                log.write(losses, rate)

    def show(self, epoch: int, model: VAE) -> None:
        """Show in TensorBoard what a model makes of sprites and of latents."""
        x = self.run.sprites.train[:NUM_SHOWN]
        pictures = {
            "train/x": x,
            "train/reconstruct_img": reconstruct(model, x),
            "train/prior_samples": decode(model, self.z[:NUM_SHOWN]),
        }
        if self.run.sprites.hybrids is not None:
            pictures["train/between_sprites"] = between(model, self.run.sprites, NUM_SHOWN)
        self.tensorboard.add_pictures(epoch, pictures)


class Speed:
    """Sprites per second, over at least `READ_SECONDS`: two readings may follow at once."""

    def __init__(self):
        self.num_sprites, self.rate, self.counted_at = 0, 0.0, time.perf_counter()

    def after(self, num_sprites: int) -> float:
        """Return the rate after so many more sprites."""
        self.num_sprites += num_sprites
        seconds = time.perf_counter() - self.counted_at
        if self.rate == 0 or seconds > READ_SECONDS:
            self.rate = self.num_sprites / seconds
            self.num_sprites, self.counted_at = 0, self.counted_at + seconds
        return self.rate


# ---- pictures and figures of a model


def save_pictures(folder: Path, model: VAE, sprites: Parts, z: Tensor) -> None:
    """Write ``reconstructions.png``, and ``samples.png`` of latents z from the prior.

    If hybrids were taught, samples halfway between two sprites come first.
    """
    rows = []
    for label, x in (
        ("held out", sprites.val[:COLUMNS]),
        ("training", sprites.train[:COLUMNS]),
        ("training", sprites.train[COLUMNS : 2 * COLUMNS]),
    ):
        if len(x):
            rows += [(label, x), ("reconstruction", reconstruct(model, x))]
    save_figure(folder / "reconstructions.png", labelled_rows(rows, SCALE))
    samples = grid(decode(model, z), COLUMNS, SCALE)
    if sprites.hybrids is not None:
        first = grid(between(model, sprites, len(z)), COLUMNS, SCALE)
        titles = "Halfway between two near sprites", "From the prior"
        samples = join([*map(titled, titles, (first, samples))], align="start")
    save_figure(folder / "samples.png", samples)


def between(model: VAE, sprites: Parts, count: int) -> Tensor:
    """Return what a model decodes halfway between some pairs whose hybrids it was taught."""
    pairs = sprites.hybrids.pairs
    pairs = pairs[torch.linspace(0, len(pairs) - 1, min(count, len(pairs))).long()]
    mu, _ = encode(model, sprites.train[pairs.flatten()])
    return decode(model, mu.unflatten(0, pairs.shape).mean(1))


def reconstruction_table(model: VAE, sprites: Parts) -> str:
    """Return how good reconstructions from the mean are, as a small table for the console."""
    errors = {
        "training": evaluate(model, sprites.train)[1].item(),
        "held out": evaluate(model, sprites.val)[1].item(),
    }
    if sprites.hybrids is not None:
        errors["hybrids"] = hybrid_error(model, sprites)
    lines = [f"{'':10}{'SSE':>10}{'MSE':>10}{'PSNR':>12}"]
    for label, sse in errors.items():
        mse = sse / sprites.train[0].numel()
        lines.append(f"{label:10}{sse:10.2f}{mse:10.5f}{psnr(mse):9.2f} dB")
    return "\n".join(lines)


def hybrid_error(model: VAE, sprites: Parts) -> float:
    """Return the squared error of hybrids that were taught, the mean over a thousand of them."""
    hybrids = sprites.hybrids._replace(posteriors=encode(model, sprites.train))
    count = len(hybrids.pictures)
    which = torch.linspace(0, count - 1, min(count, MEASURED_HYBRIDS)).long()
    x, (mu, _) = mixtures(hybrids, which.to(hybrids.pairs.device))
    return (decode(model, mu) - x).square().flatten(1).sum(1).mean().item()


# ---- the end


def say_what_is_next(recorder: Recorder) -> None:
    """Print how a finished run came out, or how to resume a stopped one, with its exit code."""
    run, folder = recorder.run, quoted(recorder.run.folder)
    if not recorder.is_finished:
        print(f"Stopped in epoch {run.training.progress.epoch}. Resume with: ", end="")
        print(f"python main.py --resume {folder}")
        sys.exit(exit_code(recorder.signal))
    seconds = time.perf_counter() - recorder.started
    first, last = recorder.first_epoch, recorder.config.epochs - 1
    print(f"Trained epochs {first} to {last} in {duration(seconds)}.")
    print(reconstruction_table(run.training.model, run.sprites))
    print(f"See reconstructions.png and samples.png in {run.folder}. Next:")
    print(f"  python vis1.py --run {folder}   (and vis2.py, vis3.py, test_vae.py)")
    print(f"  tensorboard --logdir {folder}")
    if recorder.should_stop():  # too late to stop anything, but the sender expects its exit code
        sys.exit(exit_code(recorder.signal))
