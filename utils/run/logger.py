"""What a run says while it goes on: console, ``history.csv`` and TensorBoard.

with Logger(folder, epochs=500) as logger, Writer() as writer:
    for report in train(...):
        logger.log(report, writer)
"""

import csv
import math
import os
import sys
import threading
import time
from pathlib import Path
from typing import TextIO

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid
from tqdm import tqdm

from model import VAE
from utils.data_utils import to_uint8
from utils.files import write_whole
from utils.run.snapshots import tensorboard_pictures
from utils.run.writer import Writer
from utils.training.engine import Report

UNUSED_NATS = 0.01  # of KL, below which a latent dimension counts as collapsed
READ_SECONDS = 0.5  # between two readings of the losses from the device
DETAIL_PERIOD = 50  # epochs between two sets of pictures and of KL a dimension
TIMED_EPOCHS = 3  # by which the time of a run is estimated
ENOUGH_EPOCHS = 500  # for sharp reconstructions of some hundred sprites
SLOW_SECONDS = 600  # a run that takes longer says so, and that fewer epochs are enough
LINES_PER_RUN = 20  # where the console is a pipe or a file
COLUMNS = ("epoch", "lr", "loss", "recon", "kl", "val_loss", "val_recon", "val_kl")


class Logger:
    """Takes a report an epoch, and has many of them read from the device at once.

    Reading waits for the device, so that it is done in the thread of a `Writer`.

    Parameters
    ----------
    folder : Path
        Of the run.
    epochs : int
        Of the run, for the progress bar.
    resumed_at : int, optional
        The epoch at which a run goes on; what was written of it and later ones is dropped.
    is_augmented : bool
        Then no number of epochs makes reconstructions sharp, and none is advised.
    """

    def __init__(
        self,
        folder: Path,
        epochs: int,
        resumed_at: int | None = None,
        is_augmented: bool = False,
    ):
        self.epochs = epochs
        self.is_augmented = is_augmented
        self.first_epoch = resumed_at or 0
        self.timed_from: tuple[int, float] | None = None  # an epoch, and when it was over
        self.has_warned = False
        self.unread: list[Report] = []
        self.counted_at = self.asked_at = self.started_at = time.perf_counter()
        self.num_counted, self.rate = 0, 0.0  # sprites, and sprites a second
        threading.excepthook = silence_disk_errors
        wait_for_a_later_second(folder)
        self.writer = SummaryWriter(str(folder), flush_secs=10, purge_step=resumed_at)
        self.history = open_history(folder / "history.csv", self.first_epoch)
        self.rows = csv.writer(self.history, lineterminator="\n")
        self.bar = tqdm(
            total=epochs, initial=self.first_epoch, unit="epoch", disable=None, dynamic_ncols=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.bar.close()
        self.history.close()
        self.writer.close()

    def log(self, report: Report, writer: Writer) -> None:
        """Keep a report; have all that are kept read if the last reading was a while ago."""
        writer.check()
        self.unread.append(report)
        if report.epoch > self.first_epoch and self.timed_from is None and writer.is_idle():
            # The first epoch is over, and its files are written.
            self.timed_from = (report.epoch, time.perf_counter())
        elif self.timed_from and report.epoch == self.timed_from[0] + TIMED_EPOCHS:
            self.say_how_long()
        if time.perf_counter() - self.asked_at > READ_SECONDS:
            self.read(writer)

    def read(self, writer: Writer) -> None:
        """Have the kept reports read from the device and written everywhere."""
        self.asked_at = time.perf_counter()
        reports, self.unread = self.unread, []
        if reports:
            writer.put(self.write_all, reports)

    # ---- jobs of a Writer

    def flush(self) -> None:
        """Bring all that was written to the disk."""
        self.history.flush()
        os.fsync(self.history.fileno())
        self.writer.flush()

    def write_all(self, reports: list[Report]) -> None:
        """Read the losses of epochs from the device, all at once, and write them everywhere.

        Raises
        ------
        FloatingPointError
            If a loss is not a finite number.
        """
        train = torch.stack([report.train for report in reports]).tolist()  # waits for the device
        val = torch.stack([report.val for report in reports]).tolist()
        self.measure_rate(sum(report.num_sprites for report in reports))
        for report, losses, val_losses in zip(reports, train, val, strict=True):
            self.write(report, losses, val_losses)

    def measure_rate(self, num_sprites: int) -> None:
        """Count sprites that were trained on, and divide them by the time when it is long enough.

        Two readings may follow at once, so that the time between them says nothing.
        """
        self.num_counted += num_sprites
        seconds = time.perf_counter() - self.counted_at
        if self.rate == 0 or seconds > READ_SECONDS:
            self.rate = self.num_counted / seconds
            self.num_counted, self.counted_at = 0, self.counted_at + seconds

    def write(self, report: Report, losses: list[float], val_losses: list[float]) -> None:
        """Write one epoch to ``history.csv``, TensorBoard and the console."""
        loss, recon, *kl = losses
        val_loss, val_recon, *val_kl = val_losses
        epoch = report.epoch
        if not math.isfinite(loss + val_loss):
            raise FloatingPointError(
                f"the loss of epoch {epoch} is {loss} (held out: {val_loss}); the checkpoints "
                "before it are whole. Try a lower --lr or a longer --warmup_epochs"
            )
        self.rows.writerow(
            [epoch, report.lr, loss, recon, sum(kl), val_loss, val_recon, sum(val_kl)]
        )
        scalars = {
            "train/lr": report.lr,
            "train/epoch_loss": loss,
            "train/epoch_reconstruct_loss": recon,
            "train/epoch_kl_divergence": sum(kl),
            "val/epoch_loss": val_loss,
            "val/epoch_reconstruct_loss": val_recon,
            "val/epoch_kl_divergence": sum(val_kl),
            "train/sprites_per_second": self.rate,
        }
        if epoch % DETAIL_PERIOD == 0 or epoch == self.epochs - 1:
            scalars |= {f"z_kl/{i:02d}": value for i, value in enumerate(kl)}
            self.warn_of_collapse(epoch, kl)
        for name, value in scalars.items():
            self.writer.add_scalar(name, value, epoch)

        self.bar.set_postfix_str(f"loss {loss:.1f}, {self.rate:,.0f} sprites/s", refresh=False)
        self.bar.update(epoch + 1 - self.bar.n)
        last = epoch == self.epochs - 1
        if self.bar.disable and (last or epoch % max(1, self.epochs // LINES_PER_RUN) == 0):
            since, at = self.timed_from or (epoch, self.started_at)
            left = (time.perf_counter() - at) / max(1, epoch - since) * (self.epochs - epoch - 1)
            self.say(
                f"epoch {epoch}: loss {loss:.1f}, recon {recon:.2f}, kl {sum(kl):.1f}, "
                f"held-out recon {val_recon:.2f}, {self.rate:,.0f} sprites/s"
                + (f", {duration(left)} left" if epoch > since else "")
            )

    def warn_of_collapse(self, epoch: int, kl: list[float]) -> None:
        """Say once if most latent dimensions carry nothing; at the start of a run all do."""
        unused = sum(nats < UNUSED_NATS for nats in kl)
        if epoch and not self.has_warned and 2 * unused > len(kl):
            self.has_warned = True
            self.say(
                f"Warning: in epoch {epoch} {unused} of {len(kl)} latent dimensions carry less "
                f"than {UNUSED_NATS} nats. Try a lower --kl_weight or fewer dimensions."
            )

    def pictures(self, epoch: int, model: VAE, train_sprites: Tensor, z: Tensor) -> None:
        """Show what a model makes of sprites and of latents, as grids in TensorBoard."""
        for name, sprites in tensorboard_pictures(model, train_sprites, z).items():
            self.writer.add_image(name, make_grid(to_uint8(sprites), pad_value=255), epoch)

    def say_how_long(self) -> None:
        """Say how long the run will take, if that is long; a run that goes on has said it."""
        seconds = (time.perf_counter() - self.timed_from[1]) / TIMED_EPOCHS
        if seconds * self.epochs > SLOW_SECONDS and self.epochs > ENOUGH_EPOCHS > self.first_epoch:
            total, enough = duration(seconds * self.epochs), duration(seconds * ENOUGH_EPOCHS)
            line = f"Time: about {total} for {self.epochs} epochs on this device."
            if not self.is_augmented:
                line += f" --epoch {ENOUGH_EPOCHS} takes {enough}, and is enough for sharp "
                line += "reconstructions."
            self.say(line)

    def say(self, line: str) -> None:
        """Print a line without disturbing the progress bar."""
        tqdm.write(line)
        sys.stdout.flush()


def wait_for_a_later_second(folder: Path) -> None:
    """Wait until the name of a new events file, which begins with the second, sorts last."""
    names = [path.name.split(".") for path in folder.glob("events.out.tfevents.*")]
    newest = max((int(name[3]) for name in names if name[3].isdecimal()), default=0)
    while newest == int(time.time()):
        time.sleep(0.01)


def open_history(path: Path, first_epoch: int) -> TextIO:
    """Open a ``history.csv`` to go on at an epoch, with the rows before it kept."""
    rows = [",".join(COLUMNS)]
    if first_epoch:
        rows += path.read_text(encoding="utf-8").splitlines()[1 : first_epoch + 1]
    write_whole(path, "".join(f"{row}\n" for row in rows).encode())
    return path.open("a", newline="", encoding="utf-8")


def silence_disk_errors(error: threading.ExceptHookArgs) -> None:
    """Keep TensorBoard's thread from printing an error that the main thread reports as well."""
    if not issubclass(error.exc_type, OSError):
        threading.__excepthook__(error)


def duration(seconds: float) -> str:
    """Return a time in words, to two digits or so."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"
