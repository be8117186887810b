"""A trained model for other programs: ONNX, or safetensors.

Needs the packages of requirements-export.txt, which nothing else does.
"""

import importlib
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from model import VAE
from utils.cli import InputError
from utils.files import write_whole

TOLERANCE = 1e-4  # of pixels in [0, 1] and of latents, between ONNX Runtime and PyTorch
CHECKED = 3  # inputs at once in the check; the exported example has 2


class Encoder(nn.Module):
    """From sprites to mean and log variance, as a module of its own."""

    def __init__(self, model: VAE):
        super().__init__()
        self.model = model

    def forward(self, sprites: Tensor) -> tuple[Tensor, Tensor]:
        """Return mu and logvar of sprites (B, 3, S, S) in [0, 1]."""
        return self.model.encode(sprites)


class Decoder(nn.Module):
    """From latents to sprites, as a module of its own."""

    def __init__(self, model: VAE):
        super().__init__()
        self.model = model

    def forward(self, z: Tensor) -> Tensor:
        """Return sprites (B, 3, S, S) in [0, 1] of latents (B, latent_size)."""
        return self.model.decode(z)


def export(model: VAE, folder: Path, kind: str) -> list[Path]:
    """Write a model into a folder, and return the paths.

    Parameters
    ----------
    model : VAE
    folder : Path
    kind : {"onnx", "safetensors"}
        ``encoder.onnx`` and ``decoder.onnx``, each with its weights and a free batch size; or
        ``model.safetensors`` with the keys of a checkpoint.

    Raises
    ------
    ValueError
        If a package is missing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "safetensors":
        path = folder / "model.safetensors"
        state = {name: weight.contiguous() for name, weight in model.state_dict().items()}
        write_whole(path, needed("safetensors.torch").save(state))
        return [path]
    side = model.input_size
    return [
        write_onnx(
            folder / "encoder.onnx", Encoder(model), (3, side, side), "sprites", ["mu", "logvar"]
        ),
        write_onnx(folder / "decoder.onnx", Decoder(model), (model.latent_size,), "z", ["sprites"]),
    ]


def needed(module: str):
    """Return a module of a package that only exports need.

    Raises
    ------
    ValueError
        If it is missing.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        name = module.split(".")[0]
        raise InputError(
            f"--export needs the package {name}: pip install -r requirements-export.txt"
        ) from None


def write_onnx(
    path: Path, module: nn.Module, shape: tuple[int, ...], input_name: str, outputs: list[str]
) -> Path:
    """Write a module in one ONNX file, checked with ONNX Runtime, and return its path.

    Parameters
    ----------
    path : Path
    module : nn.Module
        Of one input.
    shape : tuple of int
        Of an input, without the batch.
    input_name : str
    outputs : list of str
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        needed(name)
    rng = torch.Generator().manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own insides
        program = torch.onnx.export(
            module.eval(),
            (torch.rand(2, *shape, generator=rng),),
            input_names=[input_name],
            output_names=outputs,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            dynamo=True,
            verbose=False,
        )
    # One file: without this, the weights go into a second one beside it.
    write_whole(path, program.model_proto.SerializeToString())
    check(path, module, torch.rand(CHECKED, *shape, generator=rng))
    return path


@torch.no_grad()
def check(path: Path, module: nn.Module, x: Tensor) -> None:
    """Compare an ONNX file with the module that it was made of; prints the largest difference.

    Raises
    ------
    RuntimeError
        If they differ.
    """
    session = needed("onnxruntime").InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    expected = module(x)
    expected = expected if isinstance(expected, tuple) else (expected,)
    worst = max(np.abs(a - b.numpy()).max() for a, b in zip(found, expected, strict=True))
    if not worst < TOLERANCE:
        raise RuntimeError(f"{path} differs from the model by {worst:.1e}")
    print(f"{path.name}: within {worst:.1e} of PyTorch, {path.stat().st_size / 1e6:.1f} MB")
