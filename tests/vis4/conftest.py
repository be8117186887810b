"""A small run, its page, and a browser that opens it."""

import shutil

import pytest

import main
import vis4
from utils.latents.runs import open_run

from ..conftest import write_sprites
from .browser import MARKUP, PAGE, RUN, Watched, chromium


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with sprites, a run on them, and its page with an encoder."""
    folder = tmp_path_factory.mktemp("explored")
    sprites = write_sprites(folder / "figure")
    shutil.copy(sprites / "000.png", sprites / MARKUP)
    arguments = "--epoch 200 --hidden_size 32 --latent_size 5 --batch_size 4 --device cpu"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main.main(main.get_args_parser().parse_args(arguments.split()))
        vis4.main(vis4.get_args_parser().parse_args(["--with_encoder"]))
        yield folder


@pytest.fixture(scope="module")
def run(trained):
    return open_run(str(trained / RUN), None)


@pytest.fixture
def script(run_script, trained):
    """The function (module, *arguments) -> (exit code, stdout, stderr), in a copy of `trained`."""
    shutil.copytree(trained, ".", dirs_exist_ok=True)
    return run_script


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def opened(browser, trained):
    """Open the page; in the end nothing was wrong, and nothing was asked of the network."""
    pages = []

    def open_page(anchor="", **options):
        pages.append(Watched(browser, trained / PAGE, anchor, **options))
        return pages[-1]

    yield open_page
    for watched in pages:
        assert (watched.wrong, watched.connections) == ([], [])
        watched.context.close()
