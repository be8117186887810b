"""Where to draw new latents: from the prior, or close to the encoded training sprites.

    z = draw_latents(sampler, 100, seed=41)

A VAE learns to decode where its encoder puts sprites, which is a small part of the prior. To add a
sampler, write a class like the ones here and give it a row in `SAMPLERS`. The samplers of a run
come from `kept`.
"""

import sys
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from scipy.spatial.distance import cdist

from utils.cli import InputError
from utils.data_utils import Sprites
from utils.latents.runs import NO_PAIRS, TrainedRun, taught_pairs
from utils.sprites.near import MANY
from utils.training.draws import SAMPLER

# Between sprites that it memorised a decoder leaves white what is white in one of them, so draws
# come out small and pale. Latents this much farther from the mean of all sprites make up for it.
STRETCH = 1.25

POSTERIOR_DRAWS = 8  # latents drawn per sprite to fit a mixture to
GMM_SIZES = (1, 2, 4, 8, 16, 32, 64)
GMM_TYPES = ("diag", "full")  # of covariance
GMM_HELD_OUT = 0.2  # share of the creatures that size and type are chosen on
GMM_MOST = 4096  # sprites that it is fitted to
GMM_FLOOR = 1e-3  # added to variances, so that no component shrinks to one sprite

BLOCK = 512  # latents whose distances to all others are in memory at once
MOST = 20_000  # sprites that are mixed; larger sets are thinned evenly
NUM_NEAR = 8  # nearest sprites of other creatures that one is mixed with
PARENTS = {2: 0.5, 3: 0.35, 4: 0.15}  # sprites in a mixture, and how often
CONCENTRATION = 40.0  # of the Dirichlet weights: those of two are 0.5 +- 0.06
# Squared distance to the nearest sprite over that to another creature's: below this it is a copy.
LEAST_RATIO = 0.8
FITTED_DRAWS = 200  # mixtures from which it is seen how much nearer to the mean they are
TRIES = 100  # mixtures to try until one is far enough from all sprites


class Posteriors(NamedTuple):
    """What the encoder says about the training sprites."""

    mu: np.ndarray  # (N, d), float64
    logvar: np.ndarray  # (N, d), float64
    groups: np.ndarray  # (N,), int: the creature that each sprite shows
    pairs: np.ndarray = NO_PAIRS  # (P, 2), int: near sprites whose hybrids were taught


