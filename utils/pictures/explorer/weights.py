"""A network as text in a page: whole numbers with a scale per row, compressed.

    packed = smallest(model, "decoder", inputs=z, measure=psnrs)
    page_model = with_packed(model, {"decoder": packed})

A weight is a whole number of 8, 10, 12 or 16 bits times the scale of its row. A layer is stored
as scales, biases, the high bytes of its numbers, and then the low bits, because DEFLATE shortens
the high bytes alone; numbers go column by column, as the page multiplies. weights.js reads what
`pack` writes, and `unpack` is its twin.
"""

import base64
import math
import zlib
from collections.abc import Callable
from copy import deepcopy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from model import VAE, linear_layers
from utils.data_utils import to_float, to_uint8

LEAST_PSNR = 40.0  # dB, of the page's sprites against those of PyTorch in float32
FINEST = 16  # bits
FINER = {8: 10, 10: 12, 12: FINEST}
SMALL = 2**17  # weights of a layer that gets 16 bits at once: they cost next to nothing


class Packed(NamedTuple):
    """A network as it stands in the page."""

    layers: list[tuple[int, int, int]]  # rows, columns, bits
    text: str  # base64 of zlib


# ---- choosing the code


def smallest(
    model: VAE,
    name: str,
    inputs: Tensor,
    measure: Callable[[VAE], dict[str, float]],
    least: float = LEAST_PSNR,
) -> tuple[Packed, dict[str, float]]:
    """Return a network in about as few bits as a PSNR allows, and its PSNRs.

    Every layer starts with 8 bits. While that is too coarse, the layer gets two more bits that
    gains most dB per bit.

    Parameters
    ----------
    model : VAE
    name : {"decoder", "encoder"}
    inputs : Tensor, shape (N, ...)
        What the network is used on; see `with_bits`.
    measure : callable
        From a model with packed weights to PSNRs in dB, by what they were measured on.
    least : float
        What all of them must reach, in dB.
    """
    layers = linear_layers(getattr(model, name))
    means = mean_inputs(getattr(model, name), inputs)

    def score(bits: list[int]) -> float:
        return min(measure(with_bits(model, name, bits, means)).values())

    bits = [FINEST if layer.weight.numel() < SMALL else 8 for layer in layers]
    reached = score(bits)
    while reached < least and min(bits) < FINEST:
        tries = []
        for i, layer in enumerate(layers):
            if bits[i] in FINER:
                finer = [*bits[:i], FINER[bits[i]], *bits[i + 1 :]]
                found = score(finer)
                price = (finer[i] - bits[i]) * layer.weight.numel()
                tries.append(((found - reached) / price, found, finer))
        _, reached, bits = max(tries)
    packed = pack(linear_layers(getattr(with_bits(model, name, bits, means), name)), bits)
    return packed, measure(with_packed(model, {name: packed}))


@torch.no_grad()
def mean_inputs(network: nn.Sequential, inputs: Tensor) -> list[Tensor]:
    """Return the mean input (columns,) of each linear layer."""
    means = []
    for layer in network:
        if isinstance(layer, nn.Linear):
            means.append(inputs.mean(0))
        inputs = layer(inputs)
    return means


def with_bits(model: VAE, name: str, bits: list[int], means: list[Tensor]) -> VAE:
    """Return a copy of a model with rounded weights in one network.

    Rounding moves the output of a row by (W - rounded W) x. The mean of that over the inputs
    goes into the bias, which costs nothing and halves the error, since few inputs have mean 0.
    """
    copy = deepcopy(model)
    for layer, width, mean in zip(linear_layers(getattr(copy, name)), bits, means, strict=True):
        weight = layer.weight.detach().numpy()
        numbers, scale = rounded(weight, width)
        error = weight - numbers * scale[:, None]
        layer.bias.data += torch.from_numpy(error.astype(np.float32)) @ mean
        layer.weight.data = torch.from_numpy((numbers * scale[:, None]).astype(np.float32))
    return copy


