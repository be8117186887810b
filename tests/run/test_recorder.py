"""A run that is stopped continues as if nothing had happened."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from filelock import FileLock
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import main
from utils import files
from utils.run.recorder import Recorder

from ..conftest import write_sprites

ARGUMENTS = [
    "--epoch",
    "30",
    "--hidden_size",
    "32",
    "--batch_size",
    "4",
    "--device",
    "cpu",
    "--save_period",
    "7",
]
ARGUMENTS += ["--state_period", "3"]
FOLDER = Path("output_dir_lr0.0005_epoch30_latent16_hidden32")


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """A folder with sprites in figure/, and the run that nothing stopped."""
    folder = tmp_path_factory.mktemp("unbroken")
    write_sprites(folder / "figure")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main.main(main.get_args_parser().parse_args(ARGUMENTS))
    return folder


@pytest.fixture
def train(run_script, unbroken):
    """The function (*arguments) -> (exit code, stdout, stderr), beside the same sprites."""
    shutil.copytree(unbroken / "figure", "figure")
    return lambda *arguments: run_script(main, *arguments)


def stop_after(monkeypatch, steps, number=signal.SIGTERM):
    """Let a signal arrive while a run takes its step number `steps`."""
    count = 0

    def should_stop(recorder):
        nonlocal count
        count += 1
        if count == steps:
            signal.raise_signal(number)
        return recorder.signal is not None

    monkeypatch.setattr(Recorder, "should_stop", should_stop)


def same(folder, unbroken, name_there=FOLDER):
    """Assert that a run ended as the unbroken one did."""
    for name in ["history.csv", "samples.png", "reconstructions.png"] + [
        f"checkpoint_{epoch}.pt" for epoch in (0, 7, 14, 21, 28, 29)
    ]:
        assert (folder / name).read_bytes() == (unbroken / name_there / name).read_bytes(), name
    assert not list(folder.glob("*.tmp"))
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    for name in ("train/epoch_loss", "val/epoch_loss", "train/lr"):
        assert [point.step for point in events.Scalars(name)] == list(range(30))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("steps", [1, 2, 24, 60])  # two steps an epoch
def test_stopped_by_a_signal_and_resumed(train, unbroken, monkeypatch, number, steps):
    with monkeypatch.context() as patch:
        stop_after(patch, steps, number)
        code, out, _ = train(*ARGUMENTS)
    assert code == 128 + number
    assert f"python main.py --resume {FOLDER}" in out.splitlines()[-1]
    code, out, err = train("--resume", FOLDER)
    assert code == 0, err
    assert f"Resuming in epoch {(steps - 1) // 2}, at step {(steps - 1) % 2}." in out
    same(FOLDER, unbroken)


@pytest.mark.parametrize(
    "options",
    [
        ("--augment",),
        ("--mirror",),
        ("--fix_encoder", "--init", "pca"),
        ("--encoder_lr", 1e-5),
        ("--huber", 0.1),
    ],
)
def test_a_run_with_options_is_resumed_alike(train, monkeypatch, options):
    recipe = [*ARGUMENTS, *options]
    assert train(*recipe)[0] == 0
    FOLDER.rename("whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 25)
        assert train(*recipe)[0] == 143
    assert train("--resume", FOLDER)[0] == 0
    same(FOLDER, Path(), Path("whole"))


def test_stopped_many_times(train, unbroken, monkeypatch):
    codes = []
    for _ in range(40):
        with monkeypatch.context() as patch:
            stop_after(patch, 8)
            codes.append(train(*ARGUMENTS, "--resume")[0])
        if codes[-1] == 0:
            break
    assert codes[-1] == 0 and len(codes) > 5
    same(FOLDER, unbroken)


def test_killed_and_resumed(train, unbroken):
    command = [sys.executable, Path(main.__file__).resolve(), *ARGUMENTS]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not any(int(path.name.split("_")[1]) >= 6 for path in FOLDER.glob("state_*_*.pt")):
        time.sleep(0.01)
        assert process.poll() is None
    process.kill()
    process.wait()
    assert train("--resume", FOLDER)[0] == 0
    same(FOLDER, unbroken)


def test_resume_needs_no_value_and_a_moved_run_goes_on_where_it_is(train, unbroken, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 20)
        train(*ARGUMENTS)
    shutil.copytree(FOLDER, "moved")
    assert train(*ARGUMENTS, "--resume")[0] == 0
    same(FOLDER, unbroken)
    assert train("--resume", "moved")[0] == 0
    same(Path("moved"), unbroken)


def test_damaged_states_fall_back_and_say_so(train, unbroken, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 40)
        train(*ARGUMENTS)
    newest = FOLDER / "state_19_1.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    code, out, _ = train("--resume", FOLDER)
    assert code == 0 and "state_19_1.pt is damaged" in out and "Resuming in epoch 18" in out
    same(FOLDER, unbroken)


def test_a_run_of_before_an_argument_has_not_got_it(train, unbroken):
    shutil.copytree(unbroken / FOLDER, FOLDER)
    args = json.loads((FOLDER / "args.json").read_text())
    for name in ("mirror", "hybrids", "fix_encoder", "encoder_lr", "huber"):
        del args[name]
    (FOLDER / "args.json").write_text(json.dumps(args))
    added = {("--mirror",): True, ("--hybrids", 2): 2, ("--fix_encoder",): True}
    added |= {("--encoder_lr", 1e-5): 1e-5, ("--huber", 0.5): 0.5}
    for typed, value in added.items():
        code, _, err = train("--resume", FOLDER, *typed)
        assert code == 2 and f"{typed[0]} {value} (the run has" in err
    code, out, _ = train("--resume", FOLDER)
    assert code == 0 and "is finished" in out


def test_a_finished_run_says_so(train, unbroken):
    shutil.copytree(unbroken / FOLDER, FOLDER)
    before = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    code, out, _ = train("--resume", FOLDER)
    assert code == 0 and "is finished" in out
    assert before == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.parametrize("left", ["nothing", "folder", "arguments"])
def test_killed_before_the_first_state(train, unbroken, left):
    if left != "nothing":
        FOLDER.mkdir()
        (FOLDER / "checkpoint_0.pt.tmp").write_bytes(b"half")
    if left == "arguments":
        shutil.copy(unbroken / FOLDER / "args.json", FOLDER)
    Path("output_dir_other").mkdir()
    Path("output_dir_other/state_3_0.pt").touch()
    code, out, err = train(*ARGUMENTS, "--resume")
    assert code == 0, err
    assert "starting at epoch 0" in out
    assert "Other runs here, for --resume DIR: output_dir_other.\n" in out
    same(FOLDER, unbroken)


def test_a_run_without_states_keeps_its_checkpoints(train, unbroken):
    shutil.copytree(unbroken / FOLDER, FOLDER)
    for state in FOLDER.glob("state_*"):
        state.unlink()
    before = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    code, _, err = train(*ARGUMENTS, "--resume")
    assert code == 2 and "has checkpoints but no training state" in err and err.count("\n") == 1
    assert before == {path.name: path.read_bytes() for path in FOLDER.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--lr", "0.001"), "--lr 0.001 (the run has 0.0005)"),
        (("--seed", "1", "--kl_weight", "2"), "--kl_weight 2.0 (the run has 1.0), --seed 1 ("),
        (("--batch_size", "256"), "--batch_size 256 (the run has 4)"),  # typed, if the default
    ],
)
def test_arguments_that_would_change_the_result_are_refused(train, unbroken, arguments, words):
    shutil.copytree(unbroken / FOLDER, FOLDER)
    code, _, err = train("--resume", FOLDER, *arguments)
    assert code == 2 and words in err and err.count("\n") == 1


def test_arguments_that_do_not_are_not(train, unbroken):
    shutil.copytree(unbroken / FOLDER, FOLDER)
    shutil.move("figure", "elsewhere")
    free = ("--device", "cpu", "--data_path", "elsewhere", "--state_period", "9", "--lr", "5e-4")
    assert train("--resume", FOLDER, *free)[0] == 0


def test_changed_sprites_are_refused_by_name(train, monkeypatch):
    with monkeypatch.context() as patch:
        stop_after(patch, 20)
        train(*ARGUMENTS)
    shutil.copy("figure/000.png", "figure/003.png")
    code, _, err = train("--resume", FOLDER)
    assert code == 2 and "changed: 003.png" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": 7}, "args.json was changed (seed was 41 and is 7)"),
        ({"val_ratio": 0.3}, "val_ratio was 0.01 and is 0.3"),
        ({"seed": -1}, "--seed: -1 is not a whole number"),
        ({"save_epochs": ["x"]}, "--save_epochs: x is not a whole number"),
        ({"hidden_size": 0}, "--hidden_size: 0 is not"),
        ({"warmup_epochs": "x"}, "--warmup_epochs: x is not"),
        ({"init": "foo"}, "--init: invalid choice"),
    ],
)
def test_arguments_that_were_changed_on_disk_are_refused(train, monkeypatch, change, words):
    with monkeypatch.context() as patch:
        stop_after(patch, 20)
        train(*ARGUMENTS)
    path = FOLDER / "args.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    code, _, err = train("--resume", FOLDER)
    assert code == 2 and words in err and "args.json" in err and err.count("\n") == 1


def test_a_folder_without_a_run_cannot_be_resumed(train):
    code, _, err = train("--resume", "figure")
    assert code == 2 and "there is no run" in err and err.count("\n") == 1


def test_two_processes_never_write_in_one_folder(train, unbroken):
    shutil.copytree(unbroken / FOLDER, FOLDER)
    lock = FileLock(FOLDER / ".lock", thread_local=False)
    other = threading.Thread(target=lock.acquire)
    other.start()
    other.join()
    for arguments in (("--resume", FOLDER), (*ARGUMENTS, "--overwrite")):
        code, _, err = train(*arguments)
        assert code == 2 and "another process trains in" in err and err.count("\n") == 1


def test_a_full_disk_at_any_write_leaves_a_run_that_goes_on(train, unbroken, monkeypatch):
    sync = files.os.fsync
    left = 0  # writes until the disk is full

    def full(handle):
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(handle)

    for left in (2, 3, 5, 8, 13, 21, 34):  # noqa: B007 (counted down above)
        with monkeypatch.context() as patch:
            patch.setattr(files.os, "fsync", full)
            code, _, err = train(*ARGUMENTS, "--resume")
        assert code == 1 and "No space left on device" in err and err.count("\n") == 1
    assert train(*ARGUMENTS, "--resume")[0] == 0
    same(FOLDER, unbroken)


def test_a_folder_that_vanishes_is_a_clear_error(train, monkeypatch):
    def vanish(recorder):
        shutil.rmtree(FOLDER, ignore_errors=True)
        return False

    monkeypatch.setattr(Recorder, "should_stop", vanish)
    code, _, err = train(*ARGUMENTS)
    assert code == 1 and "No such file or directory" in err and err.count("\n") == 1


def test_typed_arguments_are_told_from_defaults():
    parser = main.get_args_parser()
    assert parser.parse_args([]).typed == set()
    assert parser.parse_args(["--lr", "5e-4", "--overwrite"]).typed == {"lr", "overwrite"}


def test_a_second_signal_stops_at_once(train):
    code = (
        "import main, sys\n"
        "from utils.run.recorder import Recorder\n"
        "from utils.cli import run_script\n"
        "def stuck(recorder):\n"
        "    print('ready', flush=True)\n"
        "    while True: pass\n"
        "Recorder.should_stop = stuck\n"
        f"sys.argv = ['main.py', *{ARGUMENTS}]\n"
        "run_script(main.main, main.get_args_parser())\n"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(main.__file__).parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True
    )
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 128 + signal.SIGTERM


def test_a_signal_before_training_ends_in_one_line(tmp_path):
    code = (
        "import os, signal\n"
        "from utils.cli import run_script\n"
        "import main\n"
        "run_script(lambda args: os.kill(os.getpid(), signal.SIGTERM), main.get_args_parser())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(main.__file__).parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 143 and done.stderr == "stopped by SIGTERM\n"


def test_the_arguments_of_a_run_are_all_in_args_json(unbroken):
    saved = json.loads((unbroken / FOLDER / "args.json").read_text())
    names = set(vars(main.get_args_parser().parse_args([]))) - set(main.NOT_SAVED)
    assert names <= set(saved)
    assert os.sep not in saved["data_path"] and saved["data_path"] == "figure"
