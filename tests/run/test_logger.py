import pytest
import torch

from utils.run.logger import Console, History, Losses, duration, read_losses
from utils.run.recorder import READ_SECONDS, Speed
from utils.training.engine import Report

LOSSES = Losses(0, 1e-3, 31.0, 3.0, [0.5, 0.5], 41.0, 4.0, 1.0)


def test_losses_are_read_as_they_are_laid_out():
    report = Report(7, 0.5, torch.tensor([31.0, 3, 0.25, 0.75]), torch.tensor([41.0, 4, 0.5, 0]), 9)
    (losses,) = read_losses([report])
    assert losses == Losses(7, 0.5, 31.0, 3.0, [0.25, 0.75], 41.0, 4.0, 0.5)
    assert losses.kl == 1.0


def test_a_history_that_is_resumed_keeps_the_rows_before(tmp_path):
    path = tmp_path / "history.csv"
    for first_epoch in (0, 2):
        with History(path, first_epoch) as history:
            for _ in range(3):
                history.write(LOSSES, 0.0)
    assert len(path.read_text().splitlines()) == 1 + 2 + 3


def test_a_console_that_is_no_terminal_gets_some_twenty_lines(capsys):
    with Console(epochs=100, first_epoch=0) as console:
        for epoch in range(100):
            console.write(Losses(epoch, *list(vars(LOSSES).values())[1:]), 1234.5)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 21
    assert "loss 31.0, recon 3.00, kl 1.0, held-out recon 4.00, 1,23" in lines[0]
    assert lines[-1].endswith("0 s left")


def test_readings_that_follow_at_once_do_not_spoil_the_rate():
    speed = Speed()
    speed.counted_at -= 2
    assert speed.after(100) == pytest.approx(50, rel=0.1)
    assert speed.after(100) == speed.rate == pytest.approx(50, rel=0.1)
    speed.counted_at -= 2 * READ_SECONDS
    assert speed.after(0) == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize(
    ("seconds", "words"), [(3, "3 s"), (89, "89 s"), (90, "1.5 min"), (7200, "2.0 h")]
)
def test_durations_in_words(seconds, words):
    assert duration(seconds) == words
