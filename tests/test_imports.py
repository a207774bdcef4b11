"""Imports run downward: a module imports from layers below its own, and no modules import each other in a circle."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seqclr"
LAYERS = """
errors
messages extras
files memory readers
data decision
runtime
config
curation synthesis
transforms
losses
nn
methods
visualization
engine
recognition
probes
pretraining
export
reading
serve
labelling
api
cli
__main__
""".split("\n")[1:-1]
LEVELS = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in PACKAGE.rglob("*.py")}
del MODULES["seqclr"]  # it forwards the names of the API, when they are used


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, in functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return found & MODULES.keys()


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


def room(module: str) -> str:
    return module.split(".")[1]


def test_every_room_has_a_layer():
    assert {room(module) for module in MODULES} == LEVELS.keys()


@pytest.mark.parametrize("name", sorted(LEVELS))
def test_imports_run_downward(name):
    pairs = [(module, other) for module in MODULES if room(module) == name for other in IMPORTS[module]]
    up = [pair for pair in pairs if room(pair[1]) != name and LEVELS[room(pair[1])] >= LEVELS[name]]
    assert not up


def test_no_modules_import_each_other_in_a_circle():
    assert list(graphlib.TopologicalSorter(IMPORTS).static_order())


def test_the_scan_sees_imports_in_functions_and_of_modules_from_packages():
    assert {"seqclr.export.reader", "seqclr.api"} <= IMPORTS["seqclr.cli.reading"]
    assert "seqclr.engine.checkpoints" in IMPORTS["seqclr.engine.trainer"]
