"""Predicts the images in the background, in batches, while labels are given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from seqclr.data.images import fit
from seqclr.labelling.images import Images, readable
from seqclr.messages import LOGGER
from seqclr.runtime import constrained
from seqclr.runtime.reader import Reader

BATCH = 32
MARGIN = 16  # the share of the height and width that a second view adds on every side


class Prediction(NamedTuple):
    """text, confidence: of the reader. characters: the confidence of each; empty if the reader gives none.

    second: the text of a second view of the image, slightly smaller; None before it is predicted.
    """

    text: str
    confidence: float
    characters: tuple[float, ...] = ()
    second: str | None = None


class Predictor:
    """A thread that predicts all images, and then second views of them.

    done: called in the thread with the predictions of each batch by index.
    """

    def __init__(self, images: Images, done: Callable[[dict[int, Prediction]], None]):
        self.images, self.done = images, done
        self.remaining = 0  # predictions until all are known
        self._stop, self._thread = threading.Event(), None

    def start(self, reader: Reader, order: Sequence[int]) -> None:
        """Predicts the images in this order; predictions of another reader that are not complete are left."""
        self.close()
        self._stop = threading.Event()
        self.remaining = 2 * len(order)
        self._thread = threading.Thread(target=self._run, args=(reader, list(order), self._stop), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, reader: Reader, order: list[int], stop: threading.Event) -> None:
        try:
            found: dict[int, Prediction] = {}
            for view in (False, True):
                for start in range(0, len(order), BATCH):
                    if stop.is_set():
                        return
                    part = order[start : start + BATCH]
                    batch = self._predict_batch(reader, part, found if view else None)
                    found |= batch
                    self.remaining -= len(part)
                    self.done(batch)
        except Exception as error:  # labels can be given without predictions
            LOGGER.error("predicting the images failed", exc_info=error)
        finally:
            self.remaining = 0

    def _predict_batch(
        self, reader: Reader, part: Iterable[int], first: dict[int, Prediction] | None
    ) -> dict[int, Prediction]:
        kept, arrays = readable(self.images, part)
        if first is None:
            return dict(zip(kept, predict_batch(reader, arrays)))
        rows = reader.predict_images(map(second_view, arrays), batch_size=BATCH)
        return {i: first[i]._replace(second=text) for i, (text, _) in zip(kept, rows) if i in first}


def predict_batch(reader: Reader, arrays: list[np.ndarray]) -> Iterator[Prediction]:
    """The predictions of images `uint8 [H, W, 3]` of any size, without a second view."""
    frames = _frames(reader, arrays) if arrays else None
    if frames is None:
        yield from (Prediction(*row) for row in reader.predict_images(arrays))
        return
    ids, confidence = constrained.predict(frames, reader.possible)
    characters = constrained.character_confidences(frames, reader.possible, ids)
    for row, certainty, each in zip(ids, confidence, characters):
        yield Prediction(reader.charset.decode(row[row != reader.charset.blank]), float(certainty), each)


def _frames(reader: Reader, arrays: list[np.ndarray]) -> np.ndarray | None:
    """Log probabilities `[B, T, classes]`; None of a SavedModel, and of an export with known characters or lengths."""
    if not hasattr(reader, "log_probabilities"):
        return None
    pixels, widths = zip(*(fit(array, reader.height, reader.width, reader.resize) for array in arrays))
    return reader.log_probabilities(np.stack(pixels), np.array(widths, np.int32))


def second_view(pixels: np.ndarray) -> np.ndarray:
    """The image with a margin, so that its text is smaller."""
    height, width = (max(1, side // MARGIN) for side in pixels.shape[:2])
    return np.pad(pixels, ((height, height), (width, width), (0, 0)), mode="edge")
