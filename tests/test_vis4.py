"""The page of vis4.py in a real browser, and the ways out to other programs."""

import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

import main
import vis4
from utils.data_utils import load_sprite, to_float
from utils.latents.interpolation import lerp, slerp, surface
from utils.latents.runs import encode, open_run, run_sprites
from utils.pictures.explorer.weights import Packed, with_packed
from utils.pictures.export import BACKGROUND
from utils.run import exchange
from utils.run.checkpoint import load_model
from utils.training.engine import decode

from .browser import AXE, Watched, chromium
from .conftest import write_sprites

RUN = "output_dir_lr0.0005_epoch200_latent5_hidden32"
PAGE = "vis/exp4-Explorer/explorer.html"
MARKUP = "<img src=x onerror=document.title=1>.png"
TABS = ("map", "blend", "breed", "draw")


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


# ---- what the page computes


def test_the_page_decodes_as_the_model_does(opened, run, trained):
    latents = torch.randn(5, 5, generator=torch.Generator().manual_seed(0))
    watched = opened()
    squared = []
    for z in latents:
        z = torch.tensor([round(value, 3) for value in z.tolist()])
        anchor = ",".join(str(value) for value in z.tolist())
        watched.page.evaluate("(z) => { hand.pixels = null; location.hash = `z=${z}`; }", anchor)
        watched.wait_for("hand.pixels !== null")
        shown = canvas_pixels(watched.page, "#hand-canvas")
        inside = shown[..., 3] > 0
        expected, twin = (
            decode(model, z[None])[0].permute(1, 2, 0).numpy()
            for model in (run.model, page_model(run.model, trained))
        )
        # What is cut out is background; all else is what the twin says, and near the model.
        assert (expected[~inside].min(-1) >= (BACKGROUND - 3) / 255).all()
        assert inside.any()
        difference = shown[inside][:, :3] - (twin[inside] * 255)
        assert np.abs(difference).max() <= 0.51
        squared.append(np.square(shown[inside][:, :3] / 255 - expected[inside]).mean())
    assert -10 * np.log10(np.mean(squared)) > 40


def test_the_page_encodes_as_the_model_does(opened, run, trained):
    sprites = run_sprites(run, str(trained / "figure"))
    x = to_float(sprites.pixels[3])
    watched = opened()
    found = watched.page.evaluate(
        """async (x) => {
          const { mean, deviation } = await encode(Float32Array.from(x));
          return [Array.from(mean), Array.from(deviation)];
        }""",
        x.flatten().tolist(),
    )
    twin = page_model(run.model, trained)
    mu, logvar = (part[0].detach() for part in twin.encode(x[None]))
    assert torch.allclose(torch.tensor(found[0]), mu, atol=1e-4)
    assert torch.allclose(torch.tensor(found[1]), torch.exp(logvar / 2), atol=1e-4)


@pytest.mark.parametrize("mix", [lerp, slerp])
def test_blends_are_those_of_the_grids(opened, mix):
    corners = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    found = opened().page.evaluate(
        """([corners, mix]) => Array.from({ length: 16 }, (_, k) => Array.from(onSquare(
          corners.map((z) => Float32Array.from(z)), (k % 4) / 3, Math.floor(k / 4) / 3,
          { lerp, slerp }[mix])))""",
        [corners.tolist(), mix.__name__],
    )
    assert torch.allclose(torch.tensor(found).view(4, 4, 5), surface(corners, 4, mix), atol=1e-5)


def test_samplers_of_the_page(opened, run, trained):
    sprites = run_sprites(run, str(trained / "figure"))
    mu = encode(run.model, sprites.pixels)
    found = opened().page.evaluate(
        """() => [samplers.prior, samplers.neighbours].map((draw) =>
          Array.from({ length: 400 }, () => Array.from(draw())))"""
    )
    prior, neighbours = (torch.tensor(z) for z in found)
    assert prior.mean(0).abs().max() < 0.25 and (prior.std(0) - 1).abs().max() < 0.2
    assert torch.isfinite(neighbours).all()
    spread = (mu - mu.mean(0)).abs().max() * 1.3
    assert (neighbours - mu.mean(0)).abs().max() < spread


@pytest.mark.parametrize("size", [(40, 40), (12, 9), (33, 20), (70, 64)])
def test_a_png_is_fitted_as_by_the_loader(opened, tmp_path, size):
    rng = np.random.default_rng(3)
    rgba = np.zeros((size[1], size[0], 4), np.uint8)
    rgba[2:-3, 1:-2] = [*rng.integers(0, 256, 3), 255]
    if size[0] > 40:  # a large canvas whose drawing fits
        rgba[40:], rgba[:, 30:] = 0, 0
    path = tmp_path / "own.png"
    Image.fromarray(rgba).save(path)
    watched = opened()
    watched.page.set_input_files("#file", path)
    watched.wait_for("byId('posterior').textContent !== ''")
    expected = load_sprite(path).permute(1, 2, 0).numpy()
    shown = canvas_pixels(watched.page, "#drawing")
    shown[shown[..., 3] == 0] = 255  # what is cut out was white
    assert np.array_equal(shown[..., :3], expected)


