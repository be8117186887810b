"""Bad input to ``python main.py``: one line on stderr, exit code 2, nothing written."""

import json
import os
from pathlib import Path

import pytest

from model import MODELS, VAE
from utils.run.checkpoint import load_model

from .test_main import FOLDER, states


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--data_path", "nowhere"), "there is no folder or zip nowhere"),
        (("--epoch", 0), "--epoch: 0 is not a whole number from 1"),
        (("--hidden_size", -3), "--hidden_size: -3 is not"),
        (("--latent_size", "x"), "--latent_size: x is not a whole number"),
        (("--image_size", 0), "--image_size: 0"),
        (("--batch_size", 1.5), "--batch_size: 1.5"),
        (("--lr", 0), "--lr: 0 is not a number above 0"),
        (("--lr", "nan"), "--lr: nan"),
        (("--kl_weight", "inf"), "--kl_weight: inf"),
        (("--huber", 0), "--huber: 0 is not a number above 0 and at most 1"),
        (("--val_ratio", 1), "--val_ratio: 1 is not a number from 0 to 0.99"),
        (("--seed", -1), "--seed: -1"),
        (("--min_lr", 1), "--min_lr 1.0 must not be above --lr 0.0005"),
        (("--epoch", 5, "--warmup_epochs", 5), "--warmup_epochs 5 must be below --epoch 5"),
        (("--epoch", 5, "--save_epochs", 2, 5), "--save_epochs 5: the last epoch is 4"),
        (("--hybrids", 2, "--init", "pca", "--mirror"), "--hybrids and --mirror: hybrids are"),
        (
            ("--fix_encoder",),
            "--init data starts the encoder at random, and it is kept so by --fix_encoder; give "
            "--init pca, --init solve or --weights, or --no-fix_encoder",
        ),
        (("--hybrids", 2), "kept so by --hybrids; give --init pca, --init solve or --weights"),
        (
            ("--hybrids", 2, "--recipe", "prior", "--no-mirror", "--init", "data"),
            "kept so by --fix_encoder (of --recipe prior) and --hybrids; give --init pca, --init "
            "solve or --weights, or --no-fix_encoder and --hybrids 0",
        ),
        (("--encoder_lr", 0), "--encoder_lr: 0 is not a number above 0"),
        (
            ("--recipe", "prior", "--encoder_lr", 1e-4),
            "--encoder_lr: the encoder is kept as it starts by --fix_encoder (of --recipe prior); "
            "drop --encoder_lr, or give --no-fix_encoder and a lower --lr",
        ),
        (
            ("--recipe", "create", "--no-fix_encoder"),
            "--no-fix_encoder: the encoder is kept as it starts by --hybrids (of --recipe create); "
            "drop --no-fix_encoder, or give --hybrids 0 and a lower --lr",
        ),
        (
            ("--recipe", "create", "--hybrids", 8, "--no-fix_encoder"),
            "starts by --hybrids; drop --no-fix_encoder, or give --hybrids 0\n",
        ),
        (("--device", "toaster"), "--device toaster"),
        (("--weights", "none.pt"), "there is no file none.pt"),
        (("--epochs", 3), "unrecognized arguments: --epochs"),
        (("--recipe", "cake"), "--recipe: invalid choice"),
        (("--split_by", "colour"), "--split_by: invalid choice"),
        (("--model", "cake"), "--model cake: it is one of mlp"),
        (("--init", "zero"), "--init: invalid choice"),
    ],
)
def test_bad_arguments(train, arguments, words):
    code, _, err = train(*arguments)
    assert code == 2
    assert words in err and err.count("\n") == 1
    assert os.listdir() == []


def test_broken_sprites_are_named(train, sprite_folder):
    for name in ("000.png", "005.png"):
        (sprite_folder / name).write_bytes(b"broken")
    code, _, err = train("--epoch", 1)
    assert code == 2 and err.count("\n") == 1
    assert "000.png" in err and "005.png" in err
    assert os.listdir() == []


def test_a_folder_that_cannot_be_written(train):
    Path("file").write_text("in the way")
    code, _, err = train("--epoch", 1, "--output_dir", "file/run")
    assert code == 2 and "cannot write to the output folder" in err and err.count("\n") == 1
    assert os.listdir() == ["file"]


def test_two_runs_do_not_mix(train):
    train("--epoch", 2, "--save_epochs", 0)
    folder = Path(FOLDER.format(2))
    for name in ("notes.txt", "checkpoint_mine.pt"):
        (folder / name).write_text("mine")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    code, _, err = train("--epoch", 2)
    assert code == 2 and "--overwrite" in err
    assert before == {path.name: path.read_bytes() for path in folder.iterdir()}

    code, _, _ = train("--epoch", 2, "--overwrite", "--seed", 42)
    assert code == 0
    for name in ("notes.txt", "checkpoint_mine.pt"):
        assert (folder / name).read_text() == "mine"
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert len(after) == len(before)  # one events file, not two
    assert after["checkpoint_1.pt"] != before["checkpoint_1.pt"]


def test_a_loss_that_is_not_finite_ends_the_run_before_it_is_saved(train):
    code, _, err = train("--epoch", 20, "--lr", 1e30, "--warmup_epochs", 0, "--save_period", 1)
    assert code == 1 and "the loss of epoch" in err and "--lr" in err
    (folder,) = Path().glob("output_dir_*")
    saved = states(folder)  # load_model refuses weights that are not finite
    assert len(saved) < 20


def test_another_architecture_is_a_class_and_a_row(train, monkeypatch):
    class Shallow(VAE):
        """A VAE that `initialize_from_data` and the like know nothing of."""

    monkeypatch.setitem(MODELS, "shallow", Shallow)
    code, _, err = train("--epoch", 1, "--model", "shallow")
    assert code == 2 and "give --init torch" in err and err.count("\n") == 1
    assert train("--epoch", 1, "--model", "shallow", "--init", "torch")[0] == 0
    (folder,) = Path().glob("output_dir_*")
    settings = json.loads((folder / "args.json").read_text())
    assert type(load_model(folder / "checkpoint_0.pt", settings)) is Shallow


def test_a_rate_below_the_default_of_its_end_is_constant(train):
    assert train("--epoch", 2, "--lr", 1e-9)[0] == 0
    (folder,) = Path().glob("output_dir_*")
    assert json.loads((folder / "args.json").read_text())["min_lr"] == 1e-9
