"""Calls out that a site has changed its images: confidences, or the share of accepted texts, fall.

A CUSUM (doi:10.1093/biomet/41.1-2.100) of two binary signals of a reader: whether a prediction is less sure than four
fifths of the first ones, and whether a site refused its text. A signal adds its log-likelihood ratio under a changed
rate and under that of the first signals; a sum of LIMIT calls the change out, a sum of 0 takes it back. With exact
rates, a steady site reaches LIMIT after e^LIMIT signals on average, or later. Constant time and memory per request.
"""

from __future__ import annotations

import math

import numpy as np

from seqclr.messages import say, warn
from seqclr.serve.metrics import Metrics

PREDICTIONS, OUTCOMES = 200, 100  # first ones, which later ones are compared with
QUANTILE = 0.2  # of the first confidences, below which a prediction is unsure
CHANGED = 6.0  # factor of the odds of a signal after a change
ERRORS = 2.0  # standard errors that the first rate may be too low
LIMIT = 12.0
RECENT = 50  # signals in the rate that a message tells


class Cusum:
    """The sum of a binary signal, whose rate is estimated from `ones` of the first `count` signals."""

    def __init__(self, ones: int, count: int):
        self.first = self.recent = ones / count
        steady = (ones + 1) / (count + 2)
        steady = min(steady + ERRORS * math.sqrt(steady * (1 - steady) / count), 0.95)
        odds = CHANGED * steady / (1 - steady)
        changed = odds / (1 + odds)
        self._gains = math.log((1 - changed) / (1 - steady)), math.log(changed / steady)
        self.sum, self.changed = 0.0, False

    def add(self, signal: bool) -> bool:
        """Adds a signal; returns whether `changed` is another than before."""
        self.recent += (signal - self.recent) / RECENT
        self.sum = min(max(0.0, self.sum + self._gains[int(signal)]), LIMIT)
        before, self.changed = self.changed, self.sum >= LIMIT or (self.changed and self.sum > 0)
        return self.changed != before


class Drift:
    """Watches the confidences and the outcomes of one reader."""

    def __init__(self, name: str, metrics: Metrics):
        self._name = name
        self._gauges = {signal: metrics.drift.labels(name, signal) for signal in ("confidence", "acceptance")}
        for gauge in self._gauges.values():
            gauge.set(0)
        self._first_confidences: list[float] = []
        self._first_outcomes: list[bool] = []
        self._level = 0.0
        self._sums: dict[str, Cusum] = {}

    def add_confidence(self, confidence: float) -> None:
        if "confidence" in self._sums:
            self._add("confidence", confidence < self._level)
            return
        self._first_confidences.append(confidence)
        if len(self._first_confidences) == PREDICTIONS:
            first = np.array(self._first_confidences)
            self._level = float(np.quantile(first, QUANTILE))
            self._sums["confidence"] = Cusum(int((first < self._level).sum()), PREDICTIONS)

    def add_outcome(self, accepted: bool) -> None:
        """accepted: whether a site accepted a text."""
        if "acceptance" in self._sums:
            self._add("acceptance", not accepted)
            return
        self._first_outcomes.append(accepted)
        if len(self._first_outcomes) == OUTCOMES:
            self._sums["acceptance"] = Cusum(self._first_outcomes.count(False), OUTCOMES)

    def message(self) -> str | None:
        """What has changed, in words; None where nothing has."""
        found = [self._words(signal) for signal, each in self._sums.items() if each.changed]
        return f"the images seem to have changed: {' and '.join(found)}" if found else None

    def _add(self, signal: str, value: bool) -> None:
        each = self._sums[signal]
        turned = each.add(value)
        self._gauges[signal].set(1 if each.changed else each.sum / LIMIT)
        if turned and each.changed:
            warn(f"{self._name}: {self.message()}: adapt the reader to new images")
        elif turned:
            say(f"{self._name}: the {signal} is as it was at first again")

    def _words(self, signal: str) -> str:
        each = self._sums[signal]
        what = (
            f"predictions have a confidence below {self._level:.2f}" if signal == "confidence" else "texts are refused"
        )
        first = PREDICTIONS if signal == "confidence" else OUTCOMES
        return f"{each.recent:.0%} of the recent {what}, {each.first:.0%} of the first {first}"
