"""The readers of the Python interface, without TensorFlow; `seqclr.NAME` is `seqclr.reading.NAME`.

What needs the extra [train] imports it when it is called, and raises MissingExtra where it is not installed.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import PIL.Image

from seqclr import config as configuration
from seqclr.data.images import as_pixels
from seqclr.data.knowledge import Known
from seqclr.decision import accepts
from seqclr.errors import UserError as UserError
from seqclr.export.reader import load_reader
from seqclr.extras import required
from seqclr.runtime.arithmetic import answering
from seqclr.runtime.reader import Reader as LoadedReader

if TYPE_CHECKING:
    import keras

AnyPath = str | os.PathLike[str]
Paths = AnyPath | Sequence[AnyPath]
Image = AnyPath | bytes | PIL.Image.Image | np.ndarray
Length = int | str | Iterable[int | str]


class Prediction(NamedTuple):
    """A reader's prediction for one image.

    text: the characters, without blanks. confidence: 0 to 1, the probability of the text over all CTC paths (Graves et
    al. 2006, connectionist temporal classification), relative to all texts of the given charset and length; 0 for an
    empty text. accept: whether to use the text; if not, another image is better.
    """

    text: str
    confidence: float
    accept: bool


class Match(NamedTuple):
    """The best word for an image, and its probability among the given words."""

    word: str
    probability: float


class Run:
    """A training run: its folder and last metrics. It can be used as a path.

    folder: holds config.yaml, metrics.csv, checkpoints/ and plots/. figures: metrics of the last round, by name, as in
    metrics.csv; empty for a run that was not trained in this process.
    """

    def __init__(self, folder: AnyPath, figures: dict[str, float] | None = None):
        self.folder, self.figures = path_of("folder", folder), figures or {}

    def encoder(self) -> keras.Model:
        """The trained encoder, as `load_encoder` returns it."""
        with required("an encoder"):
            from seqclr.engine import setup
        return setup.load_encoder(self.folder)

    def export_encoder(self, folder: AnyPath, *, data: Paths = ()) -> Path:
        """Writes the trained encoder as ONNX into a new folder, with a card; returns the folder.

        The input `pixels` is `uint8 [B, height, width, 3]`, with resize=pad `widths` is `int32 [B]`; the output
        `features` is `float32 [B, T, D]`. data: images on which the features are compared with those of the run, by
        default generated ones. Raises UserError if the folder exists or the features differ.
        """
        target = path_of("folder", folder)
        with required("export"):
            from seqclr.export import folder as exporting
        exporting.export_encoder(self.folder, target, [os.fspath(path) for path in list_of(data)])
        return target

    def match(self, images: Iterable[Image], words: Iterable[str], batch_size: int = 64) -> list[Match]:
        """The best of some words for each image, in order, of a run of method `clip`.

        images, batch_size: as of `Reader.predict`. words: at least two; each has only characters of the texts that the
        run was trained on. Raises UserError for other words, a run of another method, or an image that cannot be read.
        """
        if isinstance(words, str):
            raise UserError(f"words {configuration.shown(words)}: give a list of words")
        with required("match"):
            from seqclr.recognition.matching import Matcher
        pixels, batch_size = _pixels(images, "match"), _count("batch_size", batch_size)
        matcher = Matcher.load(self.folder).among([configuration.typed("words", "str", word) for word in words])
        return [Match(*row) for row in matcher.predict_images(pixels, batch_size=batch_size)]

    def __fspath__(self) -> str:
        return str(self.folder)

    def __repr__(self) -> str:
        return f"{type(self).__name__}('{self.folder}')"


class Reader(Run):
    """A text recognizer: a run that predicts text (of `adapt`, `finetune`, or pretrained with generated images), an
    export, or a reader of the package. It is loaded when it is first used."""

    @functools.cached_property
    def _model(self) -> LoadedReader:
        return load_reader(self.folder)

    @functools.cached_property
    def _searching(self) -> LoadedReader:
        return load_reader(self.folder, search=True)

    @property
    def characters(self) -> str:
        """The characters that the reader can predict."""
        return self._model.charset.characters

    @property
    def answer(self) -> str:
        """What it predicts by default: `text`, or `sum` of an export that was written so."""
        return self._model.answer

    def predict(
        self,
        images: Iterable[Image],
        beam: int = 1,
        batch_size: int = 64,
        *,
        charset: str | None = None,
        length: Length | None = None,
        answer: str | None = None,
    ) -> list[Prediction]:
        """The text in each image, in order.

        Args:
            images: paths, bytes of image files, PIL images, and arrays `uint8 [H, W]` or `[H, W, C]` of 1 (gray),
                3 (RGB) or 4 (RGBA) channels, mixed as you like. Each is resized to the reader's height and width.
            beam: width of the beam search; 1 decodes greedily, or with a length takes the best path among texts of
                these lengths. With a length, the most probable text of these lengths, of the beam or of the best path,
                is predicted. Exports support only 1.
            batch_size: number of images per batch.
            charset: all characters that occur, if they are known.
            length: all lengths that texts have, if they are known: 4, "4:6" (4 to 6), "4,6" or a list. An image that is
                too narrow for all of them gives an empty text. SavedModels, and other exports that were written with
                charset or length, take neither.
            answer: `text`, or `sum`: the integer answer to a sum such as `3+16=?`, and an empty text of confidence 0
                where the text has none. By default `text`, or what the export was written with.

        Raises:
            UserError: an image cannot be read; it is named by its path, or its index from 0. Also for a character that
                the reader does not know, and a length that its frames cannot spell.
        """
        beam, batch_size = (_count(name, value) for name, value in (("beam", beam), ("batch_size", batch_size)))
        pixels, reader = _pixels(images, "predict"), self._reading(beam, charset, length, answer)
        rows = list(reader.predict_images(pixels, beam, batch_size))
        return [Prediction(*row, accepts(*row, reader.threshold, reader.lengths)) for row in rows]

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
        answer: str | None = None,
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
        paths = [os.fspath(path) for path in list_of(data)]
        folder = None if plots is None else str(path_of("plots", plots))
        texts = (("split", split), ("label_pattern", label_pattern))
        split, label_pattern = (configuration.typed(name, "str | None", value) for name, value in texts)
        beam = _count("beam", beam)
        with required("evaluate"):
            from seqclr.recognition import evaluate as evaluation
        reader = self._reading(beam, charset, length, answer)
        return evaluation.evaluate(reader, self.folder, paths, split, label_pattern, beam, folder)

    def export(
        self,
        folder: AnyPath,
        format: str = "savedmodel",
        *,
        int8: bool = False,
        charset: str | None = None,
        length: Length | None = None,
        data: Paths = (),
        answer: str = "text",
    ) -> Path:
        """Writes this reader for use without training into a new folder; returns the folder.

        Args:
            folder: with the model, charset.json, reader.json and model_card.md, which describes inputs and outputs.
            format: `savedmodel`, which takes bytes of image files and runs with TensorFlow alone; `onnx`, for
                onnxruntime; `litert`, for LiteRT. `seqclr.load` loads each of them.
            int8: whether weights have 8 bits, of `onnx` (matrix products) and `litert` (all).
            charset, length: as in `predict`; with them it predicts only such texts.
            data: images on which the export is compared with this reader: it must predict the same texts and
                confidences, with int8 at least 99 % of the texts. By default the images that the reader was validated
                on or adapted to, else generated ones.
            answer: `text`, or of `onnx` and `litert` `sum`: `seqclr.load` and the server predict the answers to sums
                with it, as `predict` does.

        Raises:
            UserError: the folder exists, this reader is an export itself, it cannot predict such texts, or the export
                predicts others.
        """
        target = path_of("folder", folder)
        with required("export"):
            from seqclr.export import folder as exporting
        form, int8 = configuration.typed("format", "str", format), configuration.typed("int8", "bool", int8)
        paths = [os.fspath(path) for path in list_of(data)]
        exporting.export(self.folder, target, form, int8, _known(charset, length), paths, answer)
        return target

    def _reading(self, beam: int, charset: str | None, length: Length | None, answer: str | None) -> LoadedReader:
        """The model for known characters and lengths, and for texts or answers."""
        known = _known(charset, length)
        model = self._searching if beam > 1 else self._model
        return answering(model.knowing(known), answer)


def load(path: AnyPath) -> Reader:
    """Loads a reader: the best checkpoint of a run that predicts text, in float32, an export, or `captcha`, the reader
    of the package.

    Raises UserError for anything else.
    """
    reader = Reader(path)
    _ = reader._model
    return reader


def _pixels(images: Iterable[Image], function: str) -> Iterator[np.ndarray]:
    """The images as arrays, one by one. Raises UserError for a single image instead of several, and for none."""
    if isinstance(images, np.ndarray):
        single = images.ndim < 4 and images.shape[2:] in ((), (1,), (3,), (4,))
    else:
        single = isinstance(images, str | bytes | os.PathLike | PIL.Image.Image) or not isinstance(images, Iterable)
    if single:
        raise UserError(f"{function} takes a list of images: write [image] for a single one")

    def arrays() -> Iterator[np.ndarray]:
        index = -1
        for index, image in enumerate(images):
            yield as_pixels(image, f"image {index}")
        if index < 0:
            raise UserError(f"{function} got an empty list: give at least one image")

    return arrays()


def _known(charset: str | None, length: Length | None) -> Known:
    return Known.of(configuration.typed("charset", "str | None", charset), length)


def path_of(name: str, value: AnyPath) -> Path:
    """The path given as an argument. Raises UserError for a value that is not a path."""
    if not isinstance(value, str | os.PathLike):
        raise UserError(f"{name} {configuration.shown(value)}: give a path, not {type(value).__name__}")
    return Path(configuration.typed(name, "str", value))


def list_of(paths: Paths) -> list[AnyPath]:
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
