"""The files that a script leaves in its folder, and their paths for the user."""

from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor

from utils.cli import announce
from utils.files import write_json
from utils.pictures.export import save_sheet, save_sprites
from utils.pictures.palettes import Palette
from utils.pictures.plot import NORMAL, Figure, join, note, save_chart, save_figure, save_gif

NOTE = "Decoded sprites are finished: outline and palette are drawn by code after the model."


@dataclass
class Album:
    """Saves figures and numbers in one folder, and knows what it has saved."""

    folder: Path
    form: str  # of figures: png, pdf or svg
    finished: bool  # whether figures show finished sprites, which is then noted under them
    written: list[Path] = field(default_factory=list)

    def add_figure(self, name: str, figure: Figure) -> None:
        """Save a figure."""
        save_figure(self.new(f"{name}.{self.form}"), noted(figure) if self.finished else figure)

    def add_chart(self, name: str, chart) -> None:
        """Save a matplotlib figure."""
        save_chart(self.new(f"{name}.{self.form}"), chart)

    def add_gif(self, name: str, frames: list[Figure]) -> None:
        """Save an animation."""
        save_gif(self.new(f"{name}.gif"), frames)

    def add_numbers(self, name: str, numbers: dict) -> None:
        """Save numbers as JSON."""
        write_json(self.new(f"{name}.json"), numbers)

    def add_sprites(self, kind: str, images: dict[str, Tensor], palette: Palette | None) -> None:
        """Save each sprite as a PNG of its own in a folder of their kind."""
        save_sprites(self.new(kind), images, palette)

    def add_sheet(
        self, kinds: dict[str, dict[str, Tensor]], columns: int, palette: Palette | None
    ) -> None:
        """Save all sprites as one PNG, and their places as JSON."""
        save_sheet(self.new("sheet.png"), kinds, columns, palette)
        self.new("sheet.json")

    def new(self, name: str) -> Path:
        """Return the path of a file that is about to be written."""
        self.written.append(self.folder / name)
        return self.written[-1]

    def announce(self, show: bool) -> None:
        """Print the paths of all files, and open them if `show`."""
        announce(self.written, show)


def noted(figure: Figure) -> Figure:
    """Return a figure with a line under it that says that its sprites are finished."""
    return join([figure, note(NOTE, NORMAL, "lm")], down=True, align="start")
