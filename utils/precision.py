"""Which precision the matrix products of training run in, and why. All else is fp32."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

PRECISIONS = ("fp32", "tf32", "bf16")


@contextmanager
def products_in(precision: str, device_type: str) -> Iterator[None]:
    """Compute fp32 products of this context in TF32, where that is the precision and CUDA has it.

    TF32 has the range of fp32 and ten bits after the point. The setting is the process's: what
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
