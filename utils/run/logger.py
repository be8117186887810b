"""The three logs of a run: ``history.csv``, TensorBoard and the console.

Each has one method, `write`, that takes what was read of an epoch, and is a context manager.
"""

import csv
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from torchvision.utils import make_grid
from tqdm import tqdm

from utils.data_utils import to_uint8
from utils.files import sync, write_whole
from utils.training.engine import Report

DETAIL_PERIOD = 50  # epochs between two sets of pictures and of KL by dimension
UNUSED_NATS = 0.01  # of KL, below which a latent dimension counts as collapsed
LINES_PER_RUN = 20  # where the console is a pipe or a file
COLUMNS = ("epoch", "lr", "loss", "recon", "kl", "val_loss", "val_recon", "val_kl")


@dataclass(frozen=True)
class Losses:
    """The losses of an epoch, read from the device; KL in nats."""

    epoch: int
    lr: float
    loss: float
    recon: float
    kl_by_dimension: list[float]
    val_loss: float
    val_recon: float
    val_kl: float

    @property
    def kl(self) -> float:
        """The KL of all dimensions together."""
        return sum(self.kl_by_dimension)


def read_losses(reports: list[Report]) -> list[Losses]:
    """Return the losses of epochs, read from the device all at once, which waits for it."""
    train = torch.stack([report.train for report in reports]).tolist()
    val = torch.stack([report.val for report in reports]).tolist()
    return [
        Losses(report.epoch, report.lr, loss, recon, kl, val_loss, val_recon, sum(val_kl))
        for report, (loss, recon, *kl), (val_loss, val_recon, *val_kl) in zip(
            reports, train, val, strict=True
        )
    ]


class Log:
    """A context manager that closes itself."""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class History(Log):
    """``history.csv``: a row per epoch.

    Parameters
    ----------
    path : Path
    first_epoch : int
        Rows from this epoch on are dropped; the run is resumed there.
    """

    def __init__(self, path: Path, first_epoch: int):
        rows = [",".join(COLUMNS)]
        if first_epoch:
            rows += path.read_text(encoding="utf-8").splitlines()[1 : first_epoch + 1]
        write_whole(path, "".join(f"{row}\n" for row in rows).encode())
        self.file = path.open("a", newline="", encoding="utf-8")
        self.rows = csv.writer(self.file, lineterminator="\n")

    def write(self, losses: Losses, _rate: float) -> None:
        """Add the row of an epoch."""
        self.rows.writerow([getattr(losses, name) for name in COLUMNS])

    def flush(self) -> None:
        """Bring all rows to the disk."""
        self.file.flush()
        sync(self.file.fileno())

    def close(self) -> None:
        """Close the file."""
        self.file.close()


class TensorBoard(Log):
    """The events that ``tensorboard --logdir`` shows: curves, and pictures now and then.

    Parameters
    ----------
    folder : Path
    epochs : int
        Of the run.
    resumed_at : int, optional
        The epoch at which a run is resumed; what was written of it and later ones is dropped.
    """

    def __init__(self, folder: Path, epochs: int, resumed_at: int | None):
        self.epochs = epochs
        self.previous_hook, threading.excepthook = threading.excepthook, self.silence_disk_errors
        wait_for_a_later_second(folder)
        self.events = SummaryWriter(str(folder), flush_secs=10, purge_step=resumed_at)

    def write(self, losses: Losses, rate: float) -> None:
        """Add a point to each curve, and now and then to those of the latent dimensions."""
        scalars = {
            "train/lr": losses.lr,
            "train/epoch_loss": losses.loss,
            "train/epoch_reconstruct_loss": losses.recon,
            "train/epoch_kl_divergence": losses.kl,
            "val/epoch_loss": losses.val_loss,
            "val/epoch_reconstruct_loss": losses.val_recon,
            "val/epoch_kl_divergence": losses.val_kl,
            "train/sprites_per_second": rate,
        }
        if is_detailed(losses.epoch, self.epochs):
            scalars |= {f"z_kl/{i:02d}": kl for i, kl in enumerate(losses.kl_by_dimension)}
        for name, value in scalars.items():
            self.events.add_scalar(name, value, losses.epoch)

    def add_pictures(self, epoch: int, pictures: dict[str, Tensor]) -> None:
        """Show sprites (N, 3, S, S) as grids, by their names."""
        for name, sprites in pictures.items():
            self.events.add_image(name, make_grid(to_uint8(sprites), pad_value=255), epoch)

    def flush(self) -> None:
        """Bring all events to the disk."""
        self.events.flush()

    def close(self) -> None:
        """Close the file."""
        self.events.close()
        threading.excepthook = self.previous_hook

    def silence_disk_errors(self, error: threading.ExceptHookArgs) -> None:
        """Keep TensorBoard's thread from printing an error that the main thread reports as well."""
        if not issubclass(error.exc_type, OSError):
            self.previous_hook(error)


