"""``python main.py`` as a user runs it, on a small model."""

import csv
import json
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import main
import vis2
from utils.pictures.plot import MARGIN
from utils.run import snapshots
from utils.run.checkpoint import load_model
from utils.run.writer import Writer

FOLDER = "output_dir_lr0.0005_epoch{}_latent16_hidden32"


def states(folder):
    return {
        path.name: load_model(path).state_dict() for path in Path(folder).glob("checkpoint_*.pt")
    }


def test_the_defaults_are_the_documented_ones():
    args = vars(main.get_args_parser().parse_args([]))
    documented = {
        "image_size": 40,
        "hidden_size": 1024,
        "latent_size": 16,
        "batch_size": 256,
        "epoch": 10000,
        "lr": 5e-4,
        "min_lr": 1e-7,
        "warmup_epochs": None,
        "save_period": 200,
        "seed": 41,
        "output_dir": "output_dir",
        "data_path": "figure",
        "recon_weight": 10.0,
        "kl_weight": 1.0,
        "init": "data",
        "val_ratio": 0.01,
        "split_by": "file",
        "augment": False,
        "mirror": False,
        "fix_encoder": False,
        "encoder_lr": None,
        "huber": 1.0,
        "weight_decay": 0.0,
        "precision": "auto",
    }
    assert documented.items() <= args.items()
    from utils.run.folder import folder_name

    name = folder_name(main.get_args_parser().parse_args([]))
    assert str(name) == "output_dir_lr0.0005_epoch10000_latent16_hidden1024"


def test_two_epochs_leave_everything_where_it_belongs(train):
    code, out, err = train("--epoch", 2)
    assert code == 0, err
    folder = Path(FOLDER.format(2))
    files = {path.name.split(".out.")[0] for path in folder.iterdir()}
    assert files == {
        ".lock",
        "args.json",
        "sprites.json",
        "checkpoint_0.pt",
        "checkpoint_0.pt.sha256",
        "checkpoint_1.pt",
        "checkpoint_1.pt.sha256",
        "history.csv",
        "projector_config.pbtxt",
        "projector_means.tsv",
        "projector_names.tsv",
        "projector_sprites.png",
        "state_1_0.pt",
        "state_1_0.pt.sha256",
        "state_2_0.pt",
        "state_2_0.pt.sha256",
        "reconstructions.png",
        "samples.png",
        "events",
    }
    args = json.loads((folder / "args.json").read_text())
    assert args["hidden_size"] == 32 and args["warmup_epochs"] == 0
    rows = list(csv.DictReader((folder / "history.csv").open()))
    assert [row["epoch"] for row in rows] == ["0", "1"]
    for row in rows:
        recon, kl = float(row["recon"]), float(row["kl"])
        assert float(row["loss"]) == pytest.approx(10 * recon + kl, rel=1e-5)
    # 10 x 10 samples of 40 pixels with gaps of 2, enlarged three times.
    assert Image.open(folder / "samples.png").size == (3 * (10 * 42 - 2) + 2 * MARGIN,) * 2
    assert "held out" in out and "training" in out and "tensorboard --logdir" in out
    assert "Warm-up: 0 of 20 epochs" in out


def test_many_sprites_show_what_lies_between_near_ones(train, monkeypatch):
    monkeypatch.setattr(snapshots, "MANY", 10)
    monkeypatch.setattr(snapshots, "PAIRED", 8)
    assert train("--epoch", 1)[0] == 0
    width, height = Image.open(Path(FOLDER.format(1), "samples.png")).size
    assert width > 1.5 * height  # two sheets, side by side
    events = EventAccumulator(FOLDER.format(1), {"images": 0}).Reload()
    assert "train/between_sprites" in events.Tags()["images"]


def test_tensorboard_has_the_names_that_dashboards_know(train):
    train("--epoch", 52)
    events = EventAccumulator(FOLDER.format(52), size_guidance={"scalars": 0, "images": 0}).Reload()
    rows = list(csv.DictReader(open(f"{FOLDER.format(52)}/history.csv")))
    curves = {
        "train/lr": "lr",
        "train/epoch_loss": "loss",
        "train/epoch_reconstruct_loss": "recon",
        "train/epoch_kl_divergence": "kl",
        "val/epoch_loss": "val_loss",
        "val/epoch_reconstruct_loss": "val_recon",
        "val/epoch_kl_divergence": "val_kl",
    }
    for name, column in curves.items():
        points = events.Scalars(name)
        assert [point.step for point in points] == list(range(52))
        expected = [float(row[column]) for row in rows]
        assert [point.value for point in points] == pytest.approx(expected, rel=1e-5)
    assert "train/sprites_per_second" in events.Tags()["scalars"]
    kl = sum(events.Scalars(f"z_kl/{i:02d}")[1].value for i in range(16))
    assert kl == pytest.approx(float(rows[50]["kl"]), rel=1e-4)
    for name in ("train/x", "train/reconstruct_img", "train/prior_samples"):
        assert [picture.step for picture in events.Images(name)] == [0, 50, 51]


