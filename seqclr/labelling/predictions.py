"""Loads readers, and predicts the images in the background, in batches, while labels are given."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from seqclr.data.knowledge import Known
from seqclr.export.reader import load_reader
from seqclr.labelling import strategies
from seqclr.labelling.certainty import ImagePrediction, predict
from seqclr.labelling.images import Images, readable
from seqclr.messages import LOGGER
from seqclr.runtime.reader import Reader
from seqclr.serve.reload import BLANK

BATCH = 32


def load(model: str | Path, known: Known, strategy: str) -> Reader:
    """A reader, for known texts. Raises UserError where it cannot be loaded, or lacks what the strategy needs."""
    reader = load_reader(model).knowing(known)
    strategies.order(strategy, list(predict(reader, [BLANK], with_features=strategy in strategies.FEATURES)))
    return reader


class Predictor:
    """A thread that predicts images.

    done: called in the thread with the predictions of each batch by index; images that cannot be read have none.
    with_features: as of `certainty.predict`. `remaining` counts the images that are not predicted yet.
    """

    def __init__(self, images: Images, done: Callable[[dict[int, ImagePrediction]], None], with_features: bool = False):
        self.images, self.done, self.with_features, self.remaining = images, done, with_features, 0
        self._stop, self._thread = threading.Event(), None

    def start(self, reader: Reader, order: Sequence[int]) -> None:
        """Predicts the images in this order; what an earlier call has not predicted yet is left."""
        self.close()
        self._stop, self.remaining = threading.Event(), len(order)
        self._thread = threading.Thread(target=self._run, args=(reader, list(order), self._stop), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self, reader: Reader, order: list[int], stop: threading.Event) -> None:
        try:
            for start in range(0, len(order), BATCH):
                if stop.is_set():
                    return
                kept, arrays = readable(self.images, order[start : start + BATCH])
                found = dict(zip(kept, predict(reader, arrays, BATCH, self.with_features)))
                self.remaining = max(0, len(order) - start - BATCH)
                self.done(found)
        except Exception as error:  # labels can be given without predictions
            LOGGER.error("predicting the images failed", exc_info=error)
            self.remaining = 0