def drawing_of(watched, path):
    """Return the RGB that the page draws of a file, (S, S, 3)."""
    watched.page.evaluate("byId('posterior').textContent = ''")
    watched.page.set_input_files("#file", path)
    watched.wait_for("byId('posterior').textContent !== ''")
    shown = canvas_pixels(watched.page, "#drawing")
    shown[shown[..., 3] == 0] = 255  # what is cut out was white
    return shown[..., :3]


@pytest.mark.parametrize("times", [1, 3, 8])
def test_the_saved_png_can_be_opened_again(opened, tmp_path, times):
    watched = opened()
    page = watched.page
    page.select_option("#scale", str(times))
    with page.expect_download() as download:
        page.click("#save")
    download.value.save_as(tmp_path / "saved.png")
    saved = canvas_pixels(page, "#hand-canvas")
    saved[saved[..., 3] == 0] = 255
    page.click("#tab-draw")
    assert np.array_equal(drawing_of(watched, tmp_path / "saved.png"), saved[..., :3])


@pytest.mark.parametrize("background", [(255, 0, 255, 255), (9, 9, 9, 255), (250, 250, 250, 3)])
def test_a_background_is_taken_away_as_by_the_loader(opened, tmp_path, background):
    rgba = np.full((64, 64, 4), background, np.uint8)
    rgba[20:49, 11:40] = np.random.default_rng(1).integers(0, 200, (29, 29, 4)) | (0, 0, 0, 255)
    rgba[30:33, 21:25] = background  # a hole: of a key colour it is background too
    path = tmp_path / "own.png"
    Image.fromarray(rgba).save(path)
    expected = load_sprite(path).permute(1, 2, 0).numpy()
    found = drawing_of(opened(), path)
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_a_dropped_png_is_drawn_and_mixed(opened, trained):
    watched = opened()
    page = watched.page
    png = list((trained / "figure" / "003.png").read_bytes())
    page.evaluate(
        """(png) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([Uint8Array.from(png)], "own.png"));
          document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true }));
        }""",
        png,
    )
    watched.wait_for("document.querySelectorAll('#mixed button').length === 5")
    assert page.is_visible("#draw") and "nats" in page.locator("#posterior").text_content()
    before = page.locator("#posterior").text_content()
    box = page.locator("#drawing").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 180, steps=4)
    page.mouse.up()
    watched.wait_for(f"byId('posterior').textContent !== {before!r}")
    page.locator("#mixed button").first.click()
    assert page.locator("#hand-name").text_content().startswith("Half the drawing, half ")


def test_the_chosen_colour_stays(opened):
    watched = opened()
    page = watched.page
    page.click("#tab-draw")
    page.locator("#palette button").last.click()
    chosen = "document.querySelector('#palette [aria-checked=true]').title"
    before = page.evaluate(chosen)
    page.evaluate("byId('palette').firstChild.remove()")
    page.click("#surprise")
    watched.wait_for("byId('palette').firstChild.title.startsWith('White')")
    assert page.evaluate(chosen) == before


def test_undo_takes_back_a_stroke(opened):
    page = opened().page
    page.click("#surprise")
    page.click("#tab-draw")
    hand, blank = page.evaluate("[addressOf(hand.z), byId('drawing').toDataURL()]")
    box = page.locator("#drawing").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 180, steps=3)
    page.mouse.up()
    page.evaluate("document.activeElement.blur()")  # which hides where the keys are
    drawn = page.evaluate("byId('drawing').toDataURL()")
    page.keyboard.press("Control+z")
    assert page.evaluate("[addressOf(hand.z), byId('drawing').toDataURL()]") == [hand, blank]
    page.keyboard.press("Control+y")
    assert page.evaluate("byId('drawing').toDataURL()") == drawn != blank
    page.click("#tab-map")
    page.keyboard.press("Control+z")
    assert page.evaluate("addressOf(hand.z)") != hand


def test_a_file_that_is_no_picture(opened, tmp_path):
    (tmp_path / "own.png").write_text("no picture")
    page = opened().page
    page.click("#tab-draw")
    page.set_input_files("#file", tmp_path / "own.png")
    page.wait_for_timeout(300)
    assert "cannot be read" in page.locator("#said").text_content()


# ---- what a person does


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


def test_what_is_collected_is_what_is_in_hand(opened):
    watched = opened()
    watched.page.evaluate(
        """() => {
          for (const id of ["surprise", "collect", "surprise", "collect"]) byId(id).click();
        }"""
    )
    watched.page.wait_for_timeout(500)
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


# ---- for everybody


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 360])
def test_axe_finds_nothing(opened, scheme, width):
    if not AXE.is_file():
        pytest.skip("axe-core is not installed; see .ci/run")
    page = opened(color_scheme=scheme, viewport={"width": width, "height": 740}).page
    page.evaluate(AXE.read_text(encoding="utf-8"))
    page.click("#collect")
    for tab in TABS:
        page.click(f"#tab-{tab}")
        page.wait_for_timeout(200)
        found = page.evaluate("axe.run().then(({ violations }) => violations)")
        assert [(v["id"], [n["html"] for n in v["nodes"]]) for v in found] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def page_of_size(folder, size):
    """Write the page of a barely trained run on sprites of some size; return its path."""
    write_sprites(folder / "figure")
    arguments = f"--epoch 1 --hidden_size 8 --latent_size 4 --image_size {size} --device cpu"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        main.main(main.get_args_parser().parse_args(arguments.split()))
        vis4.main(vis4.get_args_parser().parse_args(["--with_encoder"]))
    return folder / PAGE


