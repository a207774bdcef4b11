"""The training side of the Python interface; `seqclr.NAME` is `seqclr.api.NAME`. The command line is built on these
functions. What predicts, without TensorFlow, is in reading.py.

Messages and figures go to the logger "seqclr" (INFO; what needs attention, WARNING), progress bars to stderr:
`logging.getLogger("seqclr").setLevel("ERROR")` silences all, "WARNING" leaves the warnings.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import keras

from seqclr import config as configuration
from seqclr.data.knowledge import read_lengths
from seqclr.engine import setup
from seqclr.engine.run import Run as RunFolder
from seqclr.engine.trainer import Interrupted as Interrupted
from seqclr.engine.trainer import TrainingFailed as TrainingFailed
from seqclr.errors import UserError as UserError
from seqclr.files import check_can_make
from seqclr.labelling.label import label as label
from seqclr.methods import register as register
from seqclr.pretraining import evolve as evolution
from seqclr.pretraining import pretrain as pretraining
from seqclr.pretraining import translate as translation
from seqclr.pretraining.evolve import Evolved as Evolved
from seqclr.reading import AnyPath, Length, Paths, list_of, path_of
from seqclr.reading import Match as Match
from seqclr.reading import Prediction as Prediction
from seqclr.reading import Reader as Reader
from seqclr.reading import Run as Run
from seqclr.reading import load as load
from seqclr.recognition import adapt as adaptation
from seqclr.recognition import finetune as finetuning


def pretrain(
    data: Paths | None = None,
    method: str | None = None,
    output: AnyPath | None = None,
    *,
    resume: bool = False,
    config: AnyPath | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **keys: Any,
) -> Run:
    """Pretrains an encoder on images without labels.

    Args:
        data: folders of images, tables, LMDBs or packs. Rows of split `test` and `validation` are excluded.
        method: a method that `seqclr methods` lists, or one of your own; by default `simclr`.
        output: the run's folder, which must not exist; by default a new one, `runs/METHOD-1`, `runs/METHOD-2`, ...
        resume: continue from the last checkpoint of the run in `output`, with its settings and data, except those
            given here.
        config: a configuration that `seqclr configs` lists, by name, or a YAML file of keys; arguments override it.
        callbacks: Keras callbacks; an epoch is one round of metrics.csv, one or more passes over the data.
        **keys: keys that `seqclr pretrain --help` lists, such as `steps=1000` (batches), `height=32` and `width=128`
            (pixels), `encoder="small"`, `views="strong"`.

    Raises:
        UserError: an argument or the data are wrong; nothing is written.
        TrainingFailed: training failed, for example by a loss that is not finite or a full disk.
        Interrupted: training was stopped by Ctrl-C or SIGTERM; the run is saved.
    """
    given = {"data": data, "method": method}
    values = _settings("pretrain", output, resume, config, given, keys)
    watching = _callbacks(callbacks)
    if resume:
        setup.check_method(pretraining.method_of, values, os.fspath(output or ""))
    chosen = pretraining.configure(values)
    with _folder(output, chosen.method) as folder:
        return Run(folder, pretraining.pretrain(chosen, str(folder), resume, watching))


def evolve(
    data: Paths | None = None,
    method: str | None = None,
    output: AnyPath | None = None,
    *,
    resume: bool = False,
    config: AnyPath | None = None,
    **keys: Any,
) -> Evolved:
    """Finds the weights of several methods by evolution, without labels (Piergiovanni et al. 2020, arXiv:2002.12177).

    Each candidate is trained for a few steps; the best weights are those after which the sizes of k-means clusters of
    the features are closest to Zipf's law. `pretrain(..., config=found.file)` trains with them.

    Args:
        data, method, output, resume, config: as in `pretrain`, with several methods, as `simclr+masked`.
        **keys: as in `pretrain`, for the training of a candidate, and `generations`, `population`, `criterion_clusters`
            and `criterion_images` (docs/reference/keys.md).

    Raises:
        UserError, Interrupted: as in `pretrain`.
    """
    values = _settings("evolve", output, resume, config, {"data": data, "method": method}, keys)
    if resume:
        setup.check_method(pretraining.method_of, values, os.fspath(output or ""))
    chosen = pretraining.configure(values, configuration.EvolveConfig)
    with _folder(output, "evolved") as folder:
        return evolution.evolve(chosen, str(folder), resume)


def finetune(
    data: Paths | None = None,
    pretrained: AnyPath | Run | None = None,
    output: AnyPath | None = None,
    *,
    resume: bool = False,
    config: AnyPath | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **keys: Any,
) -> Reader:
    """Trains a reader, an encoder with a CTC head (Graves et al. 2006), on labelled images.

    Args:
        data: folders with `labels.csv`, tables, LMDBs or packs.
        pretrained: a run whose encoder training starts from, with its architecture and sizes; by default, training
            starts from random weights.
        output: the run's folder, which must not exist; by default a new one, `runs/reader-1`, `runs/reader-2`, ...
        resume, config, callbacks: as in `pretrain`.
        **keys: keys that `seqclr finetune --help` lists, such as `split="train"`, `labels=100`, `steps=1000`.

    Raises:
        UserError, TrainingFailed, Interrupted: as in `pretrain`.
    """
    given = {"data": data, "pretrained": pretrained}
    values = _settings("finetune", output, resume, config, given, keys)
    watching = _callbacks(callbacks)
    if resume:
        setup.check_method(finetuning.method_of, values, os.fspath(output or ""))
    chosen = finetuning.configure(values)
    with _folder(output, "reader") as folder:
        return Reader(folder, finetuning.finetune(chosen, str(folder), resume, watching))


def adapt(
    data: Paths | None = None,
    model: AnyPath | Run | None = None,
    output: AnyPath | None = None,
    *,
    charset: str | None = None,
    length: Length | None = None,
    resume: bool = False,
    config: AnyPath | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    **keys: Any,
) -> Reader:
    """Adapts a reader to the images of a site, of which few or none are labelled.

    Args:
        data: folders of images, tables, LMDBs or packs; the labels that they have are used. Rows of split `test` and
            `validation` are excluded.
        model: the reader to start from; by default `captcha`, the reader of the package.
        output: the run's folder, which must not exist; by default a new one, `runs/adapted-1`, `runs/adapted-2`, ...
        charset, length: all characters and all lengths that occur, as in `Reader.predict`, if they are known; by
            default those of the surest predictions.
        resume, config, callbacks: as in `pretrain`.
        **keys: keys that `seqclr adapt --help` lists, such as `labels=20` and `steps=1000`.

    The figures of the reader have `estimated_exact_match`, which is estimated without labels.

    Raises:
        UserError, TrainingFailed, Interrupted: as in `pretrain`.
    """
    known = {"charset": charset, "length": None if length is None else ",".join(map(str, read_lengths(length)))}
    values = _settings("adapt", output, resume, config, {"data": data, "model": model, **known}, keys)
    watching = _callbacks(callbacks)
    chosen = adaptation.configure(values)
    with _folder(output, "adapted") as folder:
        return Reader(folder, adaptation.adapt(chosen, str(folder), resume, watching))


def translate(
    images: Paths, model: AnyPath | Run, output: AnyPath, *, back: bool = False, preview: AnyPath | None = None
) -> Path:
    """Translates images into another domain; returns the new folder: `images/`, and `labels.csv` of labelled ones.

    Args:
        images: images, folders, tables, LMDBs or packs; texts and splits are kept. The images written have the height
            and width of the run, without padding.
        model: a run of the method `cut`, `cyclegan` or `pix2pix`.
        output: the folder, which must not exist.
        back: translate in the other direction, of `cyclegan`.
        preview: a new PNG file of some images and their translations.

    Raises UserError if an argument, the run or an image is wrong; nothing is written.
    """
    folder, run = path_of("output", output), path_of("model", model)
    sheet = None if preview is None else str(path_of("preview", preview))
    back = configuration.typed("back", "bool", back)
    translation.translate([os.fspath(path) for path in list_of(images)], str(run), str(folder), back, sheet)
    return folder


def load_encoder(path: AnyPath) -> keras.Model:
    """Loads the encoder of any run: its best checkpoint, in float32. Raises UserError if the path is not a run.

    Call: `encoder(images, widths=None, training=False, layer="transformer")` with images `uint8 [B, height, width, 3]`,
    RGB (4 with depth), returns features `float32 [B, T, encoder.dim]` and a mask `bool [B, T]`, None without widths.
    widths: `int32 [B]`, image columns; the columns right of them are padding. T is `ceil(width / 4)` frames for an
    encoder of lines, one for an encoder of images. layer: `transformer`, `cnn` (before it) or `pair`.

    `encoder.save("encoder.keras")` writes a file that `keras.saving.load_model` loads after `import
    seqclr.nn.encoders`, which registers the classes; `import seqclr` alone registers nothing.
    """
    return setup.load_encoder(path_of("path", path))


def _callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    if not isinstance(callbacks, list | tuple) or not all(isinstance(c, keras.callbacks.Callback) for c in callbacks):
        raise UserError(
            f"callbacks {configuration.shown(callbacks)}: give a list of instances of keras.callbacks.Callback"
        )
    return list(callbacks)


def _settings(
    verb: str,
    output: AnyPath | None,
    resume: bool,
    config: AnyPath | None,
    given: dict[str, Any],
    keys: dict[str, Any],
) -> list[dict[str, Any]]:
    """Dictionaries of values by key; later ones override earlier ones. given: named arguments, None if not given."""
    run = None if output is None else path_of("output", output)
    if configuration.typed("resume", "bool", resume):
        if run is None:
            raise UserError("resume: give the run to resume as output")
        RunFolder.open_own(run)
    given = {name: value for name, value in given.items() if value is not None}
    file = None if config is None else path_of("config", config)
    values = configuration.settings(run if resume else None, file, {**given, **keys})
    configuration.check_verb(verb, values[0], output or "")
    return values


@contextlib.contextmanager
def _folder(output: AnyPath | None, name: str) -> Iterator[Path]:
    """The folder of a run: `output`, or a new one under runs/, which is removed if nothing is written to it."""
    if output is not None:
        yield Path(output)
        return
    above = Path("runs")
    new = not above.exists()
    for number in itertools.count(1):
        folder = above / f"{name}-{number}"
        check_can_make(folder)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(parents=True)  # claimed: a parallel process takes the next number
            break
    try:
        yield folder
    finally:
        with contextlib.suppress(OSError):  # not empty: it holds a run
            folder.rmdir()
            if new:
                above.rmdir()
