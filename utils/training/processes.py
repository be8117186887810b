"""One run by several processes: torchrun starts them, and each takes its share of every batch.

    torchrun --nproc_per_node=8 main.py --batch_size 2048

Alone, without torchrun, nothing here does anything. Together the processes compute what one would:
all draw the same (seed, epoch), a share is a slice of the global batch, and the gradient is the
mean over all of it. The first process alone reads and writes the run's folder and prints; what the
others need of it, it sends them. Torch is imported in the functions: --help does not wait for it.
"""

import gc
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, redirect_stdout
from typing import TYPE_CHECKING, TypeVar

from utils.cli import EXIT_BAD_INPUT, EXIT_FAILED, InputError

if TYPE_CHECKING:
    from torch import Tensor, nn

Result = TypeVar("Result")
LOST = re.compile("gloo|nccl|connection|socket|store", re.IGNORECASE)  # in what a lost peer raises


def count() -> int:
    """Return how many processes share this run."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "RANK" in os.environ else 1


def rank() -> int:
    """Return the number of this process; the first is 0."""
    return int(os.environ["RANK"]) if count() > 1 else 0


@contextmanager
def joined() -> Iterator[None]:
    """Join the other processes of torchrun, and silence the output of all but the first.

    Whatever ends one process ends all. The first to fail says why, in its words; the others,
    whose next exchange then fails, end without any.

    Raises
    ------
    ChildProcessError
        If another process was killed.
    """
    if count() == 1:
        yield
        return
    import torch.distributed as dist

    store, *_ = next(dist.rendezvous("env://"))
    # After a restart torchrun may hand out the same store, with the addresses of the dead in it (so
    # does torch 2.14.1, where init_process_group() alone then fails). Several machines do not agree
    # on how often they have started; for those docs/scale.md asks torchrun for a fresh store.
    if os.environ.get("GROUP_WORLD_SIZE", "1") == "1":
        attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
        store = dist.PrefixStore(f"attempt {attempt}", store)
    # Without a backend: NCCL for tensors on GPUs, gloo for those on CPUs.
    dist.init_process_group(store=store, rank=rank(), world_size=count())
    try:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere if rank() else sys.stdout):
            yield
    except Exception as error:
        if not is_first_to_fail(store):
            sys.exit(EXIT_BAD_INPUT if isinstance(error, InputError) else EXIT_FAILED)
        if isinstance(error, RuntimeError) and LOST.search(str(error)):
            raise ChildProcessError("another process of this run was killed") from None
        raise
    dist.barrier()  # none leaves while another may still be at the last exchange
    # Whatever still holds the group (DistributedDataParallel, say) goes before it. Without this 16
    # of 73 runs of benchmarks/scaling.py on a busy machine aborted at their end: "terminate called
    # without an active exception" (torch 2.14.1). With it none of 45 did.
    gc.collect()
    dist.destroy_process_group()


def is_first_to_fail(store: object) -> bool:
    """Return whether no other process has failed before, as far as the store can tell."""
    try:
        return store.add("failed", 1) == 1
    except RuntimeError:  # the store has gone with the machine that it was on
        return True


def own_device(name: str | None) -> str | None:
    """Return the device of this process; of several, each has the GPU of its number.

    Raises
    ------
    ValueError
        If processes would have to share a device other than the CPU.
    """
    if count() == 1:
        return name
    import torch

    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cuda", "cpu"):
        raise InputError(
            f"--device {name}: several processes take 'cuda', a GPU each, or 'cpu'; leave it out"
        )
    if name == "cuda" and torch.cuda.is_available():
        index, num_gpus = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
        if index >= num_gpus:
            raise InputError(
                f"there are more processes than the {num_gpus} GPUs of this machine; start "
                f"torchrun --nproc_per_node={num_gpus}, or give --device cpu"
            )
        torch.cuda.set_device(index)  # which "cuda" means from now on
    return name


# ---- what the first process does, and the others get


def first_only(context: AbstractContextManager) -> AbstractContextManager:
    """Return a context in the first process, and one that does nothing in the others."""
    return nullcontext() if rank() else context


def from_first(function: Callable[..., Result], *arguments: object) -> Result:
    """Return, in all processes, what a function returns in the first; the others do not call it."""
    if count() == 1:
        return function(*arguments)
    import torch.distributed as dist

    box = [None if rank() else function(*arguments)]
    dist.broadcast_object_list(box)
    return box[0]


def check_same(value: object, what: str) -> None:
    """Raise ValueError if a value differs from that of the first process."""
    if from_first(lambda: value) != value:
        raise InputError(
            f"process {rank()} has other {what} than the first; give all machines the same"
        )


# ---- shares of a batch


def check_shares(batch_size: int, num_sprites: int) -> None:
    """Raise ValueError if there are fewer sprites in a batch than processes."""
    least = min(batch_size, num_sprites)
    if least < count():
        raise InputError(
            f"{count()} processes share batches of {least} sprites (--batch_size {batch_size}, "
            f"{num_sprites} to train on); start at most {least}"
        )


def share(batch_size: int) -> tuple[slice, float]:
    """Return which sprites of a global batch are this process's, and the weight of their mean.

    Shares differ by one sprite at most. The mean over the batch is the mean over processes of
    weight times the mean over the share.
    """
    size, index = count(), rank()
    mine = slice(batch_size * index // size, batch_size * (index + 1) // size)
    return mine, (mine.stop - mine.start) * size / batch_size


def parallel(model: "nn.Module") -> "nn.Module":
    """Return the model, or of several processes one whose gradients are the mean over them.

    It shares its weights with the model, and starts all processes with those of the first.
    """
    if count() == 1:
        return model
    from torch.nn.parallel import DistributedDataParallel

    return DistributedDataParallel(model, gradient_as_bucket_view=True)


def mean(values: "Tensor") -> "Tensor":
    """Return the mean of a tensor over the processes; it may be changed in place."""
    if count() == 1:
        return values
    import torch.distributed as dist

    dist.all_reduce(values)
    return values / count()


def agreed(number: int | None) -> int | None:
    """Return the highest number that any process has, or None: all must ask at the same step."""
    if count() == 1:
        return number
    import torch
    import torch.distributed as dist

    highest = torch.tensor(number or 0)  # on the CPU: the device need not be waited for
    dist.all_reduce(highest, dist.ReduceOp.MAX)
    return int(highest) or None