def rounded(weight: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights (rows, columns) as whole numbers, int32, and the scale (rows,) of each row."""
    widest = 2 ** (bits - 1) - 1
    largest = np.abs(weight).max(1)
    scale = np.where(largest > 0, largest / widest, 1).astype(np.float32)
    return np.rint(weight / scale[:, None]).clip(-widest, widest).astype(np.int32), scale


# ---- packing


def pack(layers: list[nn.Linear], bits: list[int]) -> Packed:
    """Return layers in so many bits per weight."""
    data = b"".join(layer_bytes(layer, width) for layer, width in zip(layers, bits, strict=True))
    # Weights have no repetitions: Huffman alone makes them as short, and far faster.
    deflate = zlib.compressobj(9, strategy=zlib.Z_HUFFMAN_ONLY)
    text = base64.b64encode(deflate.compress(data) + deflate.flush()).decode()
    shapes = [tuple(layer.weight.shape) for layer in layers]
    return Packed([(*shape, width) for shape, width in zip(shapes, bits, strict=True)], text)


def layer_bytes(layer: nn.Linear, bits: int) -> bytes:
    """Return scales, biases, the high bytes of the numbers, and the rest of their bits."""
    numbers, scale = rounded(layer.weight.detach().numpy(), bits)
    numbers = numbers.T.ravel()
    rest = bits - 8
    data = scale.astype("<f4").tobytes() + layer.bias.detach().numpy().astype("<f4").tobytes()
    data += (numbers >> rest).astype(np.int8).tobytes()
    if rest:
        low = numbers & (2**rest - 1)
        per_byte = 8 // rest  # the first in the lowest bits
        low = np.append(low, np.zeros(-len(low) % per_byte, low.dtype)).reshape(-1, per_byte)
        data += (low << rest * np.arange(per_byte)).sum(1).astype(np.uint8).tobytes()
    return data


def unpack(packed: Packed) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the weights and biases that the page computes with, float32."""
    data = zlib.decompress(base64.b64decode(packed.text))
    at = 0

    def take(count: int, kind: str) -> np.ndarray:
        nonlocal at
        array = np.frombuffer(data, kind, count, at)
        at += array.nbytes
        return array

    layers = []
    for rows, columns, bits in packed.layers:
        count, rest = rows * columns, bits - 8
        scale, bias = take(rows, "<f4"), take(rows, "<f4")
        numbers = take(count, "i1").astype(np.int32)
        if rest:
            per_byte = 8 // rest
            low = take(-(-count // per_byte), "u1")[:, None] >> rest * np.arange(per_byte)
            numbers = (numbers << rest) + (low & (2**rest - 1)).ravel()[:count]
        weight = numbers.reshape(columns, rows).T.astype(np.float32) * scale[:, None]
        layers.append((weight, bias.copy()))
    return layers


# ---- measuring


def with_packed(model: VAE, networks: dict[str, Packed]) -> VAE:
    """Return a copy of a model that computes what the page does."""
    copy = deepcopy(model)
    for name, packed in networks.items():
        layers = linear_layers(getattr(copy, name))
        for layer, (weight, bias) in zip(layers, unpack(packed), strict=True):
            layer.weight.data, layer.bias.data = torch.from_numpy(weight), torch.from_numpy(bias)
    return copy


@torch.no_grad()
def page_psnr(model: VAE, page_model: VAE, z: Tensor, page_z: Tensor | None = None) -> float:
    """Return the PSNR in dB of the page's sprites, rounded to bytes, against float32.

    Parameters
    ----------
    model, page_model : VAE
    z : Tensor, shape (N, latent_size)
    page_z : Tensor, shape (N, latent_size), optional
        What the page decodes, where its encoder gives other latents.
    """
    drawn = to_float(to_uint8(page_model.decode(z if page_z is None else page_z)))
    mse = (drawn - model.decode(z)).square().mean().item()
    return -10 * math.log10(max(mse, 1e-12))