def test_same_seed_same_weights_bit_for_bit(train):
    for output, seed in (("a", 41), ("b", 41), ("c", 42)):
        assert train("--epoch", 3, "--output_dir", output, "--seed", seed)[0] == 0
    name = FOLDER.format(3).removeprefix("output_dir")
    a, b, c = (states(letter + name)["checkpoint_2.pt"] for letter in "abc")
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not any(torch.equal(a[key], c[key]) for key in a)
    read = [Path(letter + name, "history.csv").read_bytes() for letter in "ab"]
    assert read[0] == read[1]


def test_which_epochs_are_saved(train):
    train("--epoch", 8, "--save_period", 3, "--save_epochs", 1, 2)
    saved = {f"checkpoint_{epoch}.pt" for epoch in (0, 1, 2, 3, 6, 7)}
    assert set(states(FOLDER.format(8))) == saved


def test_weights_of_an_earlier_run_are_a_start(train):
    train("--epoch", 2)
    weights = f"{FOLDER.format(2)}/checkpoint_1.pt"
    # A rate next to nothing: the run ends where it began.
    tiny = ("--lr", 1e-30, "--min_lr", 0, "--output_dir", "more")
    assert train("--epoch", 1, "--weights", weights, *tiny)[0] == 0
    start = states(FOLDER.format(2))["checkpoint_1.pt"]
    end = states(FOLDER.format(1).replace("output_dir_lr0.0005", "more_lr1e-30"))["checkpoint_0.pt"]
    assert all(torch.allclose(start[key], end[key]) for key in start)
    code, _, err = train("--epoch", 1, "--weights", weights, "--latent_size", 8)
    assert code == 2 and "--latent_size 16" in err


def test_a_run_starts_as_init_says(train):
    train("--epoch", 1, "--output_dir", "data")
    train("--epoch", 1, "--output_dir", "torch", "--init", "torch")
    name = FOLDER.format(1).removeprefix("output_dir")
    data, plain = (states(start + name)["checkpoint_0.pt"] for start in ("data", "torch"))
    # PyTorch's own weights of decoder.0 stay within 1 / sqrt(16) = 0.25, He's have sigma 0.35.
    assert data["decoder.0.weight"].std() > 0.25 > plain["decoder.0.weight"].std()


def test_augmentation_changes_the_weights(train):
    arguments = {"plain": (), "augment": ("--augment",), "mirror": ("--mirror",)}
    ends = {}
    for output, typed in arguments.items():
        code, _, err = train("--epoch", 3, "--output_dir", output, *typed)
        assert code == 0, err
        folder = FOLDER.format(3).replace("output_dir", output)
        ends[output] = states(folder)["checkpoint_2.pt"]
    assert len({tuple(end) for end in ends.values()}) == 1
    for one, other in combinations(ends.values(), 2):
        assert not torch.equal(one["decoder.0.weight"], other["decoder.0.weight"])


def test_a_fixed_encoder_stays_what_it_was(train):
    train("--epoch", 3, "--save_period", 1, "--init", "pca", "--fix_encoder")
    kept = states(FOLDER.format(3))
    for name, weights in kept["checkpoint_0.pt"].items():
        same = torch.equal(weights, kept["checkpoint_2.pt"][name])
        assert same == name.startswith("encoder"), name


