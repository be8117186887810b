import pytest

from utils.run.logger import Logger


def test_readings_that_follow_at_once_do_not_spoil_the_rate(tmp_path):
    with Logger(tmp_path, epochs=10) as logger:
        logger.counted_at -= 2
        logger.measure_rate(100)
        assert logger.rate == pytest.approx(50, rel=0.1)
        known = logger.rate
        logger.measure_rate(100)
        assert logger.rate == known
        logger.counted_at -= 1
        logger.measure_rate(0)
        assert logger.rate == pytest.approx(100, rel=0.1)


@pytest.mark.parametrize("is_augmented", [False, True])
def test_sharpness_is_not_promised_where_sprites_are_augmented(tmp_path, capsys, is_augmented):
    with Logger(tmp_path, epochs=10_000, is_augmented=is_augmented) as logger:
        logger.timed_from = (1, logger.started_at - 60)
        logger.say_how_long()
    out = capsys.readouterr().out
    assert out.startswith("Time: about ") and ("sharp" in out) != is_augmented
