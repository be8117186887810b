"""Weights on disk: whole or not at all, and read without running what is in the file.

save_weights(folder / "checkpoint_200.pt", model)
model = load_vae("output_dir_.../checkpoint_200.pt")
"""

import io
import warnings
from collections import OrderedDict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from model import VAE
from utils.files import read_verified, write_with_sum


def save_weights(path: Path, model: VAE) -> None:
    """Write the raw state dict, on the CPU, and its sum beside it.

    Raises
    ------
    FloatingPointError
        If a weight is not finite; nothing is written then.
    """
    state = OrderedDict((key, value.detach().cpu()) for key, value in model.state_dict().items())
    write_tensors(
        path,
        state,
        refusal=f"weights are not finite numbers; {path.name} is not written. Try a lower --lr or "
        "a longer --warmup_epochs",
    )


def write_tensors(path: Path, content: dict, *, refusal: str) -> None:
    """Write what `torch.load` reads with weights_only, and its sum beside it.

    Raises
    ------
    FloatingPointError
        With `refusal`, if a tensor is not finite; nothing is written then.
    """
    if not is_finite(content):
        raise FloatingPointError(refusal)
    write_with_sum(path, partial(torch.save, content))


def load_vae(path: str | Path, expected_sizes: tuple[int, int, int] | None = None) -> VAE:
    """Return the VAE that a file of weights holds, on the CPU.

    Parameters
    ----------
    path : str or Path
        A raw state dict with the keys of `VAE`, saved here or by other code. Sizes are read from
        the shapes of the weights.
    expected_sizes : (input_size, hidden_size, latent_size), optional

    Raises
    ------
    ValueError
        If there is no such file, it is not the state dict of a VAE of this design, or its sizes
        are not the expected ones.
    """
    state = read_state(path)
    try:
        sizes = sizes_of(state)
        with torch.device("meta"):  # no memory and no random start for weights that come anyway
            model = VAE(*sizes)
        model.load_state_dict(state, assign=True)
    except (IndexError, KeyError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} does not hold the weights of this VAE, encoder.{{1,3,5,7,9}} and "
            f"decoder.{{0,2,4,6}} with weight and bias ({first_line(error)})"
        ) from None
    if not is_finite(state):
        raise ValueError(f"{path} holds weights that are not finite numbers")
    model.float()
    if expected_sizes and sizes != expected_sizes:
        options = ("--image_size", "--hidden_size", "--latent_size")
        mend = " ".join(f"{option} {size}" for option, size in zip(options, sizes, strict=True))
        raise ValueError(f"{path} holds a model of other sizes; give {mend}")
    return model


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the dictionary of tensors in a checkpoint or ``.safetensors`` file; see `load_vae`."""
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    data = read_verified(path)
    try:
        state = parse_state(data, path.suffix)
    except Exception as error:  # a damaged file raises whatever it likes; it is refused
        raise ValueError(f"{path} is not a readable checkpoint ({first_line(error)})") from None
    if not isinstance(state, dict) or not all(is_weight(*item) for item in state.items()):
        raise ValueError(f"{path} is not a state dict (a dictionary of names and tensors)")
    return state


def is_weight(name: object, value: object) -> bool:
    """Return whether an item may be a weight: a dense tensor of real numbers, with its data."""
    return (
        isinstance(name, str)
        and isinstance(value, Tensor)
        and value.layout == torch.strided
        and value.is_floating_point()
        and value.device.type == "cpu"
    )


def parse_state(data: bytes, suffix: str) -> object:
    """Return what `torch.save` or safetensors wrote, without running code that is in it."""
    if suffix == ".safetensors":
        from safetensors.torch import load

        return load(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd pickles, which are refused a line later
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def is_finite(value: object) -> bool:
    """Return whether every floating-point tensor in nested dictionaries and lists is finite."""
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(value.sum().isfinite())
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(is_finite, value))


def sizes_of(state: dict[str, Tensor]) -> tuple[int, int, int]:
    """Return (input_size, hidden_size, latent_size) by the shapes of a VAE's weights.

    Raises
    ------
    KeyError, ValueError
        If the keys or shapes are not those of a VAE for square RGB sprites.
    """
    hidden_size, num_values = state["encoder.1.weight"].shape
    latent_size = state["decoder.0.weight"].shape[1]
    input_size = round((num_values / 3) ** 0.5)
    if 3 * input_size**2 != num_values:
        raise ValueError(f"{num_values} inputs are not 3 x S x S values of a square sprite")
    return input_size, hidden_size, latent_size


def first_line(error: Exception) -> str:
    """Return the first line or sentence of an error's text, short enough for the console."""
    return f"{type(error).__name__}: {error}".splitlines()[0].split(". ")[0][:120]
