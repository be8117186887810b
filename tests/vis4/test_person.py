"""What a person does on the page."""

import numpy as np
import pytest
from PIL import Image

from .browser import MARKUP, PAGE, TABS, Watched, canvas_pixels


def test_every_control(opened):
    watched = opened()
    page = watched.page
    for tab in TABS:
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(150)
        for selector in ("button", "input[type=radio]"):
            for control in page.query_selector_all(f"main {selector}"):
                if control.is_visible() and control.is_enabled():
                    control.click()
            page.click(f"#tab-{tab}")  # one of them was another tab
        for slider in page.locator("input[type=range]").all():
            if slider.is_visible():
                slider.focus()
                page.keyboard.press("ArrowRight")
        for canvas in page.locator("canvas[tabindex]").all():
            if canvas.is_visible():
                canvas.focus()
                for key in ("ArrowLeft", "ArrowDown", "+", "-", " ", "Enter"):
                    page.keyboard.press(key)
                box = canvas.bounding_box()
                page.mouse.move(box["x"] + 40, box["y"] + 40)
                page.mouse.wheel(0, -200)
                page.mouse.down()
                page.mouse.move(box["x"] + 120, box["y"] + 90, steps=5)
                page.mouse.up()
    page.click("#tab-blend")
    box = page.locator("#blend-square").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + 100, box["y"] + 60, steps=5)
    page.mouse.up()
    page.select_option("#sampler", "prior")
    page.click("#surprise")
    for key in ("Control+z", "Control+Shift+z", "Control+z", "Control+y"):
        page.keyboard.press(key)
    page.wait_for_timeout(500)
    assert page.locator("#hand-name").text_content() == "A draw from the prior"


def test_undo_redo_and_the_address(opened):
    watched = opened()
    page = watched.page
    assert page.is_disabled("#undo") and page.is_disabled("#redo")
    first = page.evaluate("addressOf(hand.z)")
    page.click("#surprise")
    second = page.evaluate("addressOf(hand.z)")
    watched.wait_for("location.hash === addressOf(hand.z)")
    assert first != second
    page.click("#undo")
    assert page.evaluate("addressOf(hand.z)") == first and page.is_enabled("#redo")
    page.click("#redo")
    assert page.evaluate("addressOf(hand.z)") == second
    sent = opened(second)
    assert sent.page.evaluate("addressOf(hand.z)") == second
    for wrong in ("#z=1,2", "#z=", "#z=1,2,3,4,NaN", "#y", "#z=a,b,c,d,e"):
        page = opened(wrong).page
        assert page.evaluate("hand.source") >= 0
        assert ("takes 5 numbers" in page.locator("#said").text_content()) == ("z" in wrong)


def test_undo_in_the_middle_of_a_drag(opened):
    page = opened().page
    found = page.evaluate(
        """() => {
          const at = (value) => new Float32Array(latentSize).fill(value);
          const names = () => [hand.past, hand.future].map((list) => list.map(({ z }) => z[0]));
          hand.take(at(1), "one");
          hand.past = [];
          hand.move(at(2), "two");
          hand.step(hand.past, hand.future);
          const undone = [hand.z[0], names()];
          hand.keep(); // the pointer goes up
          return [undone, names()];
        }"""
    )
    assert found == [[1, [[], [2]]], [[], [2]]]


def test_the_saved_png_is_transparent_and_large(opened):
    page = opened().page
    page.select_option("#scale", "3")
    with page.expect_download() as download:
        page.click("#save")
    saved = np.asarray(Image.open(download.value.path()))
    shown = canvas_pixels(page, "#hand-canvas").repeat(3, 0).repeat(3, 1)
    assert saved.shape == (120, 120, 4) and set(np.unique(saved[..., 3])) == {0, 255}
    assert np.array_equal(saved, shown)
    for _ in range(10):
        page.click("#collect")
        page.click("#surprise")
        page.wait_for_timeout(100)
    with page.expect_download() as download:
        page.click("#sheet")
    sheet = np.asarray(Image.open(download.value.path()))
    assert sheet.shape == (240, 960, 4)
    assert np.array_equal(sheet[:120, :120], saved)


# Whether both thumbnails of what is collected, and what is in hand, are drawn. Not by getImageData:
# Chromium warns of many of those.
DRAWN = """[...document.querySelectorAll("#collected .slot canvas, #hand-canvas")].filter((c) => {
  const { width, height } = c;
  const blank = Object.assign(document.createElement("canvas"), { width, height });
  return c.toDataURL() !== blank.toDataURL();
}).length === 3"""


