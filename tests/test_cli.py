"""What happens between a script and its exit code."""

import contextlib
import io
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import main
from utils import cli
from utils.cli import SIGNALS, Parser, Unbreakable, printing_never_fails, quoted

ROOT = Path(main.__file__).parent


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_letters_that_a_console_cannot_show_are_replaced(encoding):
    data = io.BytesIO()
    stream = Unbreakable(io.TextIOWrapper(data, encoding=encoding))
    print("\u30b9 \udcff \u00e9", file=stream)
    stream.flush()
    assert data.getvalue().decode(encoding).startswith("\\u30b9 \\udcff ")


def test_without_a_console_all_is_silent(monkeypatch):
    for name in ("stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    with printing_never_fails():
        print("nothing", flush=True)
        print("nothing", file=sys.stderr)
    assert sys.stdout is None and sys.stderr is None


def test_a_reader_that_leaves_ends_nothing(tmp_path):
    code = (
        "from utils.cli import *\n"
        "def chatter(args):\n"
        "    for line in range(10**5): print(line)\n"
        "    open('done', 'w').close()\n"
        "run_script(chatter, Parser(''))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdout.readline()
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait(20) == 0 and error == b"" and (tmp_path / "done").exists()


@pytest.mark.parametrize("end", [lambda args: None, lambda args: sys.exit(3)])
def test_the_callers_handlers_and_streams_come_back(monkeypatch, end):
    monkeypatch.setattr("sys.argv", ["script.py"])
    before = [signal.getsignal(number) for number in SIGNALS], sys.stdout, sys.stderr
    with contextlib.suppress(SystemExit):
        cli.run_script(end, Parser("A script."))
    assert before == ([signal.getsignal(number) for number in SIGNALS], sys.stdout, sys.stderr)


def test_main_may_be_called_in_a_thread(sprite_folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = f"--data_path {sprite_folder} --epoch 2 --hidden_size 16 --device cpu"
    args = main.get_args_parser().parse_args(arguments.split())
    thread = threading.Thread(target=main.main, args=(args,))
    thread.start()
    thread.join()
    assert list(tmp_path.glob("output_dir_*/checkpoint_1.pt"))


@pytest.mark.skipif(os.name == "nt", reason="another shell")
@pytest.mark.parametrize("name", ["plain", "my runs/a b", "it's", "$HOME", "a;b", "(1)"])
def test_a_path_is_printed_as_a_shell_takes_it(name):
    assert shlex.split(f"python main.py --resume {quoted(Path(name))}")[3:] == [name]