class Console(Log):
    """A progress bar; where the console is a pipe or a file, some twenty lines.

    Parameters
    ----------
    epochs : int
        Of the run.
    first_epoch : int
        Where it begins or is resumed.
    can_collapse : bool
        Whether the encoder is trained, so that latents may come to carry nothing.
    """

    def __init__(self, epochs: int, first_epoch: int, *, can_collapse: bool = True):
        self.epochs, self.first_epoch = epochs, first_epoch
        self.started = time.perf_counter()
        self.has_warned = not can_collapse
        self.bar = tqdm(
            total=epochs, initial=first_epoch, unit="epoch", disable=None, dynamic_ncols=True
        )

    def write(self, losses: Losses, rate: float) -> None:
        """Move the bar, or print a line now and then; warn once of a collapse."""
        epoch = losses.epoch
        if epoch and is_detailed(epoch, self.epochs) and not self.has_warned:
            self.has_warned = self.warn_of_collapse(losses)
        self.bar.set_postfix_str(f"loss {losses.loss:.1f}, {rate:,.0f} sprites/s", refresh=False)
        self.bar.update(epoch + 1 - self.bar.n)
        is_last = epoch == self.epochs - 1
        if self.bar.disable and (is_last or epoch % max(1, self.epochs // LINES_PER_RUN) == 0):
            per_epoch = (time.perf_counter() - self.started) / (epoch + 1 - self.first_epoch)
            say(
                f"epoch {epoch}: loss {losses.loss:.1f}, recon {losses.recon:.2f}, "
                f"kl {losses.kl:.1f}, held-out recon {losses.val_recon:.2f}, "
                f"{rate:,.0f} sprites/s, {duration(per_epoch * (self.epochs - epoch - 1))} left"
            )

    def warn_of_collapse(self, losses: Losses) -> bool:
        """Warn if most latent dimensions carry nothing; return whether that is the case."""
        kl = losses.kl_by_dimension
        unused = sum(nats < UNUSED_NATS for nats in kl)
        if 2 * unused > len(kl):
            say(
                f"Warning: in epoch {losses.epoch} {unused} of {len(kl)} latent dimensions carry "
                f"less than {UNUSED_NATS} nats. Try a smaller --latent_size or a lower --kl_weight."
            )
        return 2 * unused > len(kl)

    def close(self) -> None:
        """Close the bar."""
        self.bar.close()


def is_detailed(epoch: int, epochs: int) -> bool:
    """Return whether pictures and the KL by dimension are logged in an epoch."""
    return epoch % DETAIL_PERIOD == 0 or epoch == epochs - 1


def say(line: str) -> None:
    """Print a line without disturbing the progress bar."""
    tqdm.write(line)
    sys.stdout.flush()


def duration(seconds: float) -> str:
    """Return a time in words, to two digits or so."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.1f} min" if minutes < 90 else f"{minutes / 60:.1f} h"


def wait_for_a_later_second(folder: Path) -> None:
    """Wait until the name of a new events file, which begins with the second, sorts last."""
    names = [path.name.split(".") for path in folder.glob("events.out.tfevents.*")]
    newest = max((int(name[3]) for name in names if name[3].isdecimal()), default=0)
    while newest == int(time.time()):
        time.sleep(0.01)
