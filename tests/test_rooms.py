"""Imports run one way between the rooms, and no room becomes a hall."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPTS = ["main.py", *(path.name for path in ROOT.glob("vis?.py")), "test_vae.py"]
FILES = sorted([*map(Path, SCRIPTS), *(p.relative_to(ROOT) for p in ROOT.glob("utils/**/*.py"))])
FILES += [Path("model.py")]
# Each may import those to its right, and its own.
LEVELS = (
    ("scripts",),
    ("measures",),
    ("latents",),
    ("run",),
    ("training", "pictures"),
    ("data_utils", "lr_sched"),
    ("sprites",),
    ("model",),
    ("files",),
    ("cli",),
)
LEVEL = {room: level for level, rooms in enumerate(LEVELS) for room in rooms}


def room_of(module: str) -> str:
    """Return the room of a module: utils.run.state is in run, utils.cli is one of its own."""
    parts = module.split(".")
    return (
        "scripts" if f"{parts[0]}.py" in SCRIPTS else parts[1] if parts[0] == "utils" else parts[0]
    )


def imports(path: Path) -> set[str]:
    """Return the modules of this project that a file imports, at its top or in functions."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {module for module in found if room_of(module) in LEVEL}


@pytest.mark.parametrize("path", FILES, ids=str)
def test_imports_run_one_way(path):
    here = room_of(".".join(path.with_suffix("").parts))
    if path.name == "__init__.py":
        assert imports(path) == set()
        return
    for module in imports(path):
        there = room_of(module)
        assert there == here or LEVEL[there] > LEVEL[here], f"{path} imports {module}"
        assert there != "scripts", f"{path} imports a script"


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_and_functions_stay_small(path):
    text = (ROOT / path).read_text(encoding="utf-8")
    assert len(text.splitlines()) <= (300 if path.name == "main.py" else 350)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert node.end_lineno - node.lineno < 60, node.name
