"""Which precision the matrix products of training run in, and why. All else is fp32, always."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

PRECISIONS = ("fp32", "tf32", "bf16")
SHORT_SECONDS = 60  # a run that takes less is not worth a trial
LEAST_GAIN = 1.2  # of bf16 over fp32, by which auto takes it
PROBE_SHAPE = (256, 1024)  # of the first product that is tried, times its square: 0.5 GFLOP


@contextmanager
def products_in(precision: str, device_type: str) -> Iterator[None]:
    """Compute fp32 products of this context in TF32, where that is the precision and CUDA has it.

    TF32 has the range of fp32 and ten bits after the point.
    """
    before = torch.get_float32_matmul_precision()
    if precision == "tf32" and device_type == "cuda":
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


def choose_precision(
    name: str, device: torch.device, num_steps: int, seconds_a_step: Callable[[str], float]
) -> tuple[str, str]:
    """Return the precision of a run and one line that says what was chosen and why.

    Parameters
    ----------
    name : str
        One of `PRECISIONS`, or "auto": TF32 on CUDA; on a CPU bf16 if a trial of the run's own
        step shows it ahead by a fifth; else fp32. Flags of a CPU say nothing: bf16 products are
        five times faster than fp32 on some that have them, and slower on others.
    device : torch.device
    num_steps : int
        Of the whole run.
    seconds_a_step : callable
        From a precision to the seconds of a step in it, measured.
    """
    if name != "auto":
        return name, f"Precision: {name}."
    if device.type == "cuda":
        return "tf32", "Precision: tf32."
    if device.type != "cpu" or not bf16_products_pay():
        return "fp32", "Precision: fp32."
    fp32 = seconds_a_step("fp32")
    if fp32 * num_steps < SHORT_SECONDS:
        return "fp32", "Precision: fp32 (the run is short)."
    bf16 = seconds_a_step("bf16")
    chosen = "bf16" if fp32 > LEAST_GAIN * bf16 else "fp32"
    figures = f"a step takes {1000 * bf16:.0f} ms in bf16, {1000 * fp32:.0f} in fp32"
    return chosen, f"Precision: {chosen} ({figures})."


def bf16_products_pay() -> bool:
    """Return whether one bf16 product is faster than in fp32 on this CPU.

    It keeps the trial of a whole step from the CPUs on which that takes a hundred times as long.
    """
    seconds = {}
    for dtype in (torch.float32, torch.bfloat16):
        batch, weights = torch.ones(PROBE_SHAPE, dtype=dtype), torch.ones(1024, 1024, dtype=dtype)
        batch[:16] @ weights[:, :16]  # the first call sets up
        started = time.perf_counter()
        batch @ weights
        seconds[dtype] = time.perf_counter() - started
    return seconds[torch.bfloat16] < seconds[torch.float32]
