"""A real browser for tests of pages: Debian's chromium, driven by Playwright."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

FLAGS = [  # without the last three, Chromium looks for its maker's servers
    *("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"),
    *("--disable-quic", "--disable-component-update", "--disable-sync"),
]
AXE = Path(__file__).parents[1] / ".ci" / "node_modules" / "axe-core" / "axe.min.js"


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
