"""Translation of images by the generator of a run."""

from __future__ import annotations

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
from PIL import Image

from seqclr import config as configuration
from seqclr import files
from seqclr.data import tables
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import survey
from seqclr.data.loader import InOrder
from seqclr.data.samples import Sample
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.engine.setup import make_encoder
from seqclr.errors import UserError
from seqclr.messages import bar
from seqclr.methods import METHODS
from seqclr.methods.translation.base import Translation
from seqclr.nn.generators import Generator
from seqclr.nn.policy import kept_policy
from seqclr.visualization.sheet import check_output, sheet

BATCH = 64
EXAMPLES = 8  # rows of a preview


@kept_policy()
def translate(images: Sequence[str], model: str, output: str, back: bool = False, preview: str | None = None) -> None:
    """Writes the translations of images into a new folder: `images/NAME.png`, and `labels.csv` of those with a text.

    images: paths as of `discovery.find`, of any split. back: by the generator of the other direction. preview: a new
    PNG of some images and their translations. They have the run's height and width, without padding.

    Raises UserError, before anything is written, if an argument or the run is wrong, or an image cannot be read.
    """
    files.check_new(Path(output))
    if preview is not None:
        check_output(Path(preview))
        if os.path.abspath(preview) == os.path.abspath(output):
            raise UserError(f"--preview {preview} is the folder of --output: choose another --preview")
    method, config = load(model)
    generator = method.generator_of(back)
    samples, faults = survey(images)
    if faults:
        raise UserError(faults[0].reason)
    written = [
        dataclasses.replace(sample, file=f"images/{name}.png", store=None, index=None)
        for sample, name in zip(samples, names_of(samples))
    ]
    dataset = ImageDataset(samples, config.height, config.width, config.resize)
    try:
        with files.atomic_folder(Path(output)) as folder:
            write(folder, written, translated(method, generator, dataset))
        if preview is not None:
            after = [np.asarray(Image.open(Path(output) / sample.file)) for sample in written[:EXAMPLES]]
            sheet({"image": [dataset[i]["image"] for i in range(len(after))], "translated": after}, preview)
    finally:
        dataset.close()


def load(model: str) -> tuple[Translation, SimpleNamespace]:
    """The method of a run with its best weights, and the run's configuration. Raises UserError for other runs."""
    run = Run.open(model)
    config = run.config()
    cls = METHODS.get(getattr(config, "method", ""))
    if cls is None or not issubclass(cls, Translation):
        known = " or ".join(name for name, other in METHODS.items() if issubclass(other, Translation))
        raise UserError(f"{model} translates no images: give a run of pretrain --method {known}")
    keras.mixed_precision.set_global_policy("float32")
    method = cls(**{**configuration.fields_of(cls, config), "fonts": None})  # which may not be there any more
    method.build(make_encoder(config, None))
    path, arrays = run.best()
    checkpoints.restore({name: method.parts()[name] for name in ("encoder", *method.generators)}, arrays, path)
    return method, config


def names_of(samples: Sequence[Sample]) -> list[str]:
    """The file names of samples without their ending, numbered where a name repeats. Raises UserError for a name that
    a table cannot list."""
    names: dict[str, str] = {}  # by what file systems without upper case take for the same
    for sample in samples:
        if not files.is_utf8(stem := Path(sample.file).stem):
            raise UserError(f"{sample.name} has a name that is not UTF-8, so a table cannot list it: rename it")
        numbered = (stem if number == 1 else f"{stem}-{number}" for number in itertools.count(1))
        name = next(name for name in numbered if name.casefold() not in names)
        names[name.casefold()] = name
    return list(names.values())


def translated(method: Translation, generator: Generator, dataset: ImageDataset) -> Iterator[np.ndarray]:
    """The translated images, `uint8 [height, w, 3]`, without padding."""
    for batch in InOrder(dataset, BATCH):
        widths = batch.get("width")
        found = method.shown(batch["image"], widths, generator)
        yield from found if widths is None else (image[:, :width] for image, width in zip(found, widths))


def write(folder: Path, samples: Sequence[Sample], images: Iterable[np.ndarray]) -> None:
    """Writes the images, and the table of the samples with a text where there are any."""
    (folder / "images").mkdir()
    for sample, image in zip(samples, bar(images, "translate", len(samples), unit="img"), strict=True):
        Image.fromarray(image).save(folder / sample.file)
    labelled = [
        dataclasses.replace(sample, file=str(folder / sample.file)) for sample in samples if sample.text is not None
    ]
    if labelled:
        tables.write(folder / tables.LABELS, labelled)
