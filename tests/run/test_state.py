import time
from dataclasses import replace

import pytest
import torch
from torch import nn

from utils.files import sum_path
from utils.run import state
from utils.run.folder import state_paths
from utils.training.augment import Augmentation
from utils.training.engine import Config, Progress

IDENTITY = state.Identity(
    settings={"lr": 1e-3, "epoch": 10},
    sprites={"names": "a.png\0b.png", "digests": torch.arange(16, dtype=torch.uint8)},
    conditions={"torch": "3.0", "device": "cpu", "threads": 2},
)


def make(seed, *progress):
    """Something trained: a model, an optimiser with moments, and how far they are."""
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        optimizer.zero_grad()
        model(torch.randn(4, 3)).square().sum().backward()
        optimizer.step()
    return state.Training(model, optimizer, Progress(*progress))


def as_text(training):
    torch.set_printoptions(precision=10, threshold=10**6)
    return repr([training.model.state_dict(), training.optimizer.state_dict()])


def write(folder, epoch, step=0, seed=0):
    training = make(seed, epoch, step, torch.arange(3.0) if step else None)
    state.save(folder, state.copy_of(training, IDENTITY))


def paths(folder):
    return [path.name for path in state_paths(folder)]


def test_everything_comes_back(tmp_path):
    trained, other = make(0, 7, 2, torch.arange(3.0)), make(1)
    assert as_text(trained) != as_text(other)
    state.save(tmp_path, state.copy_of(trained, IDENTITY))
    lines = state.restore(tmp_path, other, IDENTITY)
    assert as_text(trained) == as_text(other)
    progress = other.progress
    assert (progress.epoch, progress.step, progress.totals.tolist()) == (7, 2, [0, 1, 2])
    assert lines == ["Resuming in epoch 7, at step 2."]


def test_a_finished_run_is_not_said_to_resume(tmp_path):
    write(tmp_path, 10)
    assert state.restore(tmp_path, make(1), IDENTITY) == []


def test_two_are_kept_the_newest_by_number(tmp_path):
    for epoch, step in ((8, 0), (9, 2), (9, 10), (10, 0)):
        write(tmp_path, epoch, step)
    assert paths(tmp_path) == ["state_10_0.pt", "state_9_10.pt"]
    assert len(list(tmp_path.iterdir())) == 4  # with their sums


def test_the_older_one_goes_only_when_the_newer_is_read_back(tmp_path, monkeypatch):
    for epoch in (1, 2):
        write(tmp_path, epoch)

    def damaged(path):
        raise ValueError(f"{path} is damaged")

    monkeypatch.setattr(state, "verify", damaged)
    with pytest.raises(ValueError, match="is damaged"):
        write(tmp_path, 3)
    assert {"state_1_0.pt", "state_2_0.pt"} <= set(paths(tmp_path))


