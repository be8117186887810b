"""Which device and precision a run uses, and why."""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch

from utils.cli import InputError
from utils.sprites.memory import check_memory, free_memory

PRECISIONS = ("fp32", "tf32", "bf16")
INSTALL_PAGE = "https://pytorch.org/get-started/locally"


def choose_device(name: str | None = None) -> tuple[torch.device, str]:
    """Return the device and one line that says what was chosen and why.

    Parameters
    ----------
    name : str, optional
        Any device that torch knows ("cuda", "cuda:1", "mps", "cpu"). Left out, it is CUDA where
        there is one, else Apple's MPS, else the CPU.

    Raises
    ------
    ValueError
        If torch does not know the device or cannot use it.
    """
    if name is not None:
        return usable_device(name), f"Device: {describe(name)}."
    if torch.cuda.is_available():
        return torch.device("cuda"), f"Device: {describe('cuda')}."
    if torch.backends.mps.is_available():
        return torch.device("mps"), f"Device: {describe('mps')}."
    line = f"Device: {describe('cpu')}."
    if has_nvidia_card():
        line += f" There is an NVIDIA card, but torch cannot use it: {why_no_cuda()}"
    return torch.device("cpu"), line


def usable_device(name: str) -> torch.device:
    """Return the device after one number went there and back; see `choose_device`."""
    try:
        device = torch.device(name)
        torch.zeros(1, device=device).item()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        if name.split(":")[0] == "cuda" and not torch.cuda.is_available():
            raise InputError(f"--device {name}: {why_no_cuda()}") from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"--device {name}: torch cannot use it ({reason})") from None
    return device


def describe(name: str) -> str:
    """Return a device and what it is, in words."""
    if name.split(":")[0] == "cuda":
        return f"{name} ({torch.cuda.get_device_name(name)})"
    if name == "cpu":
        return f"cpu ({torch.get_num_threads()} threads)"
    return name


def has_nvidia_card() -> bool:
    """Return whether this machine seems to have an NVIDIA card, whatever torch thinks."""
    return shutil.which("nvidia-smi") is not None or any(Path("/proc/driver/nvidia/gpus").glob("*"))


def check_room(pixels: torch.Tensor, device: torch.device, *, is_mapped: bool) -> None:
    """Raise ValueError if sprites do not fit on a device.

    Parameters
    ----------
    pixels : Tensor, shape (N, 3, S, S), uint8
        On the CPU.
    device : torch.device
    is_mapped : bool
        Whether they are in a file, so that a CPU needs room for them as well.
    """
    free, what = None, "memory"
    if device.type == "cuda":
        free, what = torch.cuda.mem_get_info(device)[0], f"memory on {device}"
    elif device.type == "cpu" and is_mapped:
        free = free_memory()
    check_memory(len(pixels), pixels[0].nbytes, free, what)


def to_device(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a CPU tensor on a device, without waiting for what the device is doing."""
    if device.type != "cuda":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def why_no_cuda() -> str:
    """Return why torch has no CUDA here, and how to fix it."""
    if torch.version.cuda is None:
        return (
            f"torch {torch.__version__} is a build without CUDA; install torch and torchvision "
            f"in one go with the command that {INSTALL_PAGE} shows."
        )
    try:
        torch.cuda.init()
        reason = "no usable device found"
    except (RuntimeError, AssertionError) as error:
        reason = str(error).split(". ")[0].splitlines()[0].rstrip(".")
    return (
        f"{reason} (torch {torch.__version__} is built for CUDA {torch.version.cuda}); update the "
        f"NVIDIA driver, or install a torch for your driver from {INSTALL_PAGE}."
    )


# ---- precision: of matrix products; all else is fp32


@contextmanager
def products_in(precision: str, device_type: str) -> Iterator[None]:
    """Compute fp32 products of this context in TF32, where that is the precision and CUDA has it.

    TF32 has the range of fp32 and a 10-bit mantissa. The setting is the process's: what
    another thread multiplies meanwhile (a picture, say) is in TF32 as well.
    """
    if precision != "tf32" or device_type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def autocast(precision: str, device_type: str) -> AbstractContextManager:
    """Return the context of a forward pass: bf16 for the linear layers, or nothing special."""
    if precision != "bf16":
        return nullcontext()
    # Each weight is used once, so that there is nothing to cache; and a CUDA graph must not.
    return torch.autocast(device_type, torch.bfloat16, cache_enabled=False)


def choose_precision(name: str, device: torch.device) -> tuple[str, str]:
    """Return the precision of a run and one line that says what was chosen.

    Parameters
    ----------
    name : str
        One of `PRECISIONS`, or "auto": TF32 on CUDA, else fp32. On a CPU bf16 is never taken by
        itself: it is twice as fast on some and a hundred times slower on others, and it costs a
        tenth of the error that is left after a thousand epochs (benchmarks/README.md).
    device : torch.device
    """
    if name == "tf32" and device.type != "cuda":
        return "fp32", f"Precision: fp32 ({device.type} has no TF32)."
    if name == "auto":
        name = "tf32" if device.type == "cuda" else "fp32"
    return name, f"Precision: {name}."