@pytest.mark.parametrize("size", [16, 64, 128])
def test_sprites_of_any_size_have_room(browser, tmp_path, size):
    path = page_of_size(tmp_path, size)
    for width in (1280, 360):
        watched = Watched(browser, path, viewport={"width": width, "height": 740})
        page = watched.page
        page.click("#collect")
        page.evaluate("byId('draw-copy').click()")
        for tab in TABS:
            page.click(f"#tab-{tab}")
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            # Nothing in a panel reaches beyond it, but for strips that scroll.
            beyond = page.evaluate(
                """(tab) => {
                  const panel = byId(tab);
                  const right = panel.getBoundingClientRect().right + 1;
                  return [...panel.querySelectorAll("canvas, button")]
                    .filter((node) => !node.closest("#draws, #mixed, .remove"))
                    .filter((node) => node.getBoundingClientRect().right > right).length;
                }""",
                tab,
            )
            assert beyond == 0, (width, tab)
        watched.context.close()
        assert watched.wrong == []


def test_fingers(opened):
    page = opened(viewport={"width": 360, "height": 740}, has_touch=True).page
    page.locator("#map-canvas").scroll_into_view_if_needed()
    before = page.evaluate("addressOf(hand.z)")
    box = page.locator("#map-canvas").bounding_box()
    page.touchscreen.tap(box["x"] + 30, box["y"] + 200)
    taken = page.evaluate("addressOf(hand.z)")
    assert taken != before

    # Two fingers that part zoom, and take nothing.
    seen = page.locator("#map-canvas").screenshot()
    touch = page.context.new_cdp_session(page)
    x, y = box["x"] + box["width"] / 2, box["y"] + 150
    for kind, apart in (("touchStart", 20), ("touchMove", 40), ("touchMove", 80), ("touchEnd", 0)):
        points = [{"x": x + side * apart, "y": y, "id": side} for side in (-1, 1) if apart]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(200)
    assert page.locator("#map-canvas").screenshot() != seen
    assert page.evaluate("addressOf(hand.z)") == taken


# ---- the script


def test_the_page_is_one_file_and_its_error_is_printed(script):
    code, out, err = script(vis4)
    assert code == 0, err
    assert out.strip().endswith(str(Path(PAGE)))
    measured = [float(value) for value in re.findall(r"([\d.]+) dB", out)]
    assert len(measured) == 3 and min(measured) >= 40
    page = Path(PAGE).read_text()
    assert not re.search(r"(src|href)=[\"']?(https?:|//)", page)
    assert "default-src 'none'" in page and "unsafe" not in page
    assert '"encoder": null' in page


def test_a_solved_run_says_what_it_is(script):
    path = Path(RUN, "args.json")
    code, out, _ = script(vis4)
    assert code == 0 and vis4.SOLVED not in out
    path.write_text(json.dumps(json.loads(path.read_text()) | {"init": "solve"}))
    code, out, err = script(vis4)
    assert code == 0, err
    assert vis4.SOLVED in out and vis4.SOLVED in Path(PAGE).read_text()


def test_what_a_user_gets_wrong(script):
    for arguments, said in (
        (("--finish",), "as they are decoded"),
        (("--most", 1), "not a whole number"),
        (("--export", "jpeg"), "invalid choice"),
        (("--run", "nowhere"), "there is no run nowhere"),
    ):
        code, _, err = script(vis4, *arguments)
        assert code == 2 and said in err and err.count("\n") == 1


def test_many_sprites_are_thinned(script):
    code, out, _ = script(vis4, "--most", 6)
    assert code == 0 and "6 of 12 sprites" in out
    facts = re.search(r'id="facts">(.*?)</script>', Path(PAGE).read_text(), re.DOTALL)[1]
    assert len(json.loads(facts)["names"]) == 6


# ---- ways out


def test_safetensors_have_the_keys_of_the_checkpoint(script, run):
    code, out, err = script(vis4, "--export", "safetensors")
    assert code == 0, err
    again = load_model(out.strip())
    for name, weight in run.model.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight)


def test_onnx_is_the_model(script, run):
    for package in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    code, out, err = script(vis4, "--export", "onnx")
    assert code == 0, err
    assert sorted(path.name for path in Path("vis/exp4-Explorer").glob("*.onnx*")) == [
        "decoder.onnx",
        "encoder.onnx",
    ]
    assert out.count("of PyTorch") == 2


def test_a_missing_package_is_one_line(script, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(exchange, "importlib", SimpleNamespace(import_module=missing))
    code, _, err = script(vis4, "--export", "onnx")
    assert code == 2 and "requirements-export.txt" in err and err.count("\n") == 1
