"""As many monsters as are asked for are those that are drawn one by one."""

import sys

import numpy as np
import pytest

from utils.sprites import many_monsters, workers
from utils.sprites.many_monsters import draw_monsters
from utils.sprites.monsters import draw_monster


def test_they_are_those_drawn_one_by_one():
    pixels = draw_monsters(450, 40)  # two chunks and a half
    assert pixels.shape == (450, 3, 40, 40) and pixels.dtype == np.uint8
    for index in (0, 199, 200, 449):
        rgba = draw_monster(index)
        on_white = np.where(rgba[..., 3:] == 255, rgba[..., :3], 255)
        assert np.array_equal(pixels[index].transpose(1, 2, 0), on_white)
    assert np.array_equal(draw_monsters(7, 40), pixels[:7])


def test_processes_draw_as_one_core_does_with_a_progress_bar(monkeypatch, capsys):
    alone = draw_monsters(50, 40)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert np.array_equal(draw_monsters(50, 40), alone) and capsys.readouterr().err == ""
    monkeypatch.setattr(many_monsters, "MANY", 2)
    monkeypatch.setattr(many_monsters, "CHUNK", 15)
    monkeypatch.setattr(workers, "num_cores", lambda: 2)
    here = []
    monkeypatch.setattr("utils.sprites.monsters._Sketch", here.append)
    assert np.array_equal(draw_monsters(50, 40), alone) and not here
    assert "/50 " in capsys.readouterr().err
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    draw_monsters(3, 40)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("index", [792, 999, 19_999, 500_000])
def test_monsters_beyond_those_of_the_built_in_set(index):
    rgba = draw_monster(index)
    assert rgba.shape == (40, 40, 4) and 150 < (rgba[..., 3] == 255).sum() < 1200
