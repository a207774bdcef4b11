"""What a reader's predictions on images without labels say about their texts and about its accuracy."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence, Set
from pathlib import Path

import keras
import numpy as np

from seqclr.data.dataset import ImageDataset
from seqclr.decision import Decision, choose_threshold
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.methods.text.propagation import PropagatedTexts
from seqclr.nn.momentum import Momentum, in_place
from seqclr.recognition.recognizer import Recognizer

MOST = 1000  # images that are predicted for an estimate
SUREST = 0.3  # share of the predictions, those of the highest confidence, that texts are estimated from
RARE = 0.1  # lengths and characters below this share of the most frequent one are taken for errors
OFFSET = 0.15  # of the log-odds of the exact match from those of the mean confidence (benchmarks/estimates.py)
FEWEST = 10  # images without labels that an estimate and a threshold are computed on
DOUBTFUL, ASKED = 0.7, 20  # an estimated exact match below which labels are asked for, and how many


def some_of(dataset: ImageDataset, indices: Sequence[int]) -> list[int]:
    """At most MOST of some indices of a dataset, at random, the same every time, without those of unreadable images."""
    return dataset.readable(sorted(random.Random(0).sample(indices, min(MOST, len(indices)))))


def predict_records(
    reader: Recognizer, dataset: ImageDataset, indices: Sequence[int], batch_size: int = 64
) -> list[tuple[str, float]]:
    """Texts and confidences of the records of a dataset with these indices, which are of `some_of`."""
    found: list[tuple[str, float]] = []
    for start in range(0, len(indices), batch_size):
        records = [dataset[index] for index in indices[start : start + batch_size]]
        widths = np.array([record["width"] for record in records], np.int32) if "width" in records[0] else None
        found += reader.predict_batch(np.stack([record["image"] for record in records]), widths)
    return found


def estimate_texts(reader: Recognizer, dataset: ImageDataset, texts: Sequence[str] = ()) -> tuple[str, str]:
    """The charset and the lengths, as the key `length` takes them, of the surest predictions and of known texts.

    Every source counts for itself. Raises UserError where no text is predicted.
    """
    indices = some_of(dataset, range(len(dataset)))
    groups = defaultdict(list)
    for index, row in zip(indices, predict_records(reader, dataset, indices)):
        groups[dataset.samples[index].source].append(row)
    lengths, characters = {len(text) for text in texts}, set("".join(texts))
    for rows in groups.values():
        rows = sorted(rows, key=lambda row: -row[1])[: max(1, round(SUREST * len(rows)))]
        sure = [text for text, _ in rows if text]
        usual = frequent(Counter(map(len, sure)))
        lengths |= usual
        characters |= frequent(Counter("".join(text for text in sure if len(text) in usual)))
    if not lengths:
        raise UserError("the reader predicts no text in the surest images: give charset and length, or label some")
    charset = "".join(character for character in reader.charset.characters if character in characters)
    return charset, ",".join(map(str, sorted(lengths)))


def frequent(counts: Counter) -> set:
    """The keys with at least RARE of the largest count."""
    return {key for key, count in counts.items() if count >= RARE * max(counts.values())}


def exact_match_of(confidence: float) -> float:
    """The exact match to expect of an adapted reader, by the mean confidence over images without labels."""
    return 1 / (1 + math.exp(-log_odds(confidence) - OFFSET))


def log_odds(share: float) -> float:
    clipped = min(max(share, 0.01), 0.995)
    return math.log(clipped / (1 - clipped))


class AccuracyEstimate(keras.callbacks.Callback):
    """At the end of a training, estimates the exact match by the confidence on images without labels.

    It is that of their propagated texts, as the reader is too sure of what it was trained on; where there is none, that
    of the prediction.

    It also chooses the threshold of confidence and writes it to `decision_file`: on the validation images and their
    labels, or without them on the images without labels and the estimate. Images that are trained on with their labels
    say nothing about it. With fewer than FEWEST images without labels, nothing is estimated on them.

    labelled: indices of records that are left out, as their labels are trained on. propagated: the texts that the
    records were trained on. result: averaged weights that predict.
    before: the reader that the training started from; where it is better on the validation images, a warning says so.
    validation: images, and their labels.

    figures: `estimated_exact_match` and `mean_confidence`, of all images where those without labels are too few.
    """

    def __init__(
        self,
        reader: Recognizer,
        dataset: ImageDataset,
        labelled: Set[int],
        propagated: PropagatedTexts,
        result: Momentum,
        before: Recognizer,
        decision_file: Path,
        validation: tuple[ImageDataset, Sequence[str]] | None = None,
    ):
        super().__init__()
        self.reader, self.dataset, self.result, self.labelled = reader, dataset, result, labelled
        self.propagated = propagated
        self.decision_file, self.validation, self.before = decision_file, validation, before
        self.figures: dict[str, float] = {}

    def on_train_end(self, logs=None):
        everything = range(len(self.dataset))
        free = [index for index in everything if index not in self.labelled]
        enough, checked = len(free) >= FEWEST, []
        indices = some_of(self.dataset, free if enough else everything)
        with in_place(self.result):
            predictions = predict_records(self.reader, self.dataset, indices)
            if self.validation is not None:
                dataset, texts = self.validation
                rows = some_of(dataset, range(len(dataset)))
                checked = list(zip(predict_records(self.reader, dataset, rows), (texts[row] for row in rows)))
        fixed = self.propagated.confidence.numpy()[indices]
        mean = float(np.where(fixed < 0, [confidence for _, confidence in predictions], fixed).mean())
        estimate = exact_match_of(mean)
        self.figures = {"estimated_exact_match": estimate, "mean_confidence": mean}
        if enough:
            say(f"estimated exact match on images without labels: {estimate:.2f}")
        if enough and estimate < DOUBTFUL and len(self.labelled) < ASKED:
            warn(
                f"the predictions are uncertain: label {ASKED} images, and adapt with these labels; seqclr label "
                f"--model {self.decision_file.parent} offers the least certain ones first"
            )
        if checked:
            self._compare(dataset, rows, checked)
        if checked or enough:
            self._decide(predictions, checked, estimate)

    def _compare(self, dataset: ImageDataset, rows: list[int], checked: list[tuple[tuple[str, float], str]]) -> None:
        """Says the exact match on the validation images, with that of the reader before."""
        predictions, texts = zip(*checked)
        after, before = (
            np.mean([read == text for (read, _), text in zip(found, texts)])
            for found in (predictions, predict_records(self.before, dataset, rows))
        )
        say(f"exact match on {len(rows)} validation images: {after:.3f}, before the adaptation {before:.3f}")
        if after < before:
            warn(
                "the adaptation has made the reader worse on the validation images: label more images, or keep the "
                "reader that it started from"
            )

    def _decide(
        self, predictions: list[tuple[str, float]], checked: list[tuple[tuple[str, float], str]], estimate: float
    ) -> None:
        """Writes the decision. checked: predictions of validation images with their labels."""
        correct: list[bool] | float = estimate
        if checked:
            predictions, texts = zip(*checked)
            correct = [text == read for text, (read, _) in zip(texts, predictions)]
        threshold = choose_threshold([confidence for _, confidence in predictions], correct)
        count, lengths = len(predictions), self.reader.possible.lengths
        Decision(threshold, lengths, images=count, labelled=len(checked)).save(self.decision_file)
        of = f"{count} validation images" if checked else f"{count} images without labels"
        say(f"predictions of a confidence below {threshold:.2f} are refused (chosen on {of})")
