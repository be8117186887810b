"""Recipes: arguments of main.py that go well together, by name.

    python main.py --recipe generalize

A recipe sets defaults; typed arguments override it, but some do not go with it (`check_encoder`).
Figures are in benchmarks/quality.md, those of speed in benchmarks/README.md.
"""

import argparse
from copy import deepcopy

from utils.cli import InputError, Parser

RECIPES = {
    # The documented defaults: memorises most of its training sprites.
    "default": {},
    # Sprites between sprites: the decoder is taught hybrids of near ones, made by code. The encoder
    # is a PCA with little noise (kl_weight), and stays one; the rate is what a decoder alone takes.
    # With many latents it can tell which sprites a mixture is of. A batch is 16 sprites and 31
    # hybrids beside each: there are more than can be shown. Where the decoder is unsure, a squared
    # error asks for a cross-fade, and --huber for less of one.
    "create": {
        "hybrids": 31,
        "latent_size": 512,
        "init": "pca",
        "kl_weight": 0.01,
        "huber": 0.2,
        "batch_size": 16,
        "lr": 6e-3,
        "epoch": 600,
    },
    # New monsters: of a set too large to memorise, so that what lies between them is one as well.
    # Many latents and little KL, because there is much to tell apart. The encoder stays a PCA: a
    # decoder alone takes seven times the rate, and two thirds of the time for a step.
    "prior": {
        "data_path": "monsters:100000",
        "mirror": True,
        "latent_size": 256,
        "kl_weight": 0.1,
        "init": "pca",
        "fix_encoder": True,
        "lr": 3e-3,
        "epoch": 50,
    },
    # Sharp reconstructions at once: the start has 43 dB, and a higher rate would spoil it.
    "fast": {"init": "solve", "batch_size": 64, "lr": 5e-6, "epoch": 10},
    # Reconstructs sprites that it has not seen.
    "generalize": {
        "augment": True,
        "init": "pca",
        "batch_size": 64,
        "lr": 2e-4,
        "min_lr": 0.0,
        "weight_decay": 1.0,
        "epoch": 1200,
    },
}


class RecipeParser(Parser):
    """A Parser in which --recipe sets the defaults of the other arguments."""

    def parse_args(self, args=None, namespace=None):
        """Read the recipe alone, and then everything with a fresh parser that has its defaults.

        The names of the arguments that were typed, default or not, are kept as `typed`.
        """
        only_recipe = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
        only_recipe.add_argument("--recipe", nargs="?")
        recipe = only_recipe.parse_known_args(args)[0].recipe
        fresh = deepcopy(self)
        fresh.set_defaults(**RECIPES.get(recipe, {}))  # an unknown one is refused below
        parsed = super(RecipeParser, fresh).parse_args(args, namespace)
        untouched = object()
        filled = argparse.Namespace(**dict.fromkeys(vars(parsed), untouched))
        super(RecipeParser, fresh).parse_args(args, filled)
        parsed.typed = {name for name, value in vars(filled).items() if value is not untouched}
        return parsed


def check_encoder(args: argparse.Namespace) -> None:
    """Raise ValueError if the encoder is kept as it starts, and is random or asked to be trained.

    An option that the recipe set is said to be the recipe's.
    """
    turned_off = {"fix_encoder": "--no-fix_encoder", "hybrids": "--hybrids 0"}
    on = [name for name in turned_off if getattr(args, name)]
    if not on:
        return
    of_recipe = [name for name in on if RECIPES[args.recipe].get(name) and name not in args.typed]
    keeping = " and ".join(
        f"--{name} (of --recipe {args.recipe})" if name in of_recipe else f"--{name}" for name in on
    )
    # The rate of a recipe for the decoder alone spoils an encoder.
    mend = " and ".join([turned_off[name] for name in on] + bool(of_recipe) * ["a lower --lr"])
    if not args.weights and args.init not in ("pca", "solve"):
        raise InputError(
            f"--init {args.init} starts the encoder at random, and it is kept so by {keeping}; "
            f"give --init pca, --init solve or --weights, or {mend}"
        )
    is_freed = "fix_encoder" in args.typed and not args.fix_encoder
    wish = "--no-fix_encoder" if is_freed else "--encoder_lr" if args.encoder_lr else None
    if wish:
        raise InputError(
            f"{wish}: the encoder is kept as it starts by {keeping}; drop {wish}, or give {mend}"
        )
