"""What many tests share: a few pages, a pretrained run, a run that reads them, its export."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from seqclr import cli
from seqclr.data import images
from seqclr.errors import UserError
from seqclr.files import Lock
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


@pytest.fixture
def curves():
    """For tests of the curves that a run draws, see `no_curves`."""


@pytest.fixture(autouse=True)
def no_curves(request):
    """Runs of tests draw no curves, which take longer than a few steps; `pretrained` and `reader` have some."""
    module = sys.modules.get("seqclr.engine.callbacks")
    if module is None or "curves" in request.fixturenames:
        yield
    else:
        with mock.patch.object(module, "draw_curves"):
            yield


@pytest.fixture(scope="session")
def least_networks():
    """The encoders of `tests.networks`, from the first test on that needs them."""
    from tests import networks

    with networks.offered():
        yield


@pytest.fixture(scope="module", autouse=True)
def jobs(request):
    """Those of `tests.engine.tiny` and of `tests.small_runs` have such encoders."""
    if {"tiny", "SMALL"} & vars(request.module).keys():
        request.getfixturevalue("least_networks")


@pytest.fixture
def eagerly():
    with untraced():
        yield


def once(folder: Path, make: Callable[[], object]) -> Path:
    """The folder, which the first of the workers makes; the others wait for it."""
    while True:
        try:
            lock = Lock(folder.with_suffix(".lock"), folder)
            break
        except UserError:  # another worker holds it
            time.sleep(0.1)
    try:
        if not folder.exists():
            make()
    finally:
        lock.close()
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder of all workers. What is in it is read and not written to, as all of them may read it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def pages(shared) -> Path:
    """24 pages of digits with labels, the last four of split test."""
    folder = shared / "pages"
    return once(folder, lambda: generate.generate(folder, 24, "digits", test=4, progress=False))


@pytest.fixture(scope="session")
def pretrained(shared, pages, least_networks) -> Path:
    """A run of three steps of pretraining."""
    folder = shared / "pretrained"
    with untraced():
        return once(folder, lambda: run("pretrain", "--data", pages, "--output", folder, "--steps", 3, *SMALL))


@pytest.fixture(scope="session")
def reader(shared, pages, least_networks) -> Path:
    """A fine-tuned run that reads something on every page, much of it right."""
    folder = shared / "reader"
    words = ["--data", pages, "--validation", pages / "labels.csv", "--output", folder]
    words += ["--steps", 60, "dropout=0", "learning_rate=0.003", *SMALL]
    return once(folder, lambda: run("finetune", *words))


@pytest.fixture(scope="session")
def exported(shared, reader) -> Path:
    """The export of `reader`."""
    folder = shared / "exported"
    return once(folder, lambda: run("export", "--model", reader, "--output", folder))
