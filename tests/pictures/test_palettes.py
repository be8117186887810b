import argparse

import numpy as np
import pytest
from PIL import Image

from utils.pictures.palettes import palette

COLORS = [[255, 136, 0], [0, 16, 32], [250, 250, 250]]
GPL = "GIMP Palette\nName: three\n#\n255 136   0\torange\n  0  16  32 night\n250 250 250\n"


def test_a_number():
    assert palette("16") == 16
    for wrong in ("1", "256", "few"):
        with pytest.raises(argparse.ArgumentTypeError, match="whole number"):
            palette(wrong)


def test_files(tmp_path):
    (tmp_path / "a.gpl").write_text(GPL)
    (tmp_path / "a.hex").write_text("ff8800\r\n#001020\nFAFAFA\nff8800\n")
    rgba = np.array([[[*color, 255] for color in COLORS] + [[1, 2, 3, 0]]], np.uint8)
    Image.fromarray(rgba).save(tmp_path / "a.png")
    for suffix in ("gpl", "hex", "png"):
        assert palette(str(tmp_path / f"a.{suffix}")).tolist() == COLORS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.hex", "ff88", "not a colour"),
        ("a.hex", "", "0 colours"),
        ("a.gpl", "GIMP Palette\n1 2 900 far\n", "above 255"),
        ("a.png", "no picture", "cannot be read"),
        ("a.txt", "ff8800", "none of .gpl, .hex, .png"),
        ("a.hex", "\n".join(f"{i:06x}" for i in range(256)), "256 colours"),
    ],
)
def test_files_that_are_no_palettes(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(argparse.ArgumentTypeError, match=said):
        palette(str(tmp_path / name))


def test_a_file_that_is_not_there():
    with pytest.raises(argparse.ArgumentTypeError, match=r"no file nowhere\.gpl"):
        palette("nowhere.gpl")
