"""Reports that a site has changed its images: confidences, or the share of accepted texts, fall.

A CUSUM (doi:10.1093/biomet/41.1-2.100) of ranks: each confidence, and each outcome of feedback, is ranked among the
first ones after the reader was loaded, so that no distribution is assumed. Low ranks, standardized, add to the sum; a
sum of LIMIT reports the change, a sum of 0 withdraws it. Constant time and memory per request.
"""

from __future__ import annotations

import bisect
from collections.abc import Sequence

from seqclr.messages import say, warn
from seqclr.serve.metrics import Metrics

FIRST = {"confidence": 200, "acceptance": 100}  # values that later ones are ranked among
NAMES = {"confidence": ("mean confidence", "predictions"), "acceptance": ("share of accepted texts", "outcomes")}
SLACK = 0.5  # standard deviations that ranks may be lower than at first
LIMIT = 16.0  # standard deviations


class Cusum:
    """The sum of standardized ranks of a value among its first ones; it grows where values are lower than at first."""

    def __init__(self, first: Sequence[float]):
        self._first, self.mean = sorted(first), sum(first) / len(first)
        self.sum, self.changed = 0.0, False
        self.count, self._total = 0, 0.0  # of values since the sum was 0

    def add(self, value: float) -> bool:
        """Adds a value; returns whether `changed` is another than before."""
        below = bisect.bisect_left(self._first, value) + bisect.bisect_right(self._first, value)  # ties: the mean rank
        standardized = (0.5 - below / 2 / len(self._first)) * 12**0.5
        self.sum = min(max(0.0, self.sum + standardized - SLACK), LIMIT)
        before, self.changed = self.changed, self.sum >= LIMIT or (self.changed and self.sum > 0)
        self.count, self._total = (self.count + 1, self._total + value) if self.sum else (0, 0.0)
        return self.changed != before

    @property
    def recent(self) -> float:
        """The mean of the values since the sum was 0."""
        return self._total / max(1, self.count)


class Drift:
    """Watches the confidences and the outcomes of one reader."""

    def __init__(self, name: str, metrics: Metrics):
        self._name = name
        self._gauges = {signal: metrics.drift.labels(name, signal) for signal in FIRST}
        for gauge in self._gauges.values():
            gauge.set(0)
        self._first: dict[str, list[float]] = {signal: [] for signal in FIRST}
        self._sums: dict[str, Cusum] = {}

    def add_confidence(self, confidence: float) -> None:
        self._add("confidence", float(confidence))

    def add_outcome(self, accepted: bool) -> None:
        """accepted: whether a site accepted a text."""
        self._add("acceptance", float(accepted))

    def message(self) -> str | None:
        """What has changed, in words; None where nothing has."""
        found = []
        for signal, each in self._sums.items():
            if each.changed:
                what, values = NAMES[signal]
                then = f"{each.mean:.2f} in the first {FIRST[signal]}"
                found.append(f"{what} {each.recent:.2f} in the last {each.count} {values}, {then}")
        return f"the images seem to have changed: {'; '.join(found)}" if found else None

    def _add(self, signal: str, value: float) -> None:
        each = self._sums.get(signal)
        if each is None:
            self._first[signal].append(value)
            if len(self._first[signal]) == FIRST[signal]:
                self._sums[signal] = Cusum(self._first[signal])
            return
        turned = each.add(value)
        self._gauges[signal].set(1 if each.changed else each.sum / LIMIT)
        if turned and each.changed:
            warn(f"{self._name}: {self.message()}: adapt the reader to new images")
        elif turned:
            say(f"{self._name}: the {signal} is as it was at first again")
