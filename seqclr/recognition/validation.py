"""Validation during fine-tuning."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras

from seqclr.data import loader as data_loader
from seqclr.data.dataset import ImageDataset
from seqclr.decision import Decision, choose_threshold
from seqclr.engine.trainer import Trainer
from seqclr.messages import warn
from seqclr.nn.momentum import Momentum, in_place
from seqclr.recognition import metrics
from seqclr.recognition.recognizer import Recognizer


class Validation(keras.callbacks.Callback):
    """Evaluates the recognizer after every round, saves the best checkpoint by edit-distance accuracy, stops early.

    With the best checkpoint it writes decision.json, with the threshold that the same predictions give. texts: the
    labels, compared in full. patience: rounds without improvement until training stops; None for never. result:
    averaged weights that are evaluated in place of the trained ones, where there are any. lengths: those of `Decision`.
    It warns when the recognizer has predicted only blanks for eight rounds, a plateau of CTC.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        dataset: ImageDataset,
        texts: Sequence[str],
        patience: int | None,
        result: Momentum | None = None,
        lengths: tuple[int, ...] | None = None,
    ):
        super().__init__()
        self.recognizer, self.dataset, self.texts, self.patience = recognizer, dataset, texts, patience
        self.result, self.lengths = result, lengths
        self.trainer: Trainer | None = None
        self.best, self.best_step, self.waited, self.blank_rounds = -1.0, 0, 0, 0

    def on_train_begin(self, logs=None):
        self._stop_if_waited()  # a run that stopped early and is resumed stops again

    def on_epoch_end(self, epoch, logs=None):
        with in_place(self.result):
            rows = [
                row
                for batch in data_loader.InOrder(self.dataset, 64)
                for row in self.recognizer.predict_batch(batch["image"], batch.get("width"))
            ]
        predictions, confidences = zip(*rows)
        scores = metrics.scores(self.texts, predictions)
        logs.update({f"val_{name}": scores[name] for name in ("edit_distance_accuracy", "exact_match")})
        self._warn_of_blanks(predictions)
        if scores["edit_distance_accuracy"] >= self.best:
            self.waited = self.waited + 1 if scores["edit_distance_accuracy"] == self.best else 0
            self.best, self.best_step = scores["edit_distance_accuracy"], self.trainer.step
            self.trainer.save("best")
            correct = [text == prediction for text, prediction in zip(self.texts, predictions)]
            threshold = choose_threshold(confidences, correct)
            decision = Decision(threshold, self.lengths, images=len(rows), labelled=len(rows))
            decision.save(self.trainer.run.decision_file)
        else:
            self.waited += 1
        self._stop_if_waited()

    def _stop_if_waited(self):
        if self.patience is not None and self.waited >= self.patience:
            self.model.stop_training = True

    def _warn_of_blanks(self, predictions):
        common, times = Counter(predictions).most_common(1)[0]
        self.blank_rounds = self.blank_rounds + 1 if common == "" and times > 0.9 * len(predictions) else 0
        if self.blank_rounds == 8:
            warn(
                "only blanks predicted for eight rounds: start again with another seed, a higher learning_rate, weaker "
                "views, or more steps"
            )

    def get_state(self) -> dict:
        return {"best": self.best, "best_step": self.best_step, "waited": self.waited, "blank": self.blank_rounds}

    def set_state(self, state: dict) -> None:
        self.best, self.best_step = state["best"], state["best_step"]
        self.waited, self.blank_rounds = state["waited"], state["blank"]
