"""Predicts with an ONNX or LiteRT export; what readers have in common."""

from __future__ import annotations

import copy
import functools
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from seqclr.data import images
from seqclr.data.charset import Charset
from seqclr.data.knowledge import NOTHING, Known, Possible
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.runtime import constrained
from seqclr.runtime.folder import FORMATS, load
from seqclr.runtime.sessions import FEATURES, SESSIONS, OnnxSession


class Reader(Protocol):
    """The interface of readers: `Recognizer` of a run, `ExportedReader` and `Exported`.

    threshold, lengths: what is accepted, as in `Decision`. answer: what users get of its texts, see `answering`.
    """

    answer: str
    charset: Charset
    threshold: float | None
    lengths: tuple[int, ...] | None

    def knowing(self, known: Known) -> Reader: ...

    def predict_samples(
        self, samples: Sequence[Sample], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]: ...

    def predict_images(
        self, arrays: Iterable[np.ndarray], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]: ...


class BatchReader:
    """Predicts images of any size in batches of resized ones.

    A subclass has `height`, `width` and `resize`, the size that images are resized to, and `predict_batch`.
    """

    answer = "text"
    height: int
    width: int
    resize: str

    def predict_batch(
        self, pixels: np.ndarray, widths: np.ndarray | None = None, beam: int = 1
    ) -> Iterable[tuple[str, float]]:
        """Text and confidence of each image, `uint8 [B, height, width, 3]`. widths: image columns, with resize=pad."""
        raise NotImplementedError

    def predict_samples(
        self, samples: Sequence[Sample], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]:
        """Text and confidence of each sample, in order. Raises UserError for an image that cannot be read."""
        arrays = (images.decode(sample.read_bytes(), sample.name) for sample in samples)
        return self.predict_images(arrays, beam, batch_size)

    def predict_images(
        self, arrays: Iterable[np.ndarray], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]:
        """Text and confidence of each image `uint8 [H, W, 3]`, of any size."""
        resized = (images.fit(array, self.height, self.width, self.resize) for array in arrays)
        while chunk := list(itertools.islice(resized, batch_size)):
            pixels, widths = zip(*chunk)
            yield from self.predict_batch(np.stack(pixels), np.array(widths, np.int32), beam)


class ExportedReader(BatchReader):
    """A loaded export of format ONNX or LiteRT. Raises UserError where the folder is not complete and unchanged."""

    def __init__(self, folder: Path):
        self.folder = Path(folder)
        self.facts, self.charset = load(self.folder)
        self.height, self.width, self.resize = self.facts.height, self.facts.width, self.facts.resize
        self.threshold, self.lengths, self.answer = self.facts.threshold, self.facts.lengths, self.facts.answer
        self.possible = self._decoded = Possible(None, self.facts.length)  # the charset has only known characters
        self._session = SESSIONS[self.facts.format](self.folder / FORMATS[self.facts.format])

    def knowing(self, known: Known) -> ExportedReader:
        """This export for known characters and lengths. Raises UserError where it cannot predict such texts."""
        known = known.beyond(self.facts.known, self.charset)
        if known == NOTHING:
            return self
        if self.facts.known != NOTHING:
            problem = f"{known}: {self.folder} was exported with {self.facts.known}"
            raise UserError(f"{problem}: export the run again with it, or use the run")
        other = copy.copy(self)
        other.possible = known.possible(self.charset, self.width)
        other.lengths = self.lengths if known.lengths is None else known.lengths
        return other

    def predict_batch(
        self, pixels: np.ndarray, widths: np.ndarray | None = None, beam: int = 1
    ) -> Iterator[tuple[str, float]]:
        if beam != 1:
            raise UserError(f"beam {beam}: {self.folder} is an export and has no beam search: use the run")
        outputs, blank = self._session.predict(pixels, widths), self.charset.blank
        if self.possible == self._decoded:
            ids, confidence = outputs["ids"], outputs["confidence"]
        else:
            ids, confidence = constrained.predict(outputs["log_probabilities"], self.possible)
        for row, certainty in zip(ids, confidence):
            yield self.charset.decode(row[row != blank]), float(certainty)

    def log_probabilities(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> np.ndarray | None:
        """`float32 [B, T, classes]`, the blank last; None of an older export."""
        return self._session.predict(pixels, widths).get("log_probabilities")

    def features(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> np.ndarray | None:
        """`float32 [B, D]`, the mean of the encoder's features over the frames that are no padding; None of an older
        export and of LiteRT."""
        if self._hidden is None:
            return None
        outputs = self._hidden.predict(pixels, widths)
        return mean_over_frames(outputs[FEATURES], outputs["log_probabilities"][..., 0] > constrained.NEVER)

    @functools.cached_property
    def _hidden(self) -> OnnxSession | None:
        """Also returns the features, which few need."""
        if self.facts.format != "onnx":
            return None
        try:
            return OnnxSession(self.folder / FORMATS["onnx"], FEATURES)
        except UserError:  # the graph itself was loaded, so it is this tensor that is missing
            return None


def mean_over_frames(features: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    """`[B, D]` of features `[B, T, D]`. valid: `bool [B, T]`, the frames that are no padding (None: all)."""
    if valid is None:
        return features.mean(axis=1)
    weights = valid / np.maximum(valid.sum(axis=1, keepdims=True), 1)
    return np.einsum("btd,bt->bd", features, weights.astype(np.float32))