class Sampler:
    """What all samplers share; a subclass is a dataclass of arrays with `fit` and `draw`."""

    title: ClassVar[str]  # in pictures

    @classmethod
    def fit(cls, posteriors: Posteriors, rng: np.random.Generator) -> "Sampler":
        """Return a sampler fitted to the training sprites."""
        raise NotImplementedError

    def draw(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return new latents, (count, d)."""
        raise NotImplementedError

    def arrays(self) -> dict[str, np.ndarray]:
        """Return what is saved; `cls(**arrays)` is the same sampler again."""
        return vars(self)


@dataclass
class Prior(Sampler):
    """The standard normal distribution."""

    title = "from the prior"
    size: np.ndarray  # d

    @classmethod
    def fit(cls, posteriors, rng):
        """Take the number of latent dimensions, and nothing else."""
        return cls(np.array(posteriors.mu.shape[1]))

    def draw(self, rng, count):
        """Return latents from N(0, I)."""
        return rng.standard_normal((count, int(self.size)))


@dataclass
class Mixture(Sampler):
    """A mixture of Gaussians, drawn wider than it was fitted by `STRETCH`."""

    title = "from a mixture of Gaussians fitted to the encoded sprites"
    weights: np.ndarray  # (k,)
    means: np.ndarray  # (k, d)
    factors: np.ndarray  # (k, d, d): the covariances are factor @ factor.T

    @classmethod
    def fit(cls, posteriors, rng):
        """Fit the mixture that `choose_mixture` prefers to all creatures."""
        posteriors = thinned(posteriors, GMM_MOST)
        everyone = np.ones(len(posteriors.groups), bool)
        size, shape = choose_mixture(posteriors, rng)
        best = fitted_mixture(posterior_draws(posteriors, everyone, rng), size, shape)
        if shape == "diag":
            factors = np.stack([np.diag(np.sqrt(variances)) for variances in best.covariances_])
        else:
            factors = np.linalg.cholesky(best.covariances_)
        return cls(best.weights_ / best.weights_.sum(), best.means_, factors)

    def draw(self, rng, count):
        """Draw a component for each latent, and the latent from it."""
        component = rng.choice(len(self.weights), count, p=self.weights)
        noise = rng.standard_normal((count, self.means.shape[1]))
        spread = np.einsum("nij,nj->ni", self.factors[component], noise)
        middle = self.weights @ self.means
        return middle + STRETCH * (self.means[component] + spread - middle)


def choose_mixture(posteriors: Posteriors, rng: np.random.Generator) -> tuple[int, str]:
    """Return the number of components and the type of covariance that suit held-out creatures.

    A component that sits on a single sprite gains no likelihood there.
    """
    kinds = np.unique(posteriors.groups)
    if len(kinds) < 2:  # nobody to hold out
        return 1, "diag"
    chosen = rng.permutation(kinds)[: max(1, round(len(kinds) * GMM_HELD_OUT))]
    held_out = np.isin(posteriors.groups, chosen)
    z = posterior_draws(posteriors, ~held_out, rng)
    others = posterior_draws(posteriors, held_out, rng)
    scores = {
        (size, shape): fitted_mixture(z, size, shape).score(others)
        for size in GMM_SIZES
        for shape in GMM_TYPES
        if size == 1 or size <= (~held_out).sum() // 4
    }
    return max(scores, key=scores.get)


@dataclass
class Neighbours(Sampler):
    """Mixtures of two to four sprites: any one, and some of those near it.

    Weights are roughly equal. A mixture that lands next to a sprite is drawn again, because a
    decoder that memorises its sprites would draw a copy there.
    """

    title = "mixtures of two to four near sprites"
    mu: np.ndarray  # (N, d)
    near: np.ndarray  # (N, k), int: see `near_sprites`
    groups: np.ndarray  # (N,), int
    stretch: np.ndarray  # one number: see `STRETCH`

    @classmethod
    def fit(cls, posteriors, rng):
        """Find the neighbours of each sprite."""
        mu, _, groups, _ = thinned(posteriors, MOST)
        sampler = cls(mu, near_sprites(mu, groups), groups, np.array(1.0))
        if len(posteriors.pairs):  # mixtures that were taught keep their places
            return sampler
        if len(posteriors.mu) < MANY:
            return replace(sampler, stretch=np.array(STRETCH))
        # Mixtures are nearer to the mean than sprites are, and plainer; so bring them as far out.
        z = sampler.draw(rng, FITTED_DRAWS)
        lengths = (np.linalg.norm(part - mu.mean(0), axis=1).mean() for part in (mu, z))
        return replace(sampler, stretch=np.divide(*lengths))

    def draw(self, rng, count):
        """Draw mixtures until each is far enough from all sprites."""
        numbers, shares = list(PARENTS), list(PARENTS.values())
        middle = self.mu.mean(0)
        z = np.empty((count, self.mu.shape[1]))
        for row in z:
            for _ in range(TRIES):
                first = rng.integers(len(self.mu))
                others = min(rng.choice(numbers, p=shares) - 1, self.near.shape[1])
                chosen = rng.choice(self.near[first], others, replace=False)
                parents = self.mu[[first, *chosen]]
                weights = rng.dirichlet(np.full(len(parents), CONCENTRATION))
                row[:] = middle + self.stretch * (weights @ parents - middle)
                if ratio_of_distances(row, self.mu, self.groups) >= LEAST_RATIO:
                    break
        return z


@dataclass
class Taught(Sampler):
    """What is halfway between two sprites whose hybrids the decoder was taught."""

    title = "between two near sprites, where the decoder was taught hybrids, put together by code"
    mu: np.ndarray  # (N, d)
    pairs: np.ndarray  # (P, 2), int

    @classmethod
    def fit(cls, posteriors, rng):
        """Take the pairs that the run taught."""
        if not len(posteriors.pairs):
            raise InputError(
                "--sampler hybrids: the run was taught none, or of other sprites, or by another "
                "version of the code; train it again with --recipe create, or give --sampler prior"
            )
        return cls(posteriors.mu, posteriors.pairs)

    def draw(self, rng, count):
        """Draw pairs, none again before all were."""
        rounds = -(-count // len(self.pairs))
        order = [rng.permutation(len(self.pairs)) for _ in range(rounds)]
        return self.mu[self.pairs[np.concatenate(order)[:count]]].mean(1)


SAMPLERS: dict[str, type[Sampler]] = {
    "prior": Prior,
    "gmm": Mixture,
    "neighbours": Neighbours,
    "hybrids": Taught,
}


def shown_samplers(run: TrainedRun, sprites: Sprites) -> tuple[str, ...]:
    """Return the samplers whose samples show a run best, the one that suits it first."""
    if len(taught_pairs(run, sprites)[0]):
        return "hybrids", "prior"
    if "pairs_sha256" in run.settings:
        why = "the run was taught hybrids of other sprites, or by another version of the code"
        print(f"No samples between taught pairs: {why}.", file=sys.stderr)
    return ("neighbours", "prior") if len(sprites.names) >= MANY else ("prior",)


def draw_latents(sampler: Sampler, count: int, seed: int) -> torch.Tensor:
    """Return the latents that a seed draws from a sampler, float32 (count, d)."""
    z = sampler.draw(np.random.default_rng((seed, *SAMPLER)), count)
    return torch.from_numpy(z.astype(np.float32))


# ---- what samplers are made of


def thinned(posteriors: Posteriors, most: int) -> Posteriors:
    """Return the posteriors of so many sprites at most, evenly taken, and no pairs."""
    step = -(-len(posteriors.mu) // most)
    return Posteriors(*(part[::step] for part in posteriors[:3]))


def posterior_draws(
    posteriors: Posteriors, chosen: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return `POSTERIOR_DRAWS` latents for each chosen sprite, (n, d); `chosen` is a mask (N,)."""
    mu, logvar = posteriors.mu[chosen], posteriors.logvar[chosen]
    eps = rng.standard_normal((POSTERIOR_DRAWS, *mu.shape))
    return (mu + np.exp(0.5 * logvar) * eps).reshape(-1, mu.shape[1])


def fitted_mixture(z: np.ndarray, size: int, shape: str):
    """Return scikit-learn's mixture of Gaussians, fitted to latents."""
    from sklearn.mixture import GaussianMixture  # imported here because it takes a second

    mixture = GaussianMixture(
        size, covariance_type=shape, reg_covar=GMM_FLOOR, random_state=0, max_iter=200
    )
    return mixture.fit(z)


def near_sprites(mu: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Return the indices of the `NUM_NEAR` nearest latents of other creatures, (N, k), int.

    If there are fewer, a latent's own index fills up its row.
    """
    found = np.empty((len(mu), min(NUM_NEAR, len(mu))), int)
    for start in range(0, len(mu), BLOCK):
        own = np.arange(start, min(start + BLOCK, len(mu)))[:, None]
        squared = cdist(mu[own[:, 0]], mu, "sqeuclidean")
        squared[groups[own] == groups] = np.inf
        near = squared.argpartition(found.shape[1] - 1, axis=1)[:, : found.shape[1]]
        order = np.take_along_axis(squared, near, 1).argsort(1, kind="stable")
        near = np.take_along_axis(near, order, 1)
        found[own[:, 0]] = np.where(np.isinf(np.take_along_axis(squared, near, 1)), own, near)
    return found


def ratio_of_distances(z: np.ndarray, mu: np.ndarray, groups: np.ndarray) -> float:
    """Return the squared distance to the nearest latent over that to one of another group."""
    squared = np.square(mu - z).sum(1)
    first = squared.argmin()
    others = squared[groups != groups[first]]
    return float(squared[first] / max(others.min(), 1e-12)) if len(others) else 1.0
