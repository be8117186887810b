"""Where to draw latents: from the prior, or from a density fitted to the encoded sprites.

    sampler = run_sampler(run, sprites, "neighbours")  # and checkpoint_999_neighbours.npz
    z = draw(sampler, np.random.default_rng(41), 100)

A VAE is trained to decode where its encoder puts sprites, which is not everywhere that the prior
has mass. A fitted sampler is a dictionary of plain arrays: its kind and what that kind needs.
"""

import hashlib
import io
import sys
import zipfile
from pathlib import Path

import numpy as np
import torch

from utils.data_utils import Sprites, to_float
from utils.files import write_whole
from utils.latents.runs import Run, creatures, known_indices

KINDS = {  # how each is named in a picture
    "prior": "from the prior",
    "gaussian": "from a Gaussian fitted to the encoded sprites",
    "gmm": "from a mixture of Gaussians fitted to the encoded sprites",
    "neighbours": "mixtures of two to four near sprites",
}
FIT_SEED = 0
# Latents of mixtures lie this much farther from the middle of the sprites than they would: between
# sprites the decoder leaves white what is white in one of them, so that draws are small and pale.
STRETCH = 1.25

DRAWS = 8  # latents drawn from each sprite's posterior, for the densities
GMM_SIZES = (1, 2, 4, 8, 16, 32, 64)
GMM_TYPES = ("diag", "full")  # of covariance
GMM_HELD_OUT = 0.2  # share of the creatures by which size and type are chosen
GMM_FLOOR = 1e-3  # added to variances: no component may shrink to one sprite

NUM_NEAR = 8  # nearest sprites of other creatures that one is mixed with
PARENTS = {2: 0.5, 3: 0.35, 4: 0.15}  # sprites in a mixture, and how often
CONCENTRATION = 40.0  # of the Dirichlet weights: those of two are 0.5 +- 0.06
# Squared distance of a mixture to the nearest sprite over that to the nearest of another
# creature, below which the decoder would draw the first one alone.
LEAST_RATIO = 0.8
TRIES = 100  # mixtures of which one must be far enough from all sprites


def run_sampler(run: Run, sprites: Sprites, kind: str) -> dict[str, np.ndarray]:
    """Return a sampler for a run: the one beside its weights, or else a new one, which is kept.

    Parameters
    ----------
    run : Run
    sprites : Sprites
        It is fitted to those of them that the run trained on.
    kind : str
        Of `KINDS`.
    """
    index = next(iter(known_indices(run, sprites).values()))
    with torch.no_grad():
        posterior = run.model.encode(to_float(sprites.pixels[index]))
    mu, logvar = (part.numpy().astype(np.float64) for part in posterior)
    groups = creatures([sprites.names[i] for i in index])

    digest = hashlib.sha256(b"".join(part.tobytes() for part in (mu, logvar, groups)))
    fitted_to = np.array(digest.hexdigest())
    path = run.checkpoint.with_name(f"{run.checkpoint.stem}_{kind}.npz")
    if path.is_file():
        sampler = load_sampler(path)
        if str(sampler.get("fitted_to")) == str(fitted_to):
            return sampler
    sampler = fit_sampler(kind, mu, logvar, groups, rng=np.random.default_rng(FIT_SEED))
    if kind == "prior":  # nothing to keep
        return sampler
    sampler["fitted_to"] = fitted_to
    try:
        save_sampler(path, sampler)
    except OSError as error:
        print(f"The sampler is not kept: {path} ({error.strerror}).", file=sys.stderr)
    return sampler