def test_what_is_collected_is_what_is_in_hand(opened):
    watched = opened()
    watched.page.evaluate(
        """() => {
          for (const id of ["surprise", "collect", "surprise", "collect"]) byId(id).click();
        }"""
    )
    watched.wait_for(DRAWN)
    shown = []
    for k in range(2):
        thumbnail = f"#collected .slot:nth-child({k + 1}) canvas"
        shown.append(canvas_pixels(watched.page, thumbnail))
        watched.page.evaluate("hand.pixels = null")
        watched.page.locator("#collected .sprite").nth(k).click()
        watched.wait_for("hand.pixels !== null")
        assert np.array_equal(shown[k], canvas_pixels(watched.page, "#hand-canvas"))
    assert not np.array_equal(*shown)


def test_children_and_corners(opened):
    page = opened().page
    page.click("#tab-breed")
    child = page.locator("#litter button").nth(4)
    page.wait_for_timeout(300)
    child.click()
    assert page.locator("#hand-name").text_content().startswith("A child of ")
    page.click("#go-on")
    label = page.locator("#parents .sprite").first.get_attribute("aria-label")
    assert label.startswith("First parent: a child.")
    page.click("#tab-blend")
    removers = page.locator("#corners .remove")
    for _ in range(2):
        removers.locator("visible=true").first.click()
    assert removers.locator("visible=true").count() == 0  # two are the least
    page.locator("#blend-x").fill("0.5")
    assert page.locator("#hand-name").text_content().count("png") == 2
    page.locator("#corners .sprite").first.click()
    label = page.locator("#corners .sprite").first.get_attribute("aria-label")
    assert label.startswith("Top left: a blend.")
    assert page.locator("#blend-square span").is_hidden()
    page.locator("#blend-x").fill("0.6")
    assert page.locator("#blend-square span").is_visible()
    page.locator("#corners .remove").locator("visible=true").first.press("Enter")
    assert page.evaluate("document.activeElement.className") == "sprite"
    page.click("#tab-breed")
    page.evaluate("hand.take(mu.slice(0, latentSize), names[0], 0)")
    page.click("#go-on")
    label = page.locator("#parents .sprite").first.get_attribute("aria-label")
    assert label.startswith("First parent: 000")


def test_names_are_text(opened):
    watched = opened()
    page = watched.page
    page.fill("#find", "onerror")
    page.keyboard.press("Enter")
    assert page.locator("#hand-name").text_content() == MARKUP
    page.click("#collect")
    for tab in TABS:
        page.click(f"#tab-{tab}")
    page.mouse.move(500, 300)
    assert page.evaluate("document.querySelectorAll('img').length") == 0
    assert page.title() == "Sprite explorer"


def test_that_the_page_does_not_work_stays(opened):
    page = opened().page
    page.evaluate("() => { say('before'); fail('no decoder'); say('after'); }")
    page.wait_for_timeout(4200)
    assert page.locator("#said").text_content() == "no decoder"


def test_the_page_may_not_connect(browser, trained):
    watched = Watched(browser, trained / PAGE)
    blocked = watched.page.evaluate(
        """async () => {
          const tries = [
            () => fetch("https://127.0.0.1:9/"),
            () => new Promise((done, failed) => {
              const image = new Image();
              [image.onload, image.onerror] = [done, failed];
              image.src = "https://127.0.0.1:9/x.png";
            }),
          ];
          return Promise.all(tries.map((go) => go().then(() => false, () => true)));
        }"""
    )
    assert blocked == [True, True]
    assert watched.wrong and all("Content Security Policy" in line for line in watched.wrong[:2])
    watched.context.close()


@pytest.mark.parametrize(("tab", "canvas"), [("map", "#map-canvas"), ("draw", "#drawing")])
def test_the_right_button_changes_nothing(opened, tab, canvas):
    page = opened().page
    page.click(f"#tab-{tab}")
    page.wait_for_timeout(200)
    both = "[addressOf(hand.z), byId('drawing').toDataURL()]"
    before = page.evaluate(both)
    page.click(canvas, button="right", position={"x": 50, "y": 60})
    page.wait_for_timeout(200)
    assert page.evaluate(both) == before
