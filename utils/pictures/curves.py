"""Curves, drawn by matplotlib: the error over epochs, and norms along paths between latents."""

import csv
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, ScalarFormatter

from utils.pictures.plot import save_matplotlib

SIZE = (7.0, 4.0)  # inches
TRAIN_COLOR, VAL_COLOR, SHELL_COLOR = "#3566a8", "#d1603d", "#888888"


def new_axes():
    """Return a figure and its axes, without the frame that nobody reads."""
    figure = Figure(figsize=SIZE, dpi=150, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(color="#e4e4e4", linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def read_history(path: Path) -> dict[str, list[float]]:
    """Return the columns of a ``history.csv`` by their names; a last row cut short is left out.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["val_kl"] is not None]
        return {name: [float(row[name]) for row in rows] for name in rows[0]}
    except (IndexError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error})") from None


def save_error_curve(path: Path, history: dict[str, list[float]]) -> None:
    """Draw the squared error of a sprite over the epochs, on training and on held-out sprites."""
    figure, axes = new_axes()
    for column, label, color in (
        ("recon", "training", TRAIN_COLOR),
        ("val_recon", "held out", VAL_COLOR),
    ):
        style = "-" if len(history["epoch"]) > 1 else "o"
        axes.plot(history["epoch"], history[column], style, color=color, linewidth=1.4)
        end = (history["epoch"][-1], history[column][-1])
        axes.annotate(label, end, (6, 0), textcoords="offset points", va="center", color=color)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(ScalarFormatter())
    axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("epoch")
    axes.set_ylabel("squared error of a sprite, z sampled")
    save_matplotlib(path, figure)


def save_norm_curves(path: Path, paths: dict[str, list[list[float]]], shell: float) -> None:
    """Draw the norm of z along paths between corners.

    Parameters
    ----------
    path : Path
    paths : dict
        From the title of a path to the norms along it by LERP and by SLERP.
    shell : float
        The radius near which draws from the prior lie, sqrt(d).
    """
    figure = Figure(figsize=(SIZE[0], SIZE[1] * 0.8), dpi=150, layout="constrained")
    all_axes = figure.subplots(1, len(paths), sharey=True, squeeze=False)[0]
    for axes, (title, (lerp_norms, slerp_norms)) in zip(all_axes, paths.items(), strict=True):
        t = [index / (len(lerp_norms) - 1) for index in range(len(lerp_norms))]
        axes.plot(t, slerp_norms, color=VAL_COLOR, label="SLERP")
        axes.plot(t, lerp_norms, color=TRAIN_COLOR, label="LERP")
        axes.axhline(shell, color=SHELL_COLOR, linestyle=":", label="sqrt(d), the prior's shell")
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("t")
        axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
    all_axes[0].set_ylabel("norm of z")
    all_axes[0].set_ylim(bottom=0)
    figure.legend(
        *all_axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False
    )
    save_matplotlib(path, figure)
