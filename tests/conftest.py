"""What many tests share: a few pages, a pretrained run, a run that reads them, its export."""

import os
import sys
from pathlib import Path

import pytest

from seqclr import cli
from seqclr.data import images
from seqclr.synthesis import generate
from tests.small_runs import SMALL, run, untraced

cli.set_up()  # before a test imports TensorFlow
for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(name, "1")  # there are as many workers as cores


@pytest.fixture(autouse=True)
def float32():
    """Runs set Keras' precision for the whole process; what comes after starts from the default again."""
    yield
    if "keras" in sys.modules:
        sys.modules["keras"].mixed_precision.set_global_policy("float32")


@pytest.fixture(autouse=True)
def limits():
    """Of files, which are of the whole process too."""
    yield
    images.set_limits(images.Limits())


@pytest.fixture(scope="module")
def least_networks():
    """The encoders of `tests.networks`, for the tests of one module."""
    from tests import networks

    with networks.offered():
        yield


@pytest.fixture(scope="module", autouse=True)
def jobs(request):
    """Those of `tests.engine.tiny` have such encoders."""
    if hasattr(request.module, "tiny"):
        request.getfixturevalue("least_networks")


@pytest.fixture
def eagerly():
    with untraced():
        yield


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.fixture(scope="session")
def pages(shared) -> Path:
    """24 pages of digits with labels, the last four of split test."""
    generate.generate(shared / "pages", 24, "digits", test=4, progress=False)
    return shared / "pages"


@pytest.fixture(scope="session")
def pretrained(shared, pages) -> Path:
    """A run of three steps of pretraining."""
    with untraced():
        run("pretrain", "--data", pages, "--output", shared / "pretrained", "--steps", 3, *SMALL)
    return shared / "pretrained"


@pytest.fixture(scope="session")
def reader(shared, pages) -> Path:
    """A fine-tuned run that reads something on every page, much of it right."""
    words = ["--steps", 45, "dropout=0", "learning_rate=0.003", *SMALL]
    run("finetune", "--data", pages, "--validation", pages / "labels.csv", "--output", shared / "reader", *words)
    return shared / "reader"


@pytest.fixture(scope="session")
def exported(shared, reader) -> Path:
    """The export of `reader`."""
    run("export", "--model", reader, "--output", shared / "exported")
    return shared / "exported"
