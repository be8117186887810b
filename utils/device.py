"""Which device a run uses, and why."""

import shutil
from pathlib import Path

import torch

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
            raise ValueError(f"--device {name}: {why_no_cuda()}") from None
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"--device {name}: torch cannot use it ({reason})") from None
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


def why_no_cuda() -> str:
    """Return why torch has no CUDA here, and how to mend it."""
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
