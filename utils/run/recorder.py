"""What happens with a report: logs, pictures, checkpoints, states, and an end when one is wanted.

with recorder_of(run, config) as recorder:
    for report in train(model, optimizer, sprites, config, progress, recorder.should_stop):
        recorder.record(report)
recorder.say_what_is_next()
"""

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

from model import VAE
from utils.cli import exit_code, handling, quoted
from utils.data_utils import digests_by_name
from utils.run import folder as run_folder
from utils.run import state
from utils.run.checkpoint import save_weights
from utils.run.logger import Console, History, TensorBoard, duration, is_detailed, read_losses
from utils.run.projector import save_projector
from utils.run.snapshots import between, reconstruction_table, save_pictures, shows_between
from utils.run.writer import Writer
from utils.training import processes
from utils.training.draws import prior_noise
from utils.training.engine import Config, Parts, Report, decode, reconstruct

READ_SECONDS = 0.5  # between two readings of the losses from the device
NUM_SAMPLES = 100
NUM_SHOWN = 64  # sprites in a picture of TensorBoard
ECHO_SECONDS = 2.0  # in which a signal may come again without anybody having sent it twice


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


@contextmanager
def opened(run: Run, *, overwrite: bool) -> Iterator[None]:
    """Hold the folder of a run, and begin the run there or bring it to its newest state.

    Raises
    ------
    ValueError
        If another process holds the folder, it holds another run, or no state can be read.
    """
    with run_folder.locked(run.folder):
        if run.is_resumed:
            for line in state.restore(run.folder, run.training, run.identity):
                print(line)
        else:
            names = digests_by_name(run.identity.sprites)
            run_folder.start(run.folder, run.identity.settings, names, overwrite=overwrite)
            del names  # a million of them take as much memory as the epochs' noise
        yield


class Follower:
    """Takes a report per epoch and writes nothing: the recorder of all processes but the first.

    Ctrl-C and SIGTERM, sent to any process, stop all at the next step; a second signal ends the
    process at once.
    """

    def __init__(self, run: Run, config: Config):
        self.run, self.config = run, config
        self.signal: int | None = None
        self.signalled_at = 0.0

    def __enter__(self):
        self.stack = ExitStack()
        self.stack.enter_context(handling(self.handle_signal))
        return self

    def __exit__(self, *error):
        self.stack.__exit__(*error)

    def handle_signal(self, number: int, _frame: object) -> None:
        """Remember the first signal; at the second, do not wait for anything."""
        if self.signal is None:
            self.remember(number)
        elif not self.is_echo(number):
            os._exit(exit_code(number))

    def remember(self, number: int) -> None:
        """Note the signal that stops the run."""
        self.signal, self.signalled_at = number, time.perf_counter()

    def is_echo(self, number: int) -> bool:
        """Return whether a signal may be the first one, heard again.

        A scheduler may signal torchrun, which passes it on, and its processes as well; and the
        others may have told of it.
        """
        is_soon = time.perf_counter() - self.signalled_at < ECHO_SECONDS
        return processes.count() > 1 and number == self.signal and is_soon

    def should_stop(self) -> bool:
        """Return whether a signal has come, to whichever process."""
        number = processes.agreed(self.signal)
        if self.signal is None and number is not None:
            self.remember(number)
        return number is not None

    @property
    def is_finished(self) -> bool:
        """Whether the last epoch is over."""
        return self.run.training.progress.epoch == self.config.epochs

    def record(self, report: Report) -> None:
        """Do nothing."""

    def say_what_is_next(self) -> None:
        """Do nothing: the exit code is the first process's, which may still be writing.

        If another one ended with an error before it, torchrun would end all.
        """


class Recorder(Follower):
    """Takes a report per epoch, and writes all that a run leaves behind.

    Files are written by a thread while training continues; what they need is copied first. Losses
    are read by that thread as well, many at once, because reading waits for the device.
    """

    def __init__(self, run: Run, config: Config):
        super().__init__(run, config)
        self.first_epoch = run.training.progress.epoch
        self.unread: list[Report] = []
        self.started = self.read_at = time.perf_counter()
        self.speed = Speed()
        self.clock = state.Clock(run.state_period)
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
            settings = run.identity.settings
            is_trained = not (settings["fix_encoder"] or settings["hybrids"])
            console = Console(epochs, self.first_epoch, can_collapse=is_trained)
            self.console = stack.enter_context(console)
            stack.enter_context(self.writer)
            self.stack = stack.pop_all()  # all is open: from here on __exit__ closes it
        return self

    def __exit__(self, *error):
        try:
            if error[0] is None and not self.is_finished:  # stopped between two steps
                self.put_state()
        finally:
            self.stack.__exit__(*error)

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
            self.writer.put(save_weights, run_folder.checkpoint_path(run.folder, epoch), model)
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
        if shows_between(self.run.sprites):
            pictures["train/between_sprites"] = between(model, self.run.sprites, NUM_SHOWN)
        self.tensorboard.add_pictures(epoch, pictures)

    # ---- the end

    def say_what_is_next(self) -> None:
        """Print how a finished run came out, or how to resume a stopped one, with its exit code."""
        run, folder = self.run, quoted(self.run.folder)
        if not self.is_finished:
            print(f"Stopped in epoch {run.training.progress.epoch}. Resume with: ", end="")
            print(f"python main.py --resume {folder}")
            sys.exit(exit_code(self.signal))
        seconds = time.perf_counter() - self.started
        first, last = self.first_epoch, self.config.epochs - 1
        print(f"Trained epochs {first} to {last} in {duration(seconds)}.")
        print(reconstruction_table(run.training.model, run.sprites))
        print(f"See reconstructions.png and samples.png in {run.folder}. Next:")
        print(f"  python vis1.py --run {folder}   (and vis2.py, vis3.py, test_vae.py)")
        print(f"  tensorboard --logdir {folder}")
        if self.signal is not None:  # too late to stop anything, but the sender expects its code
            sys.exit(exit_code(self.signal))


def recorder_of(run: Run, config: Config) -> Follower:
    """Return the recorder of this process: of several, the first alone writes."""
    return (Follower if processes.rank() else Recorder)(run, config)


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
