import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from model import VAE
from utils.data_utils import (
    Sprites,
    digests_by_name,
    fingerprint,
    fingerprints,
    load_sprites,
    split,
    to_float,
)
from utils.latents import runs
from utils.latents.runs import (
    TrainedRun,
    choose_corners,
    choose_sprites,
    encode,
    known_split,
    open_run,
    run_sprites,
    taught_pairs,
)
from utils.latents.samplers import shown_samplers
from utils.run.checkpoint import save_weights
from utils.training.hybrids import digest_of


@pytest.fixture
def sprites(sprite_folder):
    for folder in ("a", "b"):
        (sprite_folder / folder).mkdir()
        shutil.copy(sprite_folder / "000.png", sprite_folder / folder / "twin.png")
    return load_sprites(sprite_folder)  # 000.png to 011.png, a/twin.png, b/twin.png


def make_run(folder, epochs=(0, 200), **settings):
    folder.mkdir()
    for epoch in epochs:
        save_weights(folder / f"checkpoint_{epoch}.pt", VAE(40, 8, 2))
    (folder / "args.json").write_text(json.dumps(settings))
    return folder


def test_sprites_by_index_name_and_path(sprites, tmp_path):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "mine.png")
    wanted = ["3", "005.png", "b/twin.png", str(tmp_path / "mine.png")]
    chosen = choose_sprites(sprites, wanted, ())
    assert chosen.names == ["003.png", "005.png", "b/twin.png", "mine.png"]
    assert torch.equal(chosen.pixels[:3], sprites.pixels[[3, 5, 13]])
    assert (chosen.pixels[3, 1:] == 0).all() and (chosen.pixels[3, 0] == 255).all()


def test_default_indices_are_taken_modulo_the_number(sprites):
    assert choose_sprites(sprites, None, (1, 15, 28)).names == ["001.png", "001.png", "000.png"]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("14", "there are 14 sprites, 0 to 13"),
        ("-1", "there are 14 sprites, 0 to 13"),
        ("twin.png", "which one of a/twin.png, b/twin.png?"),
        ("05.png", "near it are 005.png"),
        ("zzzzzz", "names run 000.png to b/twin.png"),
    ],
)
def test_sprites_that_there_are_not(sprites, wanted, words):
    with pytest.raises(ValueError) as error:
        choose_sprites(sprites, [wanted], ())
    assert words in str(error.value) and "\n" not in str(error.value)


def test_a_wrong_number_of_sprites(sprites):
    with pytest.raises(ValueError, match="needs 2 sprites, not 3"):
        choose_sprites(sprites, ["1", "2", "3"], (), count=2)


def test_corners_are_a_sprite_and_its_three_nearest_other_creatures(tmp_path, monkeypatch):
    values = [10, 11, 30, 33, 90, 12]  # grey sprites, whose distances are those of the numbers
    pixels = torch.tensor(values, dtype=torch.uint8)[:, None, None, None].expand(6, 3, 4, 4)
    names = ["1A.png", "1B.png", "3A.png", "3B.png", "5.png", "9.png"]
    sprites = Sprites(pixels, names, "", [])

    def corners(near, default=(0, 1, 2, 3)):
        return choose_corners(run, sprites, None, near, default).pixels[:, 0, 0, 0].tolist()

    run = TrainedRun(None, tmp_path, tmp_path, {})
    assert corners("1A.png") == [10, 12, 30, 90] == corners("0")
    assert corners("3B.png") == [33, 12, 11, 90] or corners("3B.png") == [33, 12, 90, 11]
    assert corners(None) == values[:4]
    Image.new("RGB", (4, 4), (89, 89, 89)).save(tmp_path / "other.png")
    assert corners(str(tmp_path / "other.png")) == [89, 90, 33, 12]
    with pytest.raises(ValueError, match="--near 7: there are 6 sprites"):
        corners("7")
    with pytest.raises(ValueError, match="of 3 other creatures there are 1"):
        choose_corners(run, Sprites(pixels[:4], names[:4], "", []), None, "0", ())
    known = {"training": torch.tensor([0, 1, 2, 3, 4])}  # 12 was held out
    monkeypatch.setattr(runs, "known_indices", lambda run, sprites: known)
    assert corners("9.png") == [12, 11, 30, 90]
    with pytest.raises(ValueError, match="of 3 other creatures there are 2"):
        corners("1A.png")


def test_pairs_that_a_run_was_taught_are_named_by_their_places_in_the_set(
    tmp_path, monkeypatch, capsys
):
    sprites = Sprites(torch.zeros(6, 3, 4, 4), [f"{i}.png" for i in range(6)], "", [])
    pairs = np.array([[1, 2], [2, 0], [3, 4]])  # of the training sprites
    settings = {"hybrids": 2, "pairs_sha256": digest_of(pairs)}
    run = TrainedRun(None, tmp_path, tmp_path, settings)
    known = {"training": torch.tensor([5, 4, 0, 1, 2])}
    monkeypatch.setattr(runs, "known_indices", lambda run, sprites: known)
    monkeypatch.setattr(runs, "hybrid_pairs", lambda *_: (pairs, pairs[:1]))
    taught, left_out = taught_pairs(run, sprites)
    assert taught.tolist() == [[4, 0], [0, 5], [1, 2]] and left_out.tolist() == [[4, 0]]
    assert shown_samplers(run, sprites) == ("hybrids", "prior") and not capsys.readouterr().err
    # Of another version of the code, that chose other pairs:
    settings["pairs_sha256"] = digest_of(pairs[:2])
    assert len(taught_pairs(run, sprites)[0]) == 0
    assert shown_samplers(run, sprites) == ("prior",)
    assert "or by another version of the code." in capsys.readouterr().err