def fit_sampler(
    kind: str,
    mu: np.ndarray,
    logvar: np.ndarray,
    groups: np.ndarray,
    *,
    rng: np.random.Generator,
) -> dict[str, np.ndarray]:
    """Return a sampler fitted to the training sprites of a run.

    Parameters
    ----------
    kind : {"prior", "gaussian", "gmm", "neighbours"}
    mu, logvar : ndarray, shape (N, d)
        Posteriors of the training sprites.
    groups : ndarray, shape (N,), int
        The creature that each sprite shows; see `utils.sample_metrics.nearest_sprites`.
    rng : Generator
        Of the draws from the posteriors and of what is held out.

    Returns
    -------
    dict of str to ndarray
        ``kind`` and its parameters; `draw` reads them.
    """
    if kind == "prior":
        return {"kind": np.array(kind), "size": np.array(mu.shape[1])}
    if kind == "gaussian":
        z = posterior_draws(mu, logvar, rng)
        return {"kind": np.array(kind), "mean": z.mean(0), "covariance": np.cov(z.T, ddof=1)}
    if kind == "gmm":
        return {"kind": np.array(kind)} | fit_gmm(mu, logvar, groups, rng)
    if kind == "neighbours":
        near = near_sprites(mu, groups)
        return {"kind": np.array(kind), "mu": mu, "near": near, "groups": groups}
    raise ValueError(f"--sampler {kind}: it is one of {', '.join(KINDS)}")


def draw(sampler: dict[str, np.ndarray], rng: np.random.Generator, count: int) -> np.ndarray:
    """Return latents from a sampler, float32 (count, d)."""
    kind = str(sampler["kind"])
    if kind == "prior":
        z = rng.standard_normal((count, int(sampler["size"])))
    elif kind == "gaussian":
        z = rng.multivariate_normal(
            sampler["mean"], sampler["covariance"], count, check_valid="ignore"
        )
    elif kind == "gmm":
        component = rng.choice(len(sampler["weights"]), count, p=sampler["weights"])
        noise = rng.standard_normal((count, sampler["means"].shape[1]))
        spread = np.einsum("nij,nj->ni", sampler["factors"][component], noise)
        z = stretched(sampler["means"][component] + spread, sampler["weights"] @ sampler["means"])
    else:
        z = mixtures(sampler["mu"], sampler["near"], sampler["groups"], rng, count)
    return z.astype(np.float32)


def draw_latents(sampler: dict[str, np.ndarray], count: int, seed: int) -> torch.Tensor:
    """Return the latents that a seed draws from a sampler, float32 (count, d)."""
    return torch.from_numpy(draw(sampler, np.random.default_rng((seed, 0, 3)), count))


def stretched(z: np.ndarray, middle: np.ndarray) -> np.ndarray:
    """Return latents `STRETCH` times as far from a point (d,)."""
    return middle + STRETCH * (z - middle)