def test_a_damaged_state_falls_back_to_the_one_before(tmp_path):
    for epoch in (1, 2):
        write(tmp_path, epoch)
    newest = tmp_path / "state_2_0.pt"
    whole, its_sum = newest.read_bytes(), sum_path(newest).read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 4
    for bad in (bytes(flipped), whole[: len(whole) // 2], b""):
        newest.write_bytes(bad)
        sum_path(newest).write_bytes(its_sum)
        training = make(1)
        lines = state.restore(tmp_path, training, IDENTITY)
        assert training.progress.epoch == 1
        assert "state_2_0.pt is damaged" in lines[0]
        assert paths(tmp_path) == ["state_1_0.pt"]  # what is damaged takes no place of a whole one


def test_a_state_without_its_sum_is_not_trusted(tmp_path):
    for epoch in (1, 2):
        write(tmp_path, epoch)
    sum_path(tmp_path / "state_2_0.pt").unlink()
    assert state.load(tmp_path)[0]["epoch"] == 1


def test_no_whole_state_is_an_error(tmp_path):
    write(tmp_path, 1)
    (tmp_path / "state_1_0.pt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"no training state in .* --overwrite"):
        state.load(tmp_path)


@pytest.mark.parametrize("where", ["model", "optimizer"])
def test_what_is_not_finite_is_not_written(tmp_path, where):
    write(tmp_path, 1)
    training = make(0, 2)
    with torch.no_grad():
        if where == "model":
            training.model.weight[0, 0] = torch.nan
        else:
            moments = training.optimizer.state[training.model.weight]
            moments["exp_avg"][0, 0] = torch.inf
    with pytest.raises(FloatingPointError, match="in epoch 2"):
        state.save(tmp_path, state.copy_of(training, IDENTITY))
    assert paths(tmp_path) == ["state_1_0.pt"]


def test_changed_sprites_are_named(tmp_path):
    write(tmp_path, 1)
    others = replace(IDENTITY, sprites=IDENTITY.sprites | {"names": "b.png\0c.png"})
    with pytest.raises(ValueError, match=r"missing: a\.png; new: c\.png; changed: b\.png"):
        state.restore(tmp_path, make(1), others)


def test_changed_conditions_are_a_line(tmp_path):
    write(tmp_path, 1)
    others = replace(IDENTITY, conditions=IDENTITY.conditions | {"threads": 4})
    lines = state.restore(tmp_path, make(1), others)
    assert "Bits may differ" in lines[0] and "threads was 2 and is 4" in lines[0]


def test_what_augmentation_takes_is_part_of_what_is_checked(tmp_path):
    cpu, augmentation = torch.device("cpu"), Augmentation()
    known, stronger = (
        state.conditions(cpu, Config(epochs=1, augmentation=a))
        for a in (augmentation, augmentation._replace(shift=3.0))
    )
    assert state.changed_conditions(known, known) == []
    (line,) = state.changed_conditions(known, stronger)
    assert line.startswith("Bits may differ") and "augmentation was" in line
    assert known["augmentation"][-1] == augmentation.num_uniforms


def test_how_hybrids_are_drawn_is_part_of_what_is_checked(monkeypatch):
    cpu, config = torch.device("cpu"), Config(epochs=1, hybrids=2)
    known, without = state.conditions(cpu, config), state.conditions(cpu, Config(epochs=1))
    monkeypatch.setattr("utils.training.draws.EQUAL", 0.5)
    (line,) = state.changed_conditions(known, state.conditions(cpu, config))
    assert line.startswith("Bits may differ") and "hybrids was" in line
    assert state.changed_conditions(without, state.conditions(cpu, Config(epochs=1))) == []


def test_what_a_killed_process_left_is_removed(tmp_path):
    write(tmp_path, 1)
    (tmp_path / "state_2_0.pt.tmp").write_bytes(b"half")
    state.restore(tmp_path, make(1), IDENTITY)
    assert not list(tmp_path.glob("*.tmp"))


def test_when_a_state_is_due(monkeypatch):
    clock = state.Clock(3)
    assert [epoch for epoch in range(1, 10) if clock.is_due(epoch)] == [1, 3, 6, 9]
    now = 100.0
    monkeypatch.setattr(time, "perf_counter", lambda: now)
    clock = state.Clock(None)

    def write_for_two_seconds():
        nonlocal now
        now += 2

    assert clock.is_due(1)
    clock.time(write_for_two_seconds)
    now += 97
    assert not clock.is_due(5)  # 2 of 99 seconds since the last one was due
    now += 2
    assert clock.is_due(6)
    assert not clock.is_due(7)  # though it is not written yet


def test_other_hybrids_are_named_only_where_nothing_else_was_changed(tmp_path):
    known = {"seed": 41, "pairs_sha256": "a"}
    state.check_settings(known, dict(known), tmp_path)
    with pytest.raises(ValueError, match="taught other hybrids, by another version"):
        state.check_settings(known, known | {"pairs_sha256": "b"}, tmp_path)
    # Another seed has other training sprites, and so other pairs.
    with pytest.raises(ValueError, match="pairs_sha256 was a and is b, seed was 41 and is 7"):
        state.check_settings(known, {"seed": 7, "pairs_sha256": "b"}, tmp_path)
