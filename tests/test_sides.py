"""The two wings meet only in the trainer: no TensorFlow on the host, no OpenCV on the device. PyTorch is in neither."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seqclr"
HOST = ("data", "curation", "synthesis", "transforms")
DEVICE = ("nn", "losses", "methods", "engine")
# What a process may not hold once it has imported the host wing, and what no file of the device wing may name.
KEPT_FROM_HOST = {"tensorflow", "keras", "torch"}
KEPT_FROM_DEVICE = {"cv2", "albumentations"}


def modules(*sides: str) -> list[str]:
    paths = sorted(path for side in sides for path in (PACKAGE / side).rglob("*.py"))
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def test_the_host_wing_imports_no_tensorflow():
    code = f"""
import importlib, sys
for module in {modules(*HOST)}:
    importlib.import_module(module)
    found = {KEPT_FROM_HOST} & set(sys.modules)
    if found:
        sys.exit(f"{{module}} imports {{', '.join(found)}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", modules(*DEVICE))
def test_the_device_wing_imports_no_opencv(module):
    path = PACKAGE.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert not imported(path) & KEPT_FROM_DEVICE


def imported(path: Path) -> set[str]:
    """The top names of all import statements of a file, those inside functions too."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in plain + froms}


def test_the_scan_sees_imports():
    assert "cv2" in imported(PACKAGE / "transforms" / "augmentations.py")


def test_the_wings_agree_on_the_columns_of_a_frame():
    from seqclr.data.charset import FRAME_STRIDE
    from seqclr.nn.encoders import TextEncoder

    assert FRAME_STRIDE == TextEncoder.STRIDE
