import argparse

import pytest

import main
from utils.training.recipes import RECIPES


def parse(*arguments):
    return main.get_args_parser().parse_args([str(argument) for argument in arguments])


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_sets_arguments_that_there_are(name):
    args = vars(parse("--recipe", name))
    assert RECIPES[name].items() <= args.items()
    main.check_args(argparse.Namespace(**args))
    rest = args.keys() - RECIPES[name].keys() - {"recipe", "typed"}
    default = vars(parse())
    assert all(args[key] == default[key] for key in rest)


def test_no_recipe_is_the_default_one():
    plain, named = vars(parse()), vars(parse("--recipe", "default"))
    assert plain.pop("typed") == set() and named.pop("typed") == {"recipe"}
    assert plain == named
    assert not parse().augment and parse().split_by == "file"


def test_what_is_typed_comes_first():
    recipe = RECIPES["generalize"]
    for order in (("--recipe", "generalize", "--epoch", 3), ("--epoch", 3, "--recipe=generalize")):
        args = parse(*order, "--no-augment")
        assert args.epoch == 3 and not args.augment
        assert args.lr == recipe["lr"] and args.recipe == "generalize"


def test_recipes_of_two_parsers_do_not_mix():
    parser = main.get_args_parser()
    assert parser.parse_args(["--recipe", "generalize"]).epoch == 1200
    for again in (parser, main.get_args_parser()):
        args = again.parse_args([])
        assert args.epoch == 10_000 and not args.augment


def test_fast_starts_solved_and_ends_soon():
    args = parse("--recipe", "fast")
    assert args.init == "solve" and args.epoch <= 20
    assert args.lr <= 1e-5  # a higher rate undoes what was solved
