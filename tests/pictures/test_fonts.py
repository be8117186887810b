import warnings

import numpy as np
import pytest

from utils.pictures import fonts
from utils.pictures.fonts import caption_of, font_file, letters_of
from utils.pictures.isolated import data_folder
from utils.pictures.plot import Figure, join, note, save_figure

FOLDER = data_folder() / "fonts" / "ttf"
DEJAVU, OTHER = FOLDER / "DejaVuSans.ttf", FOLDER / "STIXGeneral.ttf"


@pytest.fixture
def machine(monkeypatch):
    """The function (*paths) that lets these be all fonts of this machine."""

    def has(*paths):
        monkeypatch.setattr(fonts, "system_fonts", lambda: list(paths))
        forget()

    yield has
    monkeypatch.undo()
    forget()


def forget():
    for cached in (fonts.font_file, fonts.font, fonts.showable):
        cached.cache_clear()


def test_the_font_that_has_the_letters_is_taken(machine, tmp_path):
    (tmp_path / "damaged.ttf").write_bytes(b"no font")
    machine(tmp_path / "damaged.ttf", OTHER)
    letter = chr(min(letters_of(OTHER) - letters_of(DEJAVU)))
    assert font_file("a name.png") == font_file("für.png") == DEJAVU
    assert font_file(f"{letter}.png") == OTHER
    assert caption_of(f"{letter}.png", 7) == f"{letter}.png"


@pytest.mark.parametrize("name", ["\uf8ff.png", "a\x01.png", "\udcff.png", "\U0010fffd"])
def test_a_name_that_no_font_can_show_is_a_number(machine, name):
    machine()
    assert caption_of(name, 7) == "sprite 7" and caption_of(name) == "sprite"


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_any_text_is_drawn_without_a_warning(machine, tmp_path, form):
    machine(OTHER)
    letter = chr(min(letters_of(OTHER) - letters_of(DEJAVU)))
    blank = Figure(np.full((40, 60, 3), 255, np.uint8))
    figure = join([blank, note(f"{letter}, \uf8ff, $x_1$, $, <b>&amp;")], down=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save_figure(tmp_path / f"a.{form}", figure)
    if form == "svg":
        assert "$x_1$, $, &lt;b&gt;&amp;amp;" in (tmp_path / "a.svg").read_text()