def posterior_draws(mu: np.ndarray, logvar: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return draws from the aggregate posterior, `DRAWS` of each sprite, (N * DRAWS, d)."""
    eps = rng.standard_normal((DRAWS, *mu.shape))
    return (mu + np.exp(0.5 * logvar) * eps).reshape(-1, mu.shape[1])


# ---- a mixture of Gaussians


def fit_gmm(
    mu: np.ndarray, logvar: np.ndarray, groups: np.ndarray, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return the mixture of Gaussians whose size and covariances suit creatures not seen.

    Each candidate is fitted to draws from the posteriors of four fifths of the creatures, and
    judged by the likelihood of the others; a component that sits on one sprite gains nothing
    there. The best is fitted again to all.

    Returns
    -------
    dict
        ``weights`` (k,), ``means`` (k, d), ``factors`` (k, d, d), whose products with their
        transposes are the covariances, and ``held_out``, the mean log-likelihood in nats of a
        draw by which it was chosen.
    """
    from sklearn.mixture import GaussianMixture  # only where it is used: a second to import

    def fitted(z, size, shape):
        mixture = GaussianMixture(
            size, covariance_type=shape, reg_covar=GMM_FLOOR, random_state=0, max_iter=200
        )
        return mixture.fit(z)

    creatures = rng.permutation(np.unique(groups))
    held_out = np.isin(groups, creatures[: max(1, round(len(creatures) * GMM_HELD_OUT))])
    z = posterior_draws(mu[~held_out], logvar[~held_out], rng)
    others = posterior_draws(mu[held_out], logvar[held_out], rng)
    scores = {
        (size, shape): fitted(z, size, shape).score(others)
        for size in GMM_SIZES
        for shape in GMM_TYPES
        if size == 1 or size <= (~held_out).sum() // 4
    }
    size, shape = max(scores, key=scores.get)
    best = fitted(posterior_draws(mu, logvar, rng), size, shape)
    if shape == "diag":
        factors = np.stack([np.diag(np.sqrt(variances)) for variances in best.covariances_])
    else:
        factors = np.linalg.cholesky(best.covariances_)
    return {
        "weights": best.weights_ / best.weights_.sum(),
        "means": best.means_,
        "factors": factors,
        "held_out": np.array(scores[size, shape]),
    }


# ---- between near sprites


def near_sprites(mu: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return for each latent the `NUM_NEAR` nearest ones of other creatures, (N, k), int.

    Where there are fewer than that, or but one creature, a latent's own index fills up the row.
    """
    squared = np.square(mu[:, None] - mu[None]).sum(2)
    squared[groups[:, None] == groups] = np.inf
    near = squared.argsort(1, kind="stable")[:, :NUM_NEAR]
    own = np.arange(len(mu))[:, None]
    return np.where(np.isinf(np.take_along_axis(squared, near, 1)), own, near)


def mixtures(
    mu: np.ndarray, near: np.ndarray, groups: np.ndarray, rng: np.random.Generator, count: int
) -> np.ndarray:
    """Return mixtures of two to four latents: one of any sprite, the others of those near it.

    Weights are about equal and mixtures are `stretched`. One that comes to lie next to one sprite
    is drawn again: the decoder of a run that knows its sprites by heart would draw a copy of it.

    Parameters
    ----------
    mu : ndarray, shape (N, d)
    near : ndarray, shape (N, k), int
    groups : ndarray, shape (N,), int
    rng : Generator
    count : int

    Returns
    -------
    ndarray, shape (count, d)
    """
    numbers, shares = list(PARENTS), list(PARENTS.values())
    middle = mu.mean(0)
    z = np.empty((count, mu.shape[1]))
    for row in z:
        for _ in range(TRIES):
            first = rng.integers(len(mu))
            others = min(rng.choice(numbers, p=shares) - 1, near.shape[1])
            chosen = rng.choice(near[first], others, replace=False)
            parents = mu[[first, *chosen]]
            weights = rng.dirichlet(np.full(len(parents), CONCENTRATION))
            row[:] = stretched(weights @ parents, middle)
            if ratio_of_distances(row, mu, groups) >= LEAST_RATIO:
                break
    return z


def ratio_of_distances(z: np.ndarray, mu: np.ndarray, groups: np.ndarray) -> float:
    """Return the squared distance to the nearest latent over that to one of another group."""
    squared = np.square(mu - z).sum(1)
    first = squared.argmin()
    others = squared[groups != groups[first]]
    return float(squared[first] / max(others.min(), 1e-12)) if len(others) else 1.0


# ---- on disk


def save_sampler(path: Path, sampler: dict[str, np.ndarray]) -> None:
    """Write a sampler as .npz."""
    buffer = io.BytesIO()
    np.savez(buffer, **sampler)
    write_whole(path, buffer.getvalue())


def load_sampler(path: Path) -> dict[str, np.ndarray]:
    """Return the sampler that a file holds.

    Raises
    ------
    ValueError
        If it is not a file of `save_sampler`.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            sampler = dict(arrays)
        if str(sampler["kind"]) not in KINDS:
            raise ValueError(f"kind {sampler['kind']}")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a sampler ({type(error).__name__}: {error})") from None
    return sampler
