"""Several processes of torchrun compute what one would, and end together."""

import csv
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import main
from utils.cli import InputError
from utils.training import processes

ROOT = Path(main.__file__).parent
# Not divided by two or four: shares of 5 and 5, and of 2, 3, 2 and 3. Augmentation pastes parts of
# other sprites of the batch.
SMALL = "--data_path monsters:40 --hidden_size 32 --batch_size 10 --device cpu --precision fp32"
LONG = f"{SMALL} --epoch 80 --state_period 2 --save_period 50"
LONG_FOLDER = Path("output_dir_lr0.0005_epoch80_latent16_hidden32")
PROGRAM = f"""
import os, sys
from pathlib import Path
if __name__ == "__main__":
    Path("pid" + os.environ["RANK"]).write_text(str(os.getpid()))
    sys.path.insert(0, {str(ROOT)!r})
    import main
    main.run_script(main.main, main.get_args_parser())
"""


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to train in, with a program that is main.py and leaves its process ids."""
    monkeypatch.chdir(tmp_path)
    Path("program.py").write_text(PROGRAM)
    return tmp_path


def start(count, arguments, *options, program="program.py"):
    """Start main.py in so many processes."""
    launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc_per_node={count}"]
    return subprocess.Popen(
        [*launcher, *options, program, *arguments.split()],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def run(count, arguments, *options):
    """Return exit code, output and errors of main.py in so many processes."""
    process = start(count, arguments, *options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def losses(folder):
    with (folder / "history.csv").open(newline="") as file:
        return [(float(row["loss"]), float(row["val_loss"])) for row in csv.DictReader(file)]


def alone(run_script, arguments):
    """Train in this process, and return the losses."""
    code, _, err = run_script(main, *arguments.split(), "--output_dir", "alone")
    assert code == 0, err
    (folder,) = Path().glob("alone_*")
    return losses(folder)


def wait_for_a_state(process):
    """Wait until a run has trained for a few epochs."""
    deadline = time.monotonic() + 300
    while not any(int(path.name.split("_")[1]) >= 4 for path in LONG_FOLDER.glob("state_*_*.pt")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)


def hit(rank, number):
    """Send a signal to one of the processes."""
    os.kill(int(Path(f"pid{rank}").read_text()), number)


@pytest.mark.parametrize(
    ("count", "options"), [(2, "--augment"), (4, "--augment"), (2, "--hybrids 2 --init pca")]
)
def test_so_many_processes_compute_what_one_does(run_script, workplace, count, options):
    arguments = f"{SMALL} --epoch 20 {options}"
    expected = alone(run_script, arguments)
    Path("program.py").write_text(PROGRAM)
    code, out, err = run(count, arguments)
    assert code == 0, err
    (folder,) = Path().glob("output_dir_*")
    found = losses(folder)
    assert len(found) == 20
    assert found[0] == pytest.approx(expected[0], rel=1e-5)
    assert found[19] == pytest.approx(expected[19], rel=1e-3)
    assert out.count("Trained epochs 0 to 19") == out.count("Split: 39 to train on") == 1


def test_hybrids_of_a_resumed_run_have_the_first_process_s_encoder(run_script, workplace):
    arguments = f"{SMALL} --epoch 4 --hybrids 2 --init pca --state_period 1"
    expected = alone(run_script, arguments)
    Path("program.py").write_text(PROGRAM)
    folder = Path("output_dir_lr0.0005_epoch4_latent16_hidden32")
    code, _, err = run_script(main, *arguments.split())
    assert code == 0, err
    for path in folder.glob("state_4_*"):  # as if it had been killed in the last epoch
        path.unlink()
    code, out, err = run(2, f"--resume {folder}")
    assert code == 0, err
    assert "Resuming in epoch 3" in out
    assert losses(folder)[3] == pytest.approx(expected[3], rel=1e-5)


def test_a_signal_to_any_process_stops_all_and_another_number_resumes(run_script, workplace):
    process = start(2, LONG)
    wait_for_a_state(process)
    hit(1, signal.SIGTERM)
    out, err = process.communicate(timeout=300)
    assert out.count("Stopped in epoch") == 1 and "exitcode  : 143" in err
    epoch = int(re.search(r"Stopped in epoch (\d+)", out)[1])
    assert list(LONG_FOLDER.glob(f"state_{epoch}_*.pt"))
    code, out, err = run_script(main, "--resume", LONG_FOLDER)
    assert code == 0, err
    assert "processes was 2 and is 1" in out and f"Resuming in epoch {epoch}" in out
    found, expected = losses(LONG_FOLDER), alone(run_script, LONG)
    assert len(found) == 80
    assert [a[0] for a in found] == pytest.approx([b[0] for b in expected], rel=1e-3)


def test_a_signal_to_torchrun_stops_the_run(workplace):
    process = start(2, LONG)
    wait_for_a_state(process)
    process.send_signal(signal.SIGTERM)
    hit(0, signal.SIGTERM)  # as a scheduler does that signals all processes of a job
    out, _ = process.communicate(timeout=300)
    assert out.count("Stopped in epoch") == 1


@pytest.mark.parametrize("victim", [0, 1])
def test_a_killed_process_ends_the_run_and_restarts_resume_it(run_script, workplace, victim):
    options = ("--max_restarts=2",) if victim == 0 else ()
    process = start(2, f"{LONG} --resume", *options)
    wait_for_a_state(process)
    hit(victim, signal.SIGKILL)
    out, err = process.communicate(timeout=300)
    if victim == 0:
        assert process.returncode == 0, err
    else:
        assert process.returncode != 0
        assert err.count("error: another process of this run was killed") == 1
        assert "Traceback" not in err[: err.index("was killed")]
        code, out, err = run_script(main, "--resume", LONG_FOLDER)
        assert code == 0, err
    assert "Resuming in epoch" in out
    found, expected = losses(LONG_FOLDER), alone(run_script, LONG)
    assert [a[0] for a in found] == pytest.approx([b[0] for b in expected], rel=1e-3)


def test_an_error_of_one_process_is_one_line(workplace):
    # The second looks for its sprites in vain.
    elsewhere = "if os.environ['RANK'] == '1': os.makedirs('empty', exist_ok=True); "
    elsewhere += "os.chdir('empty')"
    text = PROGRAM.replace("    import main\n", f"    {elsewhere}\n    import main\n")
    Path("program.py").write_text(text)
    Path("sprites").mkdir()
    from PIL import Image

    for index in range(8):
        Image.new("RGBA", (40, 40), (index, 0, 0, 255)).save(f"sprites/{index}.png")
    code, _, err = run(2, SMALL.replace("monsters:40", "sprites"))
    assert code != 0
    assert err.count("program.py: error: ") == 1 and "there is no folder or zip sprites" in err
    assert not list(Path().glob("output_dir*"))


# ---- functions, as if torchrun had started this process


@pytest.fixture
def as_one_of(monkeypatch):
    """Make this process one of several, without the others."""

    def pretend(rank, count):
        monkeypatch.setenv("RANK", str(rank))
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        monkeypatch.setenv("WORLD_SIZE", str(count))

    return pretend


@pytest.mark.parametrize(("size", "count"), [(10, 1), (10, 4), (4, 4), (256, 3)])
def test_shares_make_the_whole_batch_and_its_mean(as_one_of, size, count):
    values, found, mean = torch.rand(size), [], 0.0
    for rank in range(count):
        as_one_of(rank, count)
        mine, weight = processes.share(size)
        found += range(size)[mine]
        mean += weight * values[mine].mean() / count
    assert found == list(range(size))
    assert mean == pytest.approx(values.mean())


def test_fewer_sprites_than_processes_are_refused(as_one_of):
    as_one_of(0, 8)
    processes.check_shares(8, 100)
    for batch_size, num_sprites in ((256, 7), (7, 100)):
        with pytest.raises(InputError, match="start at most 7"):
            processes.check_shares(batch_size, num_sprites)


def test_each_process_has_a_gpu_of_its_own(as_one_of, monkeypatch):
    assert processes.own_device("cuda:1") == "cuda:1"  # alone
    chosen = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    as_one_of(1, 3)
    assert processes.own_device(None) == processes.own_device("cuda") == "cuda"
    assert chosen == [1, 1]
    assert processes.own_device("cpu") == "cpu"
    as_one_of(2, 3)
    with pytest.raises(InputError, match="--nproc_per_node=2"):
        processes.own_device(None)
    for name in ("cuda:1", "mps"):
        with pytest.raises(InputError, match="leave it out"):
            processes.own_device(name)


def test_a_single_process_of_torchrun_is_alone(as_one_of):
    as_one_of(0, 1)
    model = torch.nn.Linear(2, 2)
    assert processes.count() == 1 and processes.rank() == 0
    assert processes.parallel(model) is model
    assert processes.agreed(15) == 15 and processes.agreed(None) is None
