"""A real browser for tests of pages: Debian's chromium, driven by Playwright."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from utils.pictures.explorer.weights import Packed, with_packed

RUN = "output_dir_lr0.0005_epoch200_latent5_hidden32"
PAGE = "vis/exp4-Explorer/explorer.html"
MARKUP = "<img src=x onerror=document.title=1>.png"
TABS = ("map", "blend", "breed", "draw")

FLAGS = [  # without the last three, Chromium looks for its maker's servers
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-quic", "--disable-component-update", "--disable-sync"),
]
AXE = Path(__file__).parents[2] / ".ci" / "node_modules" / "axe-core" / "axe.min.js"


@contextmanager
def chromium() -> Iterator[object]:
    """Yield a browser, or skip the test where there is none."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no chromium on this machine")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Watched:
    """A page that keeps what went wrong: messages on its console, errors, and requests."""

    def __init__(self, browser, path: Path, anchor: str = "", **options):
        self.context = browser.new_context(accept_downloads=True, **options)
        self.page = page = self.context.new_page()
        self.wrong: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.wrong.append(message.text))
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.goto(path.resolve().as_uri() + anchor)
        self.wait_for("hand.pixels !== null")

    def wait_for(self, condition: str, seconds: float = 20) -> None:
        """Wait until a JavaScript expression is true; the page's policy forbids to wait in it."""
        for _ in range(int(seconds * 50)):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(20)
        raise AssertionError(f"not within {seconds} s: {condition}; {self.wrong}")

    @property
    def connections(self) -> list[str]:
        """What was asked of anything but the page itself."""
        own = ("data:", "blob:", self.page.url.split("#")[0])
        return [url for url in self.requests if not url.startswith(own)]


def canvas_pixels(page, selector):
    """Return the RGBA of a canvas, (S, S, 4)."""
    width, height, values = page.evaluate(
        """(selector) => {
          const { width, height } = document.querySelector(selector);
          const context = document.querySelector(selector).getContext("2d");
          return [width, height, Array.from(context.getImageData(0, 0, width, height).data)];
        }""",
        selector,
    )
    return np.array(values, np.uint8).reshape(height, width, 4)


def page_model(model, trained):
    """Return the model that the page holds, read from its file."""
    text = (trained / PAGE).read_text()
    blocks = dict(re.findall(r'<script type="[^"]*" id="(\w+)">(.*?)</script>', text, re.DOTALL))
    facts = json.loads(blocks["facts"])
    names = ("decoder", "encoder")
    return with_packed(model, {name: Packed(facts[name], blocks[name]) for name in names})
