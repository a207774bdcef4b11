"""Host side and device side: no TensorFlow or Keras on the host, no OpenCV on the device, no PyTorch on either."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "seqclr"
HOST = ("data", "curation", "synthesis", "transforms", "labelling")
LIGHT = ("runtime", "reading")
DEVICE = ("nn", "losses", "methods", "engine")
# Modules that importing the host side must not load, and that no file of the device side may import
NOT_ON_HOST = {"tensorflow", "keras", "torch"}
# Modules of the extras, which the light installation lacks
NOT_LIGHT = NOT_ON_HOST | {"cv2", "albumentations", "grain", "matplotlib", "lmdb", "sklearn", "editdistance", "tqdm"}
NOT_ON_DEVICE = {"cv2", "albumentations", "torch"}


def modules(*sides: str) -> list[str]:
    folders = sorted(path for side in sides for path in (PACKAGE / side).rglob("*.py"))
    paths = [PACKAGE / f"{side}.py" for side in sides if (PACKAGE / f"{side}.py").is_file()] + folders
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


@pytest.mark.parametrize("sides, forbidden", [(HOST, NOT_ON_HOST), (LIGHT, NOT_LIGHT)], ids=["host", "light"])
def test_a_side_imports_none_of_the_packages_it_must_do_without(sides, forbidden):
    code = f"""
import importlib, sys
for module in {modules(*sides)}:
    importlib.import_module(module)
    found = {forbidden} & set(sys.modules)
    if found:
        sys.exit(f"{{module}} imports {{', '.join(found)}}")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_readers_predict_without_the_packages_of_the_extras():
    code = f"""
import sys
for name in {NOT_LIGHT}:
    sys.modules[name] = None  # cannot be imported
import seqclr
from seqclr import cli
[prediction] = seqclr.load("captcha").predict([sys.argv[1]], length="4:5")
print(prediction.text)
assert cli.main(["predict", "--model", "captcha", "--length", "4:5", sys.argv[1]]) == 0
assert cli.main(["predict", "--model", "captcha", "--beam", "2", sys.argv[1]]) == 2
assert cli.main(["predict", "--model", "nowhere", sys.argv[1]]) == 2
assert cli.main(["evaluate", "--model", "captcha", "--data", sys.argv[1]]) == 2
assert cli.main(["pretrain", "--data", sys.argv[1], "--output", "none"]) == 2
assert cli.main(["--help"]) == 0
for name in seqclr.__all__:
    try:
        getattr(seqclr, name)
    except ImportError as error:
        assert isinstance(error, seqclr.UserError)
        print(error, file=sys.stderr)
"""
    file = PACKAGE.parent / "data_samples" / "images" / "000000.jpg"
    done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    text, row, *_ = done.stdout.splitlines()
    assert len(text) in (4, 5) and row.split("\t")[:2] == [str(file), text]
    beam, nowhere, evaluated, trained, *names = done.stderr.splitlines()
    assert beam.startswith("seqclr predict: a beam search needs ") and '(in a clone: pip install ".[train]")' in beam
    assert nowhere.startswith("seqclr predict: nowhere is not a run or an export: there is no such folder")
    assert evaluated.startswith("seqclr evaluate: evaluate needs ") and trained.startswith("seqclr pretrain: ")
    assert sorted(line.split()[0] for line in names) == [
        f"seqclr.{name}"
        for name in (
            "Interrupted",
            "TrainingFailed",
            "adapt",
            "evolve",
            "finetune",
            "load_encoder",
            "pretrain",
            "register",
            "translate",
        )  # fmt: skip
    ]


@pytest.mark.parametrize("module", modules(*DEVICE))
def test_the_device_side_imports_no_opencv(module):
    path = PACKAGE.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    assert not imported(path) & NOT_ON_DEVICE


def imported(path: Path) -> set[str]:
    """The packages that a file imports, those inside functions too."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    plain = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    froms = [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.split(".")[0] for name in plain + froms}


def test_the_scan_sees_imports():
    assert "cv2" in imported(PACKAGE / "transforms" / "augmentations.py")


def test_both_sides_agree_on_the_columns_of_a_frame():
    from seqclr.data.charset import FRAME_STRIDE
    from seqclr.nn.encoders import TextEncoder

    assert FRAME_STRIDE == TextEncoder.STRIDE
