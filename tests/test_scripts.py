"""vis1.py, vis2.py, vis3.py and test_vae.py as a user runs them, on a small trained run."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import main
import test_vae
import vis1
import vis2
import vis3
from model import VAE
from utils.data_utils import load_sprites
from utils.latents.runs import encode
from utils.pictures.plot import MARGIN, grid
from utils.run.checkpoint import load_model, save_weights
from utils.sprites.hybrid import hybrid
from utils.training.engine import decode

from .conftest import write_sprites

RUN = "output_dir_lr0.0005_epoch9_latent3_hidden16"


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with sprites in figure/ and a run that was trained on them."""
    folder = tmp_path_factory.mktemp("trained")
    write_sprites(folder / "figure")
    arguments = (
        "--epoch 9 --save_period 2 --save_epochs 1 3 --hidden_size 16 --latent_size 3 --device cpu"
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main.main(main.get_args_parser().parse_args(arguments.split()))
    return folder


@pytest.fixture
def script(run_script, trained):
    """The function (module, *arguments) -> (exit code, stdout, stderr), in a copy of `trained`."""
    shutil.copytree(trained, ".", dirs_exist_ok=True)
    return run_script


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
    x = load_sprites("figure").pixels
    squared = (x.float() - x[4].float()).square().sum((1, 2, 3))
    script(module, "--sprites", *squared.argsort()[:4].tolist(), *arguments)
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


# ---- test_vae


def test_metrics_and_pictures_of_the_test(script):
    code, _, err = script(test_vae, "--num_samples", 7, "--arithmetic", 0, 1, 2, "--plane", 2, 0)
    assert code == 0, err
    metrics = json.loads(Path("vis/test/metrics.json").read_text())
    assert metrics["sprites"] == {"training": 11, "held out": 1}
    assert metrics["kl"] == pytest.approx(sum(metrics["kl_of_dimension"]), rel=1e-5)
    assert set(metrics["reconstruction"]["held out"]) == {"sse", "mse", "psnr", "ssim"}
    assert Path("vis/test/arithmetic.png").exists()


def test_temperature_zero_draws_the_middle_of_the_prior(script):
    script(test_vae, "--temperature", 0, "--num_samples", 2, "--scale", 1)
    model = load_model(f"{RUN}/checkpoint_8.pt")
    middle = sprite_pixels(decode(model, torch.zeros(1, 3))[0], 1)
    assert holds(drawn("vis/test/samples.png"), middle)


def test_a_plane_beyond_the_latent_space(script):
    for plane in ((0, 3), (1, 1)):
        code, _, err = script(test_vae, "--plane", *plane)
        assert code == 2 and "two different latent dimensions, 0 to 2" in err


def test_two_latent_dimensions_have_a_manifold(script, tmp_path):
    save_weights(tmp_path / "two.pt", VAE(40, 16, 2))
    save_weights(tmp_path / "one.pt", VAE(40, 16, 1))
    data = ("--data_path", "monsters")
    assert script(test_vae, "--checkpoint", tmp_path / "two.pt", *data)[0] == 0
    assert Path("vis/test/manifold.png").exists()
    assert script(test_vae, "--checkpoint", tmp_path / "one.pt", *data)[0] == 0


def test_a_sheet_of_all_that_is_shown(script):
    Path("two.hex").write_text("000000\nffffff\n")
    arguments = ("--num_samples", 3, "--steps", 4, "--save_sheet", "--palette", "two.hex")
    code, out, err = script(test_vae, *arguments)
    assert code == 0, err
    assert "sheet.png" in out and "sheet.json" in out
    frames = json.loads(Path("vis/test/sheet.json").read_text())["frames"]
    assert len(frames) == 3 + 3 * 11 + 4
    assert drawn("vis/test/sheet.png").shape == (40 * (1 + 3 + 1), 40 * 11)
    code, _, err = script(test_vae, "--palette", "two.hex")
    assert code == 2 and "--save_sheet" in err


def test_hybrids_by_code_and_by_the_model(script):
    code, _, err = script(test_vae, "--hybrids", "002.png", 7, "--scale", 1)
    assert code == 0, err
    picture = drawn("vis/test/hybrids.png")
    a, b = load_sprites("figure").pixels[[2, 7]].permute(0, 2, 3, 1).numpy()
    for t in (0, 0.25, 0.5, 1):
        by_code = torch.from_numpy(hybrid(a, b, t)).permute(2, 0, 1)
        assert holds(picture, sprite_pixels(by_code, 1))
    x = load_sprites("figure").pixels[[2, 7]]
    model = load_model(f"{RUN}/checkpoint_8.pt")
    mu = encode(model, x)
    for z in (mu[0], mu.mean(0), mu[1]):
        assert holds(picture, sprite_pixels(decode(model, z[None])[0], 1))
    script(test_vae, "--hybrids", 2, 7, "--format", "svg", "--finish")
    text = Path("vis/test/hybrids.svg").read_text()
    assert "code alone" in text and "the model, finished" in text
    code, _, err = script(test_vae, "--hybrids", 2, 99)
    assert code == 2 and "--hybrids 99: there are 12 sprites" in err


def test_sprites_saved_one_by_one(script):
    arguments = ("--num_samples", 3, "--steps", 4, "--save_sprites", "--palette", 8)
    code, out, _ = script(test_vae, *arguments)
    assert code == 0
    counts = {"samples": 3, "interpolation": 4, "traversal": 3 * 11}
    for kind, count in counts.items():
        folder = Path("vis/test") / kind
        assert str(folder) in out.split("\n")
        files = list(folder.iterdir())
        assert len(files) == count
        assert all(
            Image.open(file).mode == "P" and Image.open(file).size == (40, 40) for file in files
        )


# ---- samplers, the finish and the metrics of samples


@pytest.mark.parametrize("kind", ["gmm", "neighbours"])
def test_samplers_are_kept_beside_the_weights(script, kind):
    arguments = ("--sampler", kind, "--num_samples", 5)
    assert script(test_vae, *arguments)[0] == 0
    first = drawn("vis/test/samples.png")
    assert Path(f"{RUN}/checkpoint_8_{kind}.npz").is_file()
    script(test_vae, *arguments)
    assert np.array_equal(first, drawn("vis/test/samples.png"))
    script(test_vae, "--num_samples", 5)
    assert not np.array_equal(first, drawn("vis/test/samples.png"))


def test_a_temperature_is_of_the_prior(script):
    code, _, err = script(test_vae, "--sampler", "gmm", "--temperature", 0.5)
    assert code == 2 and "only --sampler prior has one" in err
    assert script(test_vae, "--sampler", "other")[0] == 2


@pytest.mark.parametrize("module", [vis1, vis2, vis3, test_vae])
def test_finished_pictures_are_others_and_say_so(script, module):
    script(module)
    raw = {path: path.read_bytes() for path in Path("vis").rglob("*.png")}
    code, _, err = script(module, "--finish", "--format", "png")
    assert code == 0, err
    changed = [path for path, data in raw.items() if path.read_bytes() != data]
    assert changed and all("error" not in path.name for path in changed)
    script(module, "--finish", "--format", "svg")
    drawings = [path for path in Path("vis").rglob("*.svg") if b"are finished" in path.read_bytes()]
    assert drawings


def test_finished_sprites_are_saved_finished(script):
    arguments = ("--num_samples", 2, "--save_sprites", "--finish", "--checkpoint", "0")
    assert script(test_vae, *arguments)[0] == 0
    colors = {
        len(np.unique(drawn(path).reshape(-1, 4), axis=0))
        for path in Path("vis/test/samples").glob("*.png")
    }
    assert max(colors) < 20


def test_metrics_of_samples(script, monkeypatch):
    monkeypatch.setattr(test_vae, "MEASURED", 50)  # finishing 500 takes a while
    code, out, err = script(test_vae, "--sampler", "neighbours", "--metrics")
    assert code == 0, err
    metrics = json.loads(Path("vis/test/metrics.json").read_text())
    measured = metrics["samples"]
    names = ["prior", "prior, finished", "neighbours", "neighbours, finished"]
    assert list(measured) == ["held-out sprites", *names]
    for found in measured.values():
        value, low, high = found["sprite_distance"]
        assert low <= high and value > 0
        assert found["swd"][0] > 0
        assert 0 <= found["copies"][0] <= 1 and 0 <= found["overlap"][0] <= 1
    first, second = out.split("vis/test")[0].strip().split("\n\n")
    *reconstructions, active = first.split("\n")
    for table in (reconstructions, second.split("\n")):
        assert len(table) == 2 + 5 and len({row.count("|") for row in table}) == 1
    dimensions = len(metrics["kl_of_dimension"])
    assert active.startswith(f"Active latent dimensions: {len(metrics['active_dimensions'])} of")
    assert len(active.split(": ")[-1].split()) == dimensions
    assert metrics["measured"]["training"]["sse"][0] > 0
    assert Path("vis/test/nearest.png").exists()
