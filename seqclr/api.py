"""The Python interface; `seqclr.NAME` is `seqclr.api.NAME`. The command line is built on these functions.

Messages and figures go to the logger "seqclr" (INFO; what needs attention, WARNING), progress bars to stderr:
`logging.getLogger("seqclr").setLevel("ERROR")` silences all, "WARNING" leaves the warnings.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np
import PIL.Image

from seqclr import config as configuration
from seqclr.data.images import as_pixels
from seqclr.data.knowledge import Known, read_lengths
from seqclr.engine import setup
from seqclr.engine.run import Run as RunFolder
from seqclr.engine.trainer import Interrupted as Interrupted
from seqclr.engine.trainer import TrainingFailed as TrainingFailed
from seqclr.errors import UserError as UserError
from seqclr.export import folder as exporting
from seqclr.export.reader import load_reader
from seqclr.files import check_can_make
from seqclr.methods import register as register
from seqclr.pretraining import pretrain as pretraining
from seqclr.recognition import adapt as adaptation
from seqclr.recognition import evaluate as evaluation
from seqclr.recognition import finetune as finetuning
from seqclr.recognition.sums import answering

AnyPath = str | os.PathLike[str]
Paths = AnyPath | Sequence[AnyPath]
Image = AnyPath | bytes | PIL.Image.Image | np.ndarray
Length = int | str | Iterable[int | str]


class Prediction(NamedTuple):
    """A reader's prediction for one image.

    text: the characters, without blanks. confidence: 0 to 1, the probability of the text over all CTC paths (Graves et
    al. 2006, connectionist temporal classification), relative to all texts of the given charset and length; 0 for an
    empty text.
    """

    text: str
    confidence: float


class Run:
    """A training run: its folder and last metrics. It can be used as a path.

    folder: holds config.yaml, metrics.csv, checkpoints/ and plots/. figures: metrics of the last round, by name, as in
    metrics.csv; empty for a run that was not trained in this process.
    """

    def __init__(self, folder: AnyPath, figures: dict[str, float] | None = None):
        self.folder, self.figures = _path("folder", folder), figures or {}

    def encoder(self) -> keras.Model:
        """The trained encoder, as `load_encoder` returns it."""
        return load_encoder(self.folder)

    def export_encoder(self, folder: AnyPath, *, data: Paths = ()) -> Path:
        """Writes the trained encoder as ONNX into a new folder, with a card; returns the folder.

        The input `pixels` is `uint8 [B, height, width, 3]`, with resize=pad `widths` is `int32 [B]`; the output
        `features` is `float32 [B, T, D]`. data: images on which the features are compared with those of the run, by
        default generated ones. Raises UserError if the folder exists or the features differ.
        """
        target = _path("folder", folder)
        exporting.export_encoder(self.folder, target, [os.fspath(path) for path in _list(data)])
        return target

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.folder}')"


class Reader(Run):
    """A text recognizer: a run that predicts text (of `adapt`, `finetune`, or pretrained with generated images), an
    export, or a reader of the package. It is loaded when it is first used."""

    @functools.cached_property
    def _model(self) -> evaluation.Reader:
        return load_reader(self.folder)

    @property
    def characters(self) -> str:
        """The characters that the reader can predict."""
        return self._model.charset.characters

    def predict(
        self,
        images: Iterable[Image],
        beam: int = 1,
        batch_size: int = 64,
        *,
        charset: str | None = None,
        length: Length | None = None,
        answer: str = "text",
    ) -> list[Prediction]:
        """The text in each image, in order.

        Args:
            images: paths, bytes of image files, PIL images, and arrays `uint8 [H, W]` or `[H, W, C]` of 1 (gray),
                3 (RGB) or 4 (RGBA) channels, mixed as you like. Each is resized to the reader's height and width.
            beam: width of the beam search; 1 decodes greedily, or with a length takes the best path among texts of
                these lengths. With a length, the most probable text of these lengths, of the beam or of the best path,
                is predicted. Exports support only 1.
            batch_size: number of images per batch.
            charset: all characters that occur, if they are known. Exports take none.
            length: all lengths that texts have, if they are known: 4, "4:6" (4 to 6), "4,6" or a list. Exports take
                none. An image that is too narrow for all of them gives an empty text.
            answer: `text`, or `sum`: the integer answer to a sum such as `3+16=?`, and an empty text of confidence 0
                where the text has none.

        Raises:
            UserError: an image cannot be read; it is named by its path, or its index from 0. Also for a character that
                the reader does not know, and a length that its frames cannot spell.
        """
        if isinstance(images, np.ndarray):
            single = images.ndim < 4 and images.shape[2:] in ((), (1,), (3,), (4,))
        else:
            single = isinstance(images, str | bytes | os.PathLike | PIL.Image.Image) or not isinstance(images, Iterable)
        if single:
            raise UserError("predict takes a list of images: write [image] for a single one")
        beam, batch_size = (_count(name, value) for name, value in (("beam", beam), ("batch_size", batch_size)))
        reader = self._reading(charset, length, answer)
        pixels = (as_pixels(image, f"image {index}") for index, image in enumerate(images))
        return [Prediction(*row) for row in reader.predict_images(pixels, beam, batch_size)]

    def evaluate(
        self,
        data: Paths,
        split: str | None = None,
        label_pattern: str | None = None,
        beam: int = 1,
        plots: AnyPath | None = None,
        *,
        charset: str | None = None,
        length: Length | None = None,
        answer: str = "text",
    ) -> dict[str, Any]:
        """Metrics of the predictions on labelled images.

        Args:
            data: folders, tables, LMDBs or packs.
            split: use only rows of this split; by default, for each source, the test rows, else the validation rows,
                else all.
            label_pattern: take labels from file names by this pattern, such as `{text}_{any}.png`.
            plots: a new folder for tables and figures of predictions and errors.
            beam, charset, length, answer: as in `predict`. With answer `sum`, the labels are the answers.

        Returns:
            `samples`, `edit_distance_accuracy` (mean of `max(0, 1 - distance / length)`), `exact_match`, `cer` (edits
            / characters) and others; `images_per_second`; `sources`, the metrics of each source; `confusions`.

        Raises:
            UserError: the data are wrong, or `plots` exists.
        """
        paths = [os.fspath(path) for path in _list(data)]
        folder = None if plots is None else str(_path("plots", plots))
        texts = (("split", split), ("label_pattern", label_pattern))
        split, label_pattern = (configuration.typed(name, "str | None", value) for name, value in texts)
        reader = self._reading(charset, length, answer)
        return evaluation.evaluate(reader, self.folder, paths, split, label_pattern, _count("beam", beam), folder)

    def export(
        self,
        folder: AnyPath,
        format: str = "savedmodel",
        *,
        int8: bool = False,
        charset: str | None = None,
        length: Length | None = None,
        data: Paths = (),
    ) -> Path:
        """Writes this reader for use without training into a new folder; returns the folder.

        Args:
            folder: with the model, charset.json, reader.json and model_card.md, which describes inputs and outputs.
            format: `savedmodel`, which takes bytes of image files and runs with TensorFlow alone; `onnx`, for
                onnxruntime; `litert`, for LiteRT. `seqclr.load` loads each of them.
            int8: whether weights have 8 bits, of `onnx` (matrix products) and `litert` (all).
            charset, length: as in `predict`; with them it predicts only such texts.
            data: images on which the export is compared with this reader: it must predict the same texts, with int8 at
                least 99 % of them. By default the images that the reader was validated on, else generated ones.

        Raises:
            UserError: the folder exists, this reader is an export itself, it cannot predict such texts, or the export
                predicts others.
        """
        target = _path("folder", folder)
        form, int8 = configuration.typed("format", "str", format), configuration.typed("int8", "bool", int8)
        paths = [os.fspath(path) for path in _list(data)]
        exporting.export(self.folder, target, form, int8, _known(charset, length), paths)
        return target

    def _reading(self, charset: str | None, length: Length | None, answer: str) -> evaluation.Reader:
        """The model for known characters and lengths, and for texts or answers."""
        known = _known(charset, length)
        return answering(self._model.knowing(known), answer)


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
    values = _settings(output, resume, config, given, keys)
    watching = _callbacks(callbacks)
    if resume:
        setup.check_method(pretraining.method_of, values, os.fspath(output or ""))
    chosen = pretraining.configure(values)
    with _folder(output, chosen.method) as folder:
        return Run(folder, pretraining.pretrain(chosen, str(folder), resume, watching))


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
    values = _settings(output, resume, config, given, keys)
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
    values = _settings(output, resume, config, {"data": data, "model": model, **known}, keys)
    watching = _callbacks(callbacks)
    chosen = adaptation.configure(values)
    with _folder(output, "adapted") as folder:
        return Reader(folder, adaptation.adapt(chosen, str(folder), resume, watching))


def load(path: AnyPath) -> Reader:
    """Loads a reader: the best checkpoint of a run that predicts text, in float32, an export, or `captcha`, the reader
    of the package.

    Raises UserError for anything else.
    """
    reader = Reader(path)
    _ = reader._model
    return reader


def load_encoder(path: AnyPath) -> keras.Model:
    """Loads the encoder of any run: its best checkpoint, in float32. Raises UserError if the path is not a run.

    Call: `encoder(images, widths=None, training=False, layer="transformer")` with images `uint8 [B, height, width, 3]`,
    RGB, returns features `float32 [B, T, encoder.dim]` and a mask `bool [B, T]`, None without widths. widths: `int32
    [B]`, image columns; the columns right of them are padding. T is `ceil(width / 4)` frames for an encoder
    of lines, one for an encoder of images. layer: `transformer`, `cnn` (before it) or `pair`.

    `encoder.save("encoder.keras")` writes a file that `keras.saving.load_model` loads after `import
    seqclr.nn.encoders`, which registers the classes; `import seqclr` alone registers nothing.
    """
    return setup.load_encoder(_path("path", path))


def _known(charset: str | None, length: Length | None) -> Known:
    return Known.of(configuration.typed("charset", "str | None", charset), length)


def _path(name: str, value: AnyPath) -> Path:
    """The path given as an argument. Raises UserError for a value that is not a path."""
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"{name} {configuration.shown(value)}: give a path, not {type(value).__name__}")
    return Path(configuration.typed(name, "str", value))


def _callbacks(callbacks: Sequence[keras.callbacks.Callback]) -> list[keras.callbacks.Callback]:
    if not isinstance(callbacks, list | tuple) or not all(isinstance(c, keras.callbacks.Callback) for c in callbacks):
        raise UserError(
            f"callbacks {configuration.shown(callbacks)}: give a list of instances of keras.callbacks.Callback"
        )
    return list(callbacks)


def _list(paths: Paths) -> list[AnyPath]:
    if isinstance(paths, str | os.PathLike):
        return [paths]
    if not isinstance(paths, Iterable):
        raise UserError(f"data {configuration.shown(paths)}: give a path or a list of paths")
    return list(paths)


def _count(name: str, value: int) -> int:
    """The value of an integer argument. Raises UserError below 1."""
    value = configuration.typed(name, "int", value)
    configuration.check_range(name, value, least=1)
    return value


def _settings(
    output: AnyPath | None, resume: bool, config: AnyPath | None, given: dict[str, Any], keys: dict[str, Any]
) -> list[dict[str, Any]]:
    """Dictionaries of values by key; later ones override earlier ones. given: named arguments, None if not given."""
    run = None if output is None else _path("output", output)
    if configuration.typed("resume", "bool", resume):
        if run is None:
            raise UserError("resume: give the run to resume as output")
        RunFolder.open_own(run)
    given = {name: value for name, value in given.items() if value is not None}
    file = None if config is None else _path("config", config)
    return configuration.settings(run if resume else None, file, {**given, **keys})


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
