import pytest

from utils.lr_sched import default_warmup, learning_rate

RUN = {"lr": 5e-4, "min_lr": 1e-7, "warmup_epochs": 20, "epochs": 1000}


@pytest.mark.parametrize(
    ("epoch", "expected"),
    [
        (0, 5e-4 / 20),  # no epoch trains with a rate of 0
        (9, 2.5e-4),
        (19, 5e-4),  # the last warm-up epoch
        (20, 5e-4),  # the top of the cosine
        (510, (5e-4 + 1e-7) / 2),  # its middle
    ],
)
def test_corner_epochs(epoch, expected):
    assert learning_rate(epoch, **RUN) == pytest.approx(expected)


def test_last_epoch_is_near_the_lowest_rate():
    assert 1e-7 < learning_rate(999, **RUN) < 2e-7


def test_it_rises_and_then_falls():
    rates = [learning_rate(epoch, **RUN) for epoch in range(1000)]
    assert rates[:20] == sorted(rates[:20])
    assert rates[20:] == sorted(rates[20:], reverse=True)


def test_without_warmup_it_starts_at_the_top():
    assert learning_rate(0, lr=1e-3, min_lr=0, warmup_epochs=0, epochs=1) == 1e-3


@pytest.mark.parametrize(("epochs", "warmup"), [(10000, 20), (200, 20), (199, 19), (9, 0)])
def test_default_warmup(epochs, warmup):
    assert default_warmup(epochs) == warmup
