import json

import numpy as np
import pytest
import torch
from PIL import Image

from utils.pictures.album import Album
from utils.pictures.plot import Figure, note


@pytest.fixture
def figure():
    return Figure(np.full((9, 9, 3), 100, np.uint8))


def test_all_that_an_album_holds_is_printed_in_order(figure, tmp_path, capsys):
    album = Album(tmp_path / "new", "png", finished=False)
    album.add_figure("a", figure)
    album.add_numbers("b", {"x": 1})
    album.add_gif("c", [figure, figure])
    album.add_sprites("d", {"0": torch.ones(3, 4, 4)}, None)
    album.announce(show=False)
    paths = [tmp_path / "new" / name for name in ("a.png", "b.json", "c.gif", "d")]
    assert capsys.readouterr().out.splitlines() == [str(path) for path in paths]
    assert all(path.exists() for path in paths)
    assert json.loads(paths[1].read_text()) == {"x": 1}
    assert np.asarray(Image.open(paths[0])).shape == (33, 33, 3)


def test_nothing_is_written_before_something_is_added(tmp_path):
    Album(tmp_path / "new", "png", finished=False).announce(show=False)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("finished", [True, False])
def test_figures_say_that_sprites_are_finished(finished, tmp_path):
    album = Album(tmp_path, "svg", finished)
    album.add_figure("a", note("text"))
    assert ("are finished" in (tmp_path / "a.svg").read_text()) == finished
