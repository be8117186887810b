"""The losses of a small fixed run, written down: whatever is refactored, they stay."""

import csv
from pathlib import Path

import pytest

import main

ARGUMENTS = "--data_path monsters --epoch 5 --hidden_size 64 --batch_size 32 --precision fp32"
# The loss of each epoch, on the training sprites and on those held out.
GOLDEN = [
    (1879.85, 1864.08),
    (1873.62, 1862.98),
    (1870.06, 1855.36),
    (1867.27, 1833.68),
    (1858.10, 1820.89),
]


def test_a_small_run_has_the_losses_that_it_always_had(run_script):
    code, _, err = run_script(main, *ARGUMENTS.split(), "--device", "cpu")
    assert code == 0, err
    (path,) = Path().glob("output_dir*/history.csv")
    with path.open(newline="") as file:
        rows = [(float(row["loss"]), float(row["val_loss"])) for row in csv.DictReader(file)]
    assert len(rows) == len(GOLDEN)
    for row, golden in zip(rows, GOLDEN, strict=True):
        assert row == pytest.approx(golden, rel=1e-4)
