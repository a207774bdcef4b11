"""Validation of a recognizer while it is trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras

from seqclr.data import loader as data_loader
from seqclr.data.dataset import ImageDataset
from seqclr.engine.trainer import Trainer
from seqclr.messages import warn
from seqclr.nn.momentum import Momentum, in_place
from seqclr.recognition import metrics
from seqclr.recognition.recognizer import Recognizer


class Validation(keras.callbacks.Callback):
    """Reads the whole validation set after every round and keeps the best weights by edit-distance accuracy.

    result: the copy of the weights that reads instead of them, where there is one.
    It says so when the recognizer answers blank everywhere, the plateau that CTC may stay on.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        dataset: ImageDataset,
        texts: Sequence[str],
        patience: int | None,
        result: Momentum | None = None,
    ):
        super().__init__()
        self.recognizer, self.dataset, self.texts, self.patience = recognizer, dataset, texts, patience
        self.result = result
        self.trainer: Trainer | None = None
        self.best, self.best_step, self.waited, self.blank_rounds = -1.0, 0, 0, 0

    def on_train_begin(self, logs=None):
        self._stop_if_waited()  # a run that stopped early and is resumed is still at its end

    def on_epoch_end(self, epoch, logs=None):
        with in_place(self.result):
            reads = [
                text
                for batch in data_loader.in_order(self.dataset, 64)
                for text, _ in self.recognizer.predict_dataset(batch["image"], batch.get("width"))
            ]
        scores = metrics.scores(self.texts, reads)
        logs.update({f"val_{name}": scores[name] for name in ("edit_distance_accuracy", "exact_match")})
        self._warn_of_blanks(reads)
        if scores["edit_distance_accuracy"] >= self.best:
            self.waited = self.waited + 1 if scores["edit_distance_accuracy"] == self.best else 0
            self.best, self.best_step = scores["edit_distance_accuracy"], self.trainer.step
            self.trainer.save("best")
        else:
            self.waited += 1
        self._stop_if_waited()

    def _stop_if_waited(self):
        if self.patience is not None and self.waited >= self.patience:
            self.model.stop_training = True

    def _warn_of_blanks(self, reads):
        common, times = Counter(reads).most_common(1)[0]
        self.blank_rounds = self.blank_rounds + 1 if common == "" and times > 0.9 * len(reads) else 0
        if self.blank_rounds == 8:
            warn(
                "stuck at blank: eight rounds without a character read; start again with another seed, a higher "
                "learning_rate, weaker views, or more steps"
            )

    def get_state(self) -> dict:
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited, "blank": self.blank_rounds}

    def set_state(self, state: dict) -> None:
        self.best, self.best_step = state["best"], state["best_step"]
        self.waited, self.blank_rounds = state["waited"], state["blank"]