def test_the_newest_run_and_its_last_checkpoint(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_run(tmp_path / "output_dir_b", (0, 200, 1000))
    make_run(tmp_path / "output_dir_a", (0, 50))
    assert open_run(None, None).checkpoint.as_posix() == "output_dir_a/checkpoint_50.pt"
    run = open_run("output_dir_b", None)
    assert run.checkpoint.name == "checkpoint_1000.pt"  # by number, not by name


def test_a_look_at_a_run_that_is_not_finished_says_so(tmp_path, capsys):
    run = make_run(tmp_path / "other", epoch=202)
    open_run(str(run), None)
    assert capsys.readouterr().err == f"{run}, of 202 epochs, ends at checkpoint_200.pt.\n"
    open_run(str(run), "0")  # which was asked for
    (run / "args.json").write_text(json.dumps({"epoch": 201}))
    open_run(str(run), None)
    assert capsys.readouterr().err == ""


def test_checkpoints_by_epoch_name_and_path(tmp_path):
    run = make_run(tmp_path / "output_dir_b")
    save_weights(run / "best.pt", VAE(40, 8, 3))
    shutil.copy(run / "best.pt", tmp_path / "other.pth")
    assert open_run(str(run), "0").checkpoint.name == "checkpoint_0.pt"
    assert open_run(str(run), "best.pt").model.latent_size == 3
    other = open_run(None, str(tmp_path / "other.pth"))
    assert other.settings == {} and other.model.latent_size == 3


def test_runs_and_checkpoints_that_there_are_not(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = make_run(tmp_path / "output_dir_b")
    with pytest.raises(ValueError, match="has those of epochs 0, 200"):
        open_run(str(run), "100")
    with pytest.raises(ValueError, match="there is no run nowhere"):
        open_run("nowhere", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"no checkpoint_\*\.pt in empty"):
        open_run("empty", None)
    shutil.rmtree(run)
    with pytest.raises(ValueError, match=r"run python main\.py first"):
        open_run(None, None)


def test_weights_from_elsewhere_need_a_data_path(tmp_path, sprite_folder):
    save_weights(tmp_path / "other.pt", VAE(20, 8, 2))
    run = open_run(None, str(tmp_path / "other.pt"))
    with pytest.raises(ValueError, match="--data_path"):
        run_sprites(run)
    sprites = run_sprites(run, str(sprite_folder))
    assert sprites.pixels.shape == (12, 3, 20, 20)
    assert list(known_split(run, sprites)) == ["all sprites"]


def test_the_split_of_a_run_is_known_while_its_sprites_are_the_same(tmp_path, sprite_folder):
    sprites = load_sprites(sprite_folder)
    settings = {
        "data_path": str(sprite_folder),
        "seed": 5,
        "val_ratio": 0.2,
        "sprites_sha256": fingerprint(fingerprints(sprites)),
    }
    run = open_run(str(make_run(tmp_path / "run", **settings)), None)
    parts = known_split(run, run_sprites(run))
    train, val = split(12, 0.2, 5)
    assert torch.equal(parts["training"], sprites.pixels[train])
    assert torch.equal(parts["held out"], sprites.pixels[val])
    (sprite_folder / "000.png").unlink()
    assert list(known_split(run, run_sprites(run))) == ["all sprites"]


def test_encode_is_the_mean(sprites):
    model = VAE(40, 8, 2)
    assert torch.equal(encode(model, sprites.pixels), model.encode(to_float(sprites.pixels))[0])


def test_other_sprites_than_those_of_the_run_are_told_of(tmp_path, sprite_folder, capsys):
    prints = fingerprints(load_sprites(sprite_folder))
    known = {"data_path": str(sprite_folder), "sprites_sha256": fingerprint(prints)}
    folder = make_run(tmp_path / "output_dir_b", **known)
    (folder / "sprites.json").write_text(json.dumps(digests_by_name(prints)))
    run = open_run(str(folder), None)
    run_sprites(run)
    assert capsys.readouterr() == ("", "")

    shutil.copy(sprite_folder / "000.png", sprite_folder / "000a.png")  # moves all numbers
    (sprite_folder / "005.png").unlink()
    shutil.copy(sprite_folder / "000.png", sprite_folder / "003.png")
    for data_path in (None, str(sprite_folder)):
        run_sprites(run, data_path)
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1
        assert "not the sprites of" in err
        assert "missing: 005.png; new: 000a.png; changed: 003.png" in err


def test_sprites_are_loaded_as_the_run_loaded_them(tmp_path):
    magenta = Image.new("RGB", (96, 96), (255, 0, 255))
    magenta.paste("red", (8, 8, 38, 38))
    (tmp_path / "sprites").mkdir()
    magenta.save(tmp_path / "sprites" / "a.png")
    found = {}
    for background in ("crop", "keep", None):
        settings = {"data_path": str(tmp_path / "sprites"), "background": background}
        settings = {name: value for name, value in settings.items() if value}
        folder = make_run(tmp_path / f"output_dir_{background}", **settings)
        found[background] = run_sprites(open_run(str(folder), None)).pixels
    assert torch.equal(found["keep"], found[None])  # older runs had no such argument
    assert (found["crop"][0, :, 0, 0] == 255).all() and found["keep"][0, 1, 0, 0] == 0
