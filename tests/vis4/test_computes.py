"""What the page computes."""

import numpy as np
import pytest
import torch
from PIL import Image

from utils.data_utils import load_sprite, to_float
from utils.latents.interpolation import lerp, slerp, surface
from utils.latents.runs import encode, run_sprites
from utils.pictures.export import BACKGROUND
from utils.training.engine import decode

from .browser import canvas_pixels, page_model


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
