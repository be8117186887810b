"""The explorer as one HTML file: its sources filled in, under a policy that forbids connections.

    write_page(path, facts, {"decoder": packed})

The sources lie beside this file. All but worker.js and weights.js, which run in a worker, become
one script; a file may use what those before it in `SCRIPTS` define.
"""

import base64
import hashlib
import io
import json
import re
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from utils.data_utils import to_uint8
from utils.files import write_whole
from utils.pictures.explorer.weights import Packed

SOURCES = Path(__file__).parent
SCRIPTS = (
    *("dom", "facts", "latents", "pixels", "studio", "hand", "slots"),
    *("map", "sliders", "blend", "breed", "tray", "fitted", "draw", "tabs", "start"),
)
WORKER = ("weights", "worker")
ATLAS_COLUMNS = 32


def write_page(path: Path, facts: dict, networks: dict[str, Packed]) -> None:
    """Write the page.

    Parameters
    ----------
    path : Path
    facts : dict
        What facts.js reads; arrays become base64 of float32.
    networks : dict
        "decoder", and "encoder" if the page shall have one.
    """
    facts = {name: as_json(value) for name, value in facts.items()}
    for name in ("decoder", "encoder"):
        facts[name] = networks[name].layers if name in networks else None
    style, script, worker = source("page.css"), joined(SCRIPTS), joined(WORKER)
    parts = {
        "policy": policy(script, style),
        "style": style,
        "script": script,
        "worker": worker,
        # No name of a sprite can end the block: in JSON "<" has another way to be written.
        "facts": json.dumps(facts).replace("<", "\\u003c"),
        "decoder": networks["decoder"].text,
        "encoder": networks["encoder"].text if "encoder" in networks else "",
    }
    page = re.sub(r"\{\{(\w+)\}\}", lambda match: parts[match[1]], source("page.html"))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page.encode())


def source(name: str) -> str:
    """Return the text of a source, with the line ends that a browser makes of it."""
    return (SOURCES / name).read_text(encoding="utf-8")


def joined(names: tuple[str, ...]) -> str:
    """Return scripts as one, in strict mode."""
    return "\n".join(['"use strict";', *(source(f"{name}.js") for name in names)])


def policy(script: str, style: str) -> str:
    """Return a Content-Security-Policy under which this page runs, and connects to nothing."""

    def digest(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    rules = (
        "default-src 'none'",
        f"script-src {digest(script)}",
        f"style-src {digest(style)}",
        "img-src data: blob:",
        "worker-src blob:",
        "base-uri 'none'",
        "form-action 'none'",
    )
    return "; ".join(rules)


def as_json(value: object) -> object:
    """Return an array as base64 of float32, and anything else as it is."""
    if isinstance(value, np.ndarray):
        return base64.b64encode(np.ascontiguousarray(value, "<f4").tobytes()).decode()
    return value


def atlas(sprites: Tensor) -> str:
    """Return sprites (N, 3, S, S) in lines of `ATLAS_COLUMNS`, as the address of a PNG."""
    count, _, side, _ = sprites.shape
    rows = -(-count // ATLAS_COLUMNS)
    cells = np.full((rows * ATLAS_COLUMNS, side, side, 3), 255, np.uint8)
    cells[:count] = to_uint8(sprites).permute(0, 2, 3, 1).numpy()
    cells = cells.reshape(rows, ATLAS_COLUMNS, side, side, 3).swapaxes(1, 2)
    buffer = io.BytesIO()
    picture = Image.fromarray(cells.reshape(rows * side, ATLAS_COLUMNS * side, 3))
    picture.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
