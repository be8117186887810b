"""vis1.py, vis2.py, vis3.py and test_vae.py as a user runs them, on a small trained run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import test_vae
import vis1
import vis2
import vis3
from model import VAE
from utils.data_utils import load_sprites
from utils.latents.runs import encode, open_run, trained_on
from utils.pictures.plot import MARGIN, grid
from utils.run.checkpoint import load_model
from utils.training.engine import decode

RUN = "output_dir_lr0.0005_epoch9_latent3_hidden16"


def drawn(path):
    return np.asarray(Image.open(path))


def holds(picture, part):
    """Return whether a picture holds another one somewhere, to the pixel."""
    height, width = part.shape[:2]
    rows, columns = np.nonzero((picture == part[0, 0]).all(2))
    fits = (rows <= len(picture) - height) & (columns <= picture.shape[1] - width)
    return any(
        np.array_equal(picture[y : y + height, x : x + width], part)
        for y, x in zip(rows[fits], columns[fits], strict=True)
    )


def sprite_pixels(image, scale):
    return grid(image[None], 1, scale).pixels


# ---- each with no argument at all


@pytest.mark.parametrize(
    ("module", "files"),
    [
        (vis1, ["exp1-TimeInterpolation/progression.png", "exp1-TimeInterpolation/error.png"]),
        (vis2, ["exp2-PrarmsInterpolation/bilinear.png"]),
        (
            vis3,
            [
                "exp3-SlerpInterpolation/slerp_against_lerp.png",
                "exp3-SlerpInterpolation/norms.png",
                "exp3-SlerpInterpolation/slerp_against_lerp.json",
            ],
        ),
        (
            test_vae,
            [
                f"test/{name}.png"
                for name in (
                    "samples",
                    "reconstructions",
                    "traversal",
                    "interpolation",
                    "plane",
                    "overview",
                )
            ]
            + ["test/metrics.json"],
        ),
    ],
)
def test_without_arguments_the_same_files_byte_for_byte(script, module, files):
    code, out, err = script(module)
    assert code == 0, err
    paths = [Path("vis") / file for file in files]
    assert [Path(line) for line in out.split("\n") if line] == paths
    found = {path for path in Path("vis").rglob("*") if path.is_file()}
    assert found == set(paths)
    before = [path.read_bytes() for path in paths]
    script(module)
    assert before == [path.read_bytes() for path in paths]


@pytest.mark.parametrize("module", [vis1, vis2, vis3, test_vae])
@pytest.mark.parametrize("form", ["pdf", "svg"])
def test_vector_formats_are_the_same_byte_for_byte(script, module, form):
    files = []
    for _ in range(2):
        code, _, err = script(module, "--format", form, "--scale", 1)
        assert code == 0, err
        files.append({path: path.read_bytes() for path in Path("vis").rglob(f"*.{form}")})
    assert files[0] and files[0] == files[1]
    assert not any(b"CreationDate" in data or b"<dc:date>" in data for data in files[0].values())


@pytest.mark.parametrize("module", [vis1, vis2, test_vae])
def test_moving_pictures(script, module):
    script(module, "--gif")
    (path,) = Path("vis").rglob("*.gif")
    frames = Image.open(path)
    expected = {vis1: 7, vis2: 37, test_vae: 20}
    assert frames.n_frames == expected[module] and frames.info["loop"] == 0


@pytest.mark.parametrize("module", [vis1, vis2, vis3, test_vae])
def test_weights_of_other_code_are_enough(script, module, tmp_path):
    torch.save(VAE(24, 16, 2).double().state_dict(), tmp_path / "other.pth")
    shutil.rmtree(RUN)
    arguments = ("--checkpoint", tmp_path / "other.pth", "--data_path", "figure")
    code, _, err = script(module, *arguments)
    assert code == 0, err


@pytest.mark.parametrize("module", [vis1, vis2, vis3, test_vae])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--run", "nowhere"), "there is no run nowhere"),
        (("--checkpoint", "100"), "has those of epochs 0, 1, 2, 3, 4, 6, 8"),
        (("--data_path", "nowhere"), "there is no folder or zip nowhere"),
        (("--scale", "0"), "--scale: 0 is not a whole number from 1 to 32"),
        (("--format", "bmp"), "--format: invalid choice"),
    ],
)
def test_bad_input(script, module, arguments, words):
    code, _, err = script(module, *arguments)
    assert code == 2 and words in err and err.count("\n") == 1
    assert not Path("vis").exists()


@pytest.mark.parametrize("module", [vis1, vis2, vis3, test_vae])
def test_without_a_run_main_comes_first(run_script, module):
    code, _, err = run_script(module)
    assert code == 2 and "run python main.py first" in err and err.count("\n") == 1


# ---- vis1


def test_progression_shows_each_checkpoints_own_reconstruction(script):
    script(vis1, "--sprites", "002.png", "--scale", 2)
    picture = drawn("vis/exp1-TimeInterpolation/progression.png")
    x = load_sprites("figure").pixels[2, None]
    assert holds(picture, sprite_pixels(x[0], 2))
    for epoch in (0, 1, 2, 3, 4, 6, 8):
        model = load_model(f"{RUN}/checkpoint_{epoch}.pt")
        assert holds(picture, sprite_pixels(decode(model, encode(model, x))[0], 2)), epoch


def test_chosen_epochs_are_shown_alone_and_missing_ones_named(script):
    assert script(vis1, "--epochs", "0", "4:9:2")[0] == 0
    code, _, err = script(vis1, "--epochs", "0:9:1")
    assert code == 2 and "no checkpoint of 5, 7; it has those of 0, 1, 2" in err


@pytest.mark.parametrize("text", ["x", "1:2:3:4", "5:5", "0:9:0", "-3", "1:", ""])
def test_epochs_that_are_none(script, text):
    code, _, err = script(vis1, f"--epochs={text}")
    assert code == 2 and f"--epochs {text}:" in err and err.count("\n") == 1


def test_lists_of_epochs():
    assert vis1.parse_epochs(["0", "200", "1000"]) == [0, 200, 1000]
    assert vis1.parse_epochs(["0:7801:200"]) == list(range(0, 7801, 200))
    assert vis1.parse_epochs(["6:8", "7", "3"]) == [3, 6, 7]


def test_default_epochs_are_at_most_forty_with_first_and_last():
    full = [*range(0, 10000, 200), 9999]
    for epochs in (full, [1, 2, 5, *full], list(range(500)), [0], [0, 9999]):
        shown = vis1.default_epochs(sorted(epochs))
        assert len(shown) <= 40 and shown == sorted(set(shown))
        assert shown[0] == min(epochs) and shown[-1] == max(epochs)
        assert all(epoch <= 7800 for epoch in shown[:-1])
    assert vis1.default_epochs([0, 1, 5, 200, 499]) == [0, 1, 5, 200, 499]


# ---- vis2 and vis3


def test_corners_of_the_grid_are_the_decoded_corners(script):
    script(vis2, "--sprites", 1, 2, 3, 4, "--steps", 4, "--scale", 1)
    picture = drawn("vis/exp2-PrarmsInterpolation/bilinear.png")
    x = load_sprites("figure").pixels[1:5]
    model = load_model(f"{RUN}/checkpoint_8.pt")
    for original, recon in zip(x, decode(model, encode(model, x)), strict=True):
        assert holds(picture, sprite_pixels(original, 1))
        assert holds(picture, sprite_pixels(recon, 1))
    left = np.nonzero((picture[MARGIN : MARGIN + 40] != 255).any((0, 2)))[0]
    assert left[0] < 80  # the original stands at the left, outside the grid


@pytest.mark.parametrize("module", [vis2, vis3])
def test_corners_near_a_sprite(script, module):
    arguments = ("--steps", 3, "--scale", 1)
    assert script(module, "--near", "004.png", *arguments)[0] == 0
    files = [path for path in Path("vis").rglob("*") if path.is_file()]
    near = [path.read_bytes() for path in files]
    sprites = load_sprites("figure")
    x = sprites.pixels.float()
    order = (x - x[4]).square().sum((1, 2, 3)).argsort().tolist()
    known = trained_on(open_run(None, None), sprites).tolist()
    corners = [4, *(index for index in order[1:] if index in known)][:4]
    assert corners != order[:4]  # a sprite nearer than these was held out
    script(module, "--sprites", *corners, *arguments)
    assert near == [path.read_bytes() for path in files]
    code, _, err = script(module, "--near", 40)
    assert code == 2 and "--near 40: there are 12 sprites" in err
    code, _, err = script(module, "--near", 4, "--sprites", 1, 2, 3, 4)
    assert code == 2 and "not allowed with" in err


def test_a_walk_around_the_edge():
    assert vis2.edge_walk(3) == [0, 1, 2, 5, 8, 7, 6, 3, 0]
    assert vis2.edge_walk(2) == [0, 1, 3, 2, 0]


def test_numbers_of_slerp_against_lerp(script):
    script(vis3, "--sprites", 1, 2, 3, 3)
    numbers = json.loads(Path("vis/exp3-SlerpInterpolation/slerp_against_lerp.json").read_text())
    x = load_sprites("figure").pixels[[1, 2]]
    a, b = encode(load_model(f"{RUN}/checkpoint_8.pt"), x)
    cosine = torch.cosine_similarity(a, b, dim=0)
    top = numbers["edges"]["top"]
    assert top["angle"] == pytest.approx(torch.rad2deg(cosine.acos()).item(), rel=1e-3)
    assert top["lerp_min_norm"] <= top["slerp_min_norm"] + 1e-6
    assert numbers["shell"] == pytest.approx(3**0.5)
    same = numbers["edges"]["bottom"]  # the same sprite at both ends
    assert same["angle"] < 0.1
    assert [same["lerp_length"], same["mean_difference"]] == pytest.approx([0, 0], abs=1e-3)
