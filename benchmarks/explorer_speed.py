"""How fast a sprite is decoded in the page of vis4.py while a slider is dragged.

    python vis4.py
    python benchmarks/explorer_speed.py vis/exp4-Explorer/explorer.html

Drags each slider of the page from end to end in headless Chromium, with the mouse. A frame is
timed in the page with performance.now: from the event of the slider to the sprite on its canvas,
the way to the worker and back included. Needs playwright, and Chromium as `--browser` says.
"""

import argparse
import statistics
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from utils.cli import Parser, integer, run_script

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
# The page measures each frame, and says so to observers.
OBSERVE = """() => {
  window.times = [];
  const note = (list) => window.times.push(...list.getEntries().map(({ duration }) => duration));
  new PerformanceObserver(note).observe({ entryTypes: ["measure"] });
}"""


def get_args_parser() -> argparse.ArgumentParser:
    """Return the parser of this program's arguments."""
    parser = Parser("Time the frames of the explorer.")
    parser.add_argument("page", help="the HTML file that vis4.py wrote")
    parser.add_argument("--browser", default="/usr/bin/chromium", help="path of Chromium")
    parser.add_argument("--steps", type=integer(2), default=100, help="of the mouse on a slider")
    return parser


def main(args: argparse.Namespace) -> None:
    """Drag, and print what the page measured."""
    from playwright.sync_api import sync_playwright

    if not Path(args.page).is_file():
        raise ValueError(f"there is no page {args.page}; python vis4.py writes one")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=args.browser, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(Path(args.page).resolve().as_uri())
        while not page.evaluate("hand.pixels !== null"):
            page.wait_for_timeout(100)
        page.wait_for_timeout(2000)  # previews are done
        page.evaluate(OBSERVE)
        for slider in page.locator("#sliders input").all():
            box = slider.bounding_box()
            y = box["y"] + box["height"] / 2
            page.mouse.move(box["x"] + box["width"] / 2, y)
            page.mouse.down()
            for step in range(args.steps):
                page.mouse.move(box["x"] + box["width"] * step / (args.steps - 1), y)
            page.mouse.up()
            page.wait_for_timeout(500)
        times = sorted(page.evaluate("window.times"))
        version = browser.version
        browser.close()
    print(f"Chromium {version}: {len(times)} frames, milliseconds from the event to the canvas")
    print(f"median {statistics.median(times):.1f}, 90 % below {times[int(0.9 * len(times))]:.1f}")


if __name__ == "__main__":
    run_script(main, get_args_parser())
