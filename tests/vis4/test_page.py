"""The page for everybody, the script, and the ways out to other programs."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import main
import vis4
from utils.run import exchange
from utils.run.checkpoint import load_model

from ..conftest import write_sprites
from .browser import AXE, PAGE, RUN, TABS, Watched


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
