"""The samplers of a run: fitted to its training sprites, and kept beside its weights.

sampler = run_sampler(run, sprites, "neighbours")  # kept as checkpoint_999_neighbours.npz
"""

import hashlib
import io
import sys
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from utils.data_utils import Sprites
from utils.files import write_whole
from utils.latents.runs import TrainedRun, taught_pairs, trained_on
from utils.latents.samplers import SAMPLERS, Posteriors, Sampler
from utils.sprites.names import creatures
from utils.training.engine import encode

RULES = b"3"  # of `fit`: raised when one changes, so that what is kept is fitted again


def run_sampler(run: TrainedRun, sprites: Sprites, kind: str) -> Sampler:
    """Return one of the `run_samplers`."""
    return run_samplers(run, sprites, (kind,))[kind]


def run_samplers(run: TrainedRun, sprites: Sprites, kinds: Iterable[str]) -> dict[str, Sampler]:
    """Return samplers for a run: those kept beside its weights, or else newly fitted ones.

    Parameters
    ----------
    run : TrainedRun
    sprites : Sprites
        The samplers are fitted to those that the run trained on, which are encoded once.
    kinds : iterable of str
        Keys of `SAMPLERS`.
    """
    posteriors = encoded(run, sprites)
    digest = hashlib.sha256(RULES + b"".join(part.tobytes() for part in posteriors)).hexdigest()
    samplers = {}
    for kind in kinds:
        path = run.checkpoint.with_name(f"{run.checkpoint.stem}_{kind}.npz")
        samplers[kind] = load_sampler(path, kind, digest)
        if samplers[kind] is None:
            samplers[kind] = SAMPLERS[kind].fit(posteriors, np.random.default_rng(0))
            if kind != "prior":  # which has nothing worth keeping
                save_sampler(path, samplers[kind], digest)
    return samplers


def encoded(run: TrainedRun, sprites: Sprites) -> Posteriors:
    """Return the posteriors of the sprites that a run trained on."""
    index = trained_on(run, sprites)
    posterior = encode(run.model, sprites.pixels[index])
    mu, logvar = (part.numpy().astype(np.float64) for part in posterior)
    groups = creatures([sprites.names[i] for i in index])
    places = np.zeros(len(sprites.names), int)  # of sprites among those that are encoded
    places[index] = np.arange(len(index))
    pairs, _ = taught_pairs(run, sprites)
    return Posteriors(mu, logvar, groups, places[pairs])


def save_sampler(path: Path, sampler: Sampler, digest: str) -> None:
    """Write a sampler and the digest of what it was fitted to; print why if that fails."""
    buffer = io.BytesIO()
    np.savez(buffer, fitted_to=np.array(digest), **sampler.arrays())
    try:
        write_whole(path, buffer.getvalue())
    except OSError as error:
        print(f"The sampler is not kept: {path} ({error.strerror}).", file=sys.stderr)


def load_sampler(path: Path, kind: str, digest: str) -> Sampler | None:
    """Return the sampler in a file, or None if there is none that was fitted to the same."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if str(arrays.pop("fitted_to")) != digest:
            return None
        return SAMPLERS[kind](**arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None  # damaged, or written by another version
