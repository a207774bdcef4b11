"""When to type a prediction and when to ask for another image.

A wrong text costs a try and, after a few, the account; another image costs a request. With one new image, whatever
comes then is typed. Refusing an image of confidence c is better where its text is right with a probability below

    p(c) < mean accuracy - COST

because the next image is right with the mean probability. `choose_threshold` finds this c. NumPy alone: the runtime
imports it.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from seqclr.errors import UserError
from seqclr.files import atomic_write

COST = 0.05  # of a new image, where a wrong text costs 1: refuse if that raises the accuracy by at least so much
DEFAULT = 0.85  # the threshold of a reader that none was chosen for
PRIOR = 1.0  # standard deviation of the offset between log-odds of confidence and accuracy, of readers of ten sites
ANSWERS = ("refuse", "accept")  # by whether a prediction is accepted
EDGE = 1e-6  # confidences are kept so far from 0 and 1, where log-odds are infinite


@dataclasses.dataclass(frozen=True)
class Decision:
    """What a reader accepts: decision.json of a run.

    threshold: the least confidence; None if it was not chosen, which means DEFAULT. lengths: numbers of characters that
    texts have; None if unknown. images: number of images that the threshold was chosen on, `labelled` of them by
    labels.
    """

    threshold: float | None = None
    lengths: tuple[int, ...] | None = None
    images: int = 0
    labelled: int = 0

    @classmethod
    def load(cls, file: Path) -> Decision:
        """The decision of a file; the default if there is none. Raises UserError if the file is damaged."""
        if not file.is_file():
            return cls()
        try:
            values = json.loads(file.read_text(encoding="utf-8"))
            lengths = values["lengths"]
            lengths = None if lengths is None else tuple(int(length) for length in lengths)
            threshold = None if values["threshold"] is None else float(values["threshold"])
            if threshold is not None and not 0 <= threshold <= 1:
                raise ValueError(f"threshold {threshold}")
            return cls(threshold, lengths, int(values["images"]), int(values["labelled"]))
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{file} is damaged ({error!r}): delete it for a threshold of {DEFAULT}") from None

    def save(self, file: Path) -> None:
        with atomic_write(file) as stream:
            stream.write(json.dumps(dataclasses.asdict(self)) + "\n")


def accepts(text: str, confidence: float, threshold: float | None, lengths: Sequence[int] | None) -> bool:
    """Whether to type a text. An empty text and one of a length that was never seen are refused."""
    least = DEFAULT if threshold is None else threshold
    return bool(text) and confidence >= least and (lengths is None or len(text) in lengths)


def choose_threshold(confidences: Sequence[float], correct: Sequence[bool] | float) -> float:
    """The least confidence at which typing is better than a new image, on N predictions.

    The probability of a right text is that of its confidence, with an offset b in log-odds: p = sigmoid(logit(c) + b).
    With labels, b is the maximum a posteriori of the predictions' correctness under a normal prior of mean 0, so that
    few labels move it little. Without, b makes the mean of p the estimated accuracy.

    correct: whether each prediction is right, or their accuracy as it is estimated without labels. 0 for a reader for
    which no refusal pays, DEFAULT without predictions.
    """
    if not len(confidences):
        return DEFAULT
    odds = _logit(confidences)
    if isinstance(correct, float):
        offset = _root(lambda b: correct - _sigmoid(odds + b).mean())
    else:  # where the derivative of the log-posterior is 0
        offset = _root(lambda b: np.sum(np.asarray(correct) - _sigmoid(odds + b)) - b / PRIOR**2)
    least = float(_sigmoid(odds + offset).mean()) - COST
    return round(float(_sigmoid(_logit(least) - offset)), 4) if least > 0 else 0.0


def seen_lengths(texts: Iterable[str]) -> tuple[int, ...] | None:
    """The lengths of some labels; None where they may have others: where more than COST of the labels, those whose
    length no other has, tell how probable a new length is (Good 1953)."""
    counts = Counter(len(text) for text in texts if text)
    once = sum(count == 1 for count in counts.values())
    return None if not counts or once > COST * counts.total() else tuple(sorted(counts))


def one_retry(correct: Sequence[bool], accepted: Sequence[bool]) -> tuple[float, float]:
    """The expected accuracy with one retry, and the share refused, of N images of one source.

    A refused image is replaced by one of the N - 1 others at random, whose text is typed, accepted or not.
    """
    right, refused = np.asarray(correct, float), ~np.asarray(accepted, bool)
    others = (right.sum() - right) / (len(right) - 1) if len(right) > 1 else right
    return float(np.where(refused, others, right).mean()), float(refused.mean())


def _root(falling: Callable[[float], float]) -> float:
    """Where a falling function of an offset in log-odds is 0, by bisection."""
    low, high = -30.0, 30.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > 0 else (low, middle)
    return middle


def _logit(probabilities) -> np.ndarray:
    p = np.clip(np.asarray(probabilities, float), EDGE, 1 - EDGE)
    return np.log(p / (1 - p))


def _sigmoid(x) -> np.ndarray:
    return 1 / (1 + np.exp(-np.asarray(x)))