def test_a_recipe_and_a_split_by_number(train, sprite_folder):
    for index in range(6):  # two sprites of each number from 0 to 5
        (sprite_folder / f"{index + 6:03d}.png").rename(sprite_folder / f"{index:03d}B.png")
    typed = ("--recipe", "generalize", "--epoch", 2, "--val_ratio", 0.3, "--split_by", "number")
    code, out, err = train(*typed, "--output_dir", "recipe")
    assert code == 0, err
    assert "Split: 8 to train on, 4 held out." in out
    (folder,) = Path().glob("recipe_*")
    args = json.loads((folder / "args.json").read_text())
    assert args["recipe"] == "generalize" and args["augment"] and args["lr"] == 2e-4
    assert args["epoch"] == 2 and args["batch_size"] == 4 and args["split_by"] == "number"
    # Whoever looks at the run finds the same split.
    from utils.latents.runs import known_split, open_run, run_sprites

    run = open_run(str(folder), None)
    parts = known_split(run, run_sprites(run))
    assert {part: len(pixels) for part, pixels in parts.items()} == {"training": 8, "held out": 4}


# ---- a process of its own


def script(*arguments, cwd):
    command = [sys.executable, Path(main.__file__).resolve(), *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


def test_an_empty_figure_trains_on_the_monsters(tmp_path):
    (tmp_path / "figure").mkdir()
    done = script("--epoch", 1, "--hidden_size", 16, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "792 built-in monsters" in done.stdout
    assert "put PNGs into figure/" in done.stdout
    assert "epoch 0: loss" in done.stdout  # a line instead of a bar, for this is a pipe
    folder = tmp_path / "output_dir_lr0.0005_epoch1_latent16_hidden16"
    assert json.loads((folder / "args.json").read_text())["data_path"] == "built-in:monsters"


def test_a_number_of_monsters_is_found_again(run_script):
    arguments = ("--epoch", 1, "--hidden_size", 8, "--device", "cpu", "--data_path")
    code, out, _ = run_script(main, *arguments, "monsters:30")
    assert code == 0 and "30 built-in monsters" in out and "put PNGs" not in out
    (file,) = Path().glob("output_dir*/args.json")
    assert json.loads(file.read_text())["data_path"] == "built-in:monsters:30"
    code, out, err = run_script(main, "--resume", file.parent)
    assert code == 0 and "is finished" in out and err == ""
    code, _, err = run_script(vis2, "--near", 29)
    assert (code, err) == (0, "")  # not a word about other sprites
    code, _, err = run_script(main, *arguments, "monsters:0")
    assert code == 2 and "from 1 to 999999" in err and err.count("\n") == 1


def test_help_and_errors_of_the_parser_do_not_import_torch(tmp_path):
    code = (
        "import sys, main\n"
        "try: main.get_args_parser().parse_args(sys.argv[1:])\n"
        "except SystemExit as stop: print(stop.code, 'torch' in sys.modules)\n"
    )
    for arguments, expected in ((["--help"], "0 False"), (["--epoch", "x"], "2 False")):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            cwd=Path(main.__file__).parent,
            capture_output=True,
            text=True,
        )
        assert done.stdout.endswith(f"{expected}\n")


def test_latent_dimensions_that_carry_nothing_are_told_of_once(train):
    _, out, _ = train("--epoch", 101, "--kl_weight", 1000)
    assert out.count("Warning: in epoch 50 16 of 16 latent dimensions carry less than") == 1
    assert out.count("Warning") == 1
    _, out, _ = train("--epoch", 51, "--kl_weight", 0.01)
    assert "Warning" not in out
    fixed = ("--fix_encoder", "--init", "pca", "--kl_weight", 1000)
    _, out, _ = train("--epoch", 52, *fixed)  # it started so, and says nothing of training
    assert "Warning" not in out


def test_checkpoints_are_of_their_epoch_however_late_they_are_written(train, monkeypatch):
    arguments = ("--epoch", 6, "--save_period", 1, "--state_period", 2)
    real = Writer.put
    for output, put in (
        ("late", lambda self, job, *a: real(self, lambda: (time.sleep(0.03), job(*a)))),
        ("atonce", lambda self, job, *a: job(*a)),
    ):
        monkeypatch.setattr(Writer, "put", put)
        assert train(*arguments, "--output_dir", output)[0] == 0
    folders = [Path(FOLDER.format(6).replace("output_dir", name)) for name in ("late", "atonce")]
    for name in (*(f"checkpoint_{epoch}.pt" for epoch in range(6)), "state_4_0.pt", "history.csv"):
        late, at_once = (folder / name for folder in folders)
        if name.startswith("state"):
            late, at_once = (torch.load(path)["trained"] for path in (late, at_once))
            assert repr(late) == repr(at_once)
        else:
            assert late.read_bytes() == at_once.read_bytes()
