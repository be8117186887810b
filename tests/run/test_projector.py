"""What TensorBoard's projector reads."""

import numpy as np
import torch
from PIL import Image

from model import VAE
from utils.data_utils import Sprites, fingerprints, to_float
from utils.run import projector
from utils.training.engine import Parts


def test_rows_names_and_pictures_belong_together(tmp_path):
    pixels = torch.randint(0, 256, (7, 3, 40, 40), dtype=torch.uint8)
    names = [f"{i}.png" for i in range(6)] + ["a\tb\nc.png"]
    prints = fingerprints(Sprites(pixels, names, "", []))
    order = torch.tensor([6, 0, 2, 3, 5, 1, 4])
    model = VAE(40, 16, 3)
    parts = Parts(pixels[order[:5]], pixels[order[5:]])
    projector.save_projector(tmp_path, model, parts, prints)

    means = np.loadtxt(tmp_path / "projector_means.tsv", delimiter="\t")
    expected = model.encode(to_float(pixels[order]))[0].detach()
    assert np.allclose(means, expected, rtol=1e-4, atol=1e-6)
    heading, *lines = (tmp_path / "projector_names.tsv").read_text().split("\n")
    assert heading == "name\tpart" and lines[0] == "a b c.png\ttraining"
    assert [line.split("\t")[0] for line in lines[1:]] == [names[i] for i in order[1:]]
    assert [line.split("\t")[1] for line in lines] == ["training"] * 5 + ["held out"] * 2
    sheet = np.asarray(Image.open(tmp_path / "projector_sprites.png"))
    assert sheet.shape == (120, 120, 3)  # 3 x 3 places
    assert np.array_equal(sheet[40:80, :40], pixels[order[3]].permute(1, 2, 0))
    assert "single_image_dim: 40" in (tmp_path / "projector_config.pbtxt").read_text()


def test_only_so_many_are_shown(tmp_path, monkeypatch):
    monkeypatch.setattr(projector, "MOST", 4)
    pixels = torch.randint(0, 256, (7, 3, 8, 8), dtype=torch.uint8)
    prints = fingerprints(Sprites(pixels, list("abcdefg"), "", []))
    projector.save_projector(tmp_path, VAE(8, 4, 2), Parts(pixels[:5], pixels[5:]), prints)
    assert len((tmp_path / "projector_means.tsv").read_text().split("\n")) == 4
