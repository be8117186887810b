"""Weights on disk: whole or not at all, and read without running what is in the file.

save_weights(folder / "checkpoint_200.pt", model)
model = load_model(folder / "checkpoint_200.pt", read_args(folder))
"""

import io
import warnings
from collections import OrderedDict
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from model import MODELS, VAE
from utils.cli import InputError
from utils.files import read_verified, write_with_sum

SIZES = ("image_size", "hidden_size", "latent_size")  # the arguments that a model is made of
# What torch.compile, DataParallel, FSDP and Lightning put before or into the names of weights.
WRAPPERS = ("_orig_mod.", "_fsdp_wrapped_module.", "module.", "model.", "vae.")


def save_weights(path: Path, model: VAE) -> None:
    """Write the raw state dict, on the CPU, and its checksum beside it.

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
    """Write what `torch.load` reads with weights_only, and its checksum beside it.

    Raises
    ------
    FloatingPointError
        With `refusal`, if a tensor is not finite; nothing is written then.
    """
    if not is_finite(content):
        raise FloatingPointError(refusal)
    write_with_sum(path, partial(torch.save, content))


def load_model(path: str | Path, settings: dict | None = None) -> VAE:
    """Return the model that a file of weights holds, on the CPU.

    Parameters
    ----------
    path : str or Path
        A raw state dict, saved here or by other code.
    settings : dict, optional
        The arguments of its run, which say what the model is. If left out (or if they do not
        say), the file is taken for a `VAE`, whose sizes are read from the shapes of the weights.

    Raises
    ------
    ValueError
        If there is no such file, or it does not hold the weights of that model.
    """
    state = read_state(path)
    try:
        name, sizes = described(settings or {}) or ("mlp", sizes_of(state))
        with torch.device("meta"):  # no memory and no random start for weights that come anyway
            model = MODELS[name](*sizes)
        model.load_state_dict(state, assign=True)
    except (IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path} does not hold the weights of {hint(state, error)}") from None
    if not is_finite(state):
        raise InputError(f"{path} holds weights that are not finite numbers")
    return model.float()


def described(settings: dict) -> tuple[str, list[int]] | None:
    """Return the name and the sizes of the model that a run's arguments describe, if they do."""
    if not settings.keys() >= set(SIZES):
        return None
    return settings.get("model", "mlp"), [settings[size] for size in SIZES]


def hint(state: dict[str, Tensor], error: Exception) -> str:
    """Return which model a state dict does not fit, and which it would."""
    try:
        options = zip(SIZES, sizes_of(state), strict=True)
        fits = " ".join(f"--{option} {size}" for option, size in options)
        return f"a model of these sizes; its own are {fits}, or its keys are others"
    except (IndexError, KeyError, ValueError):
        return (
            "this VAE, encoder.{1,3,5,7,9} and decoder.{0,2,4,6} with weight and bias "
            f"({first_line(error)})"
        )


def sizes_of(state: dict[str, Tensor]) -> tuple[int, int, int]:
    """Return (image_size, hidden_size, latent_size) from the shapes of a VAE's weights.

    Raises
    ------
    IndexError, KeyError, ValueError
        If the keys or shapes are not those of a VAE for square RGB sprites.
    """
    hidden_size, num_values = state["encoder.1.weight"].shape
    latent_size = state["decoder.0.weight"].shape[1]
    image_size = round((num_values / 3) ** 0.5)
    if 3 * image_size**2 != num_values:
        raise InputError(f"{num_values} inputs are not 3 x S x S values of a square sprite")
    return image_size, hidden_size, latent_size


# ---- reading


def read_state(path: str | Path) -> dict[str, Tensor]:
    """Return the dictionary of tensors in a checkpoint or ``.safetensors`` file; see `load_model`.

    What wrappers put before the names of weights is taken off.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    data = read_verified(path)
    try:
        state = parse_state(data, path.suffix)
    except Exception as error:  # a damaged file raises whatever it likes; it is refused
        raise InputError(f"{path} is not a readable checkpoint ({first_line(error)})") from None
    if not is_state_dict(state):
        raise InputError(
            f"{path} is not a state dict (a dictionary of names and tensors){inside(state)}"
        )
    return {unwrapped(name): value for name, value in state.items() if value.is_floating_point()}


def unwrapped(name: str) -> str:
    """Return the name of a weight without what wrappers have added to it."""
    for wrapper in WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def parse_state(data: bytes, suffix: str) -> object:
    """Return what `torch.save` or safetensors wrote, without running code that is in it."""
    if suffix == ".safetensors":
        from safetensors.torch import load

        return load(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd pickles, which are refused a line later
        return torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)


def is_state_dict(value: object) -> bool:
    """Return whether an object is a dictionary of dense tensors with their data."""
    return isinstance(value, dict) and all(
        isinstance(name, str)
        and isinstance(weight, Tensor)
        and weight.layout == torch.strided
        and weight.device.type == "cpu"
        for name, weight in value.items()
    )


def inside(value: object) -> str:
    """Return, in words, under which keys of a dictionary there are weights."""
    if not isinstance(value, dict):
        return ""
    keys = [
        str(key)
        for key, item in value.items()
        if isinstance(item, dict) and item and is_state_dict(item)
    ]
    if not keys:
        return ""
    return f"; weights are under its key {' and '.join(map(repr, keys))}: save those alone"


def is_finite(value: object) -> bool:
    """Return whether every floating-point tensor in nested dictionaries and lists is finite."""
    if isinstance(value, Tensor):
        return not value.is_floating_point() or bool(value.sum().isfinite())
    if isinstance(value, dict):
        return all(map(is_finite, value.values()))
    return not isinstance(value, list | tuple) or all(map(is_finite, value))


def first_line(error: Exception) -> str:
    """Return the first line or sentence of an error's text, short enough for the console."""
    return f"{type(error).__name__}: {error}".splitlines()[0].split(". ")[0][:120]
