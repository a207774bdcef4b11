"""Reports that a site has changed its images: confidences, or the share of accepted texts, fall.

A CUSUM (doi:10.1093/biomet/41.1-2.100) of ranks: each confidence, and each outcome of feedback, is ranked among the
first ones of the reader, so that no distribution is assumed. Low ranks, standardized, add to the sum; a sum of LIMIT
reports the change, a sum of 0 withdraws it. Constant time and memory per request.

LIMIT is such that simulations have a false alarm on fewer than 1 in 1,000 steady sites of 5,000 requests each. Ranks
have the same distribution for all continuous distributions of confidences (`benchmarks/drift.py` counts false alarms).
The first values are kept in a file, with a digest of the reader, where images are kept.
"""

from __future__ import annotations

import bisect
import json
from pathlib import Path

from seqclr.messages import say, warn
from seqclr.serve.keeper import Keeper
from seqclr.serve.metrics import Metrics

FIRST = {"confidence": 200, "acceptance": 100}  # values from which on later ones are ranked among them
MOST = 1000  # values that others are ranked among, until a change is reported
NAMES = {"confidence": ("mean confidence", "predictions"), "acceptance": ("share of accepted texts", "outcomes")}
SLACK = 0.4  # standard deviations that ranks may be lower than at first
LIMIT = 17.0  # standard deviations
FILE, EACH = "drift.json", 100  # the file of the first values; written after so many


class Cusum:
    """The sum of standardized ranks of a value among its first ones; it grows where values are lower than at first.

    least: values from which on later ones are ranked. first: values that are known already.
    """

    def __init__(self, least: int, first: list[float] | None = None):
        self.least, self.first = least, sorted(first or [])
        self.sum, self.changed = 0.0, False
        self.count, self._total = 0, 0.0  # of values since the sum was 0

    def add(self, value: float) -> bool:
        """Adds a value; returns whether `changed` is another than before."""
        before = self.changed
        if len(self.first) >= self.least:
            below = bisect.bisect_left(self.first, value) + bisect.bisect_right(self.first, value)  # ties: mean rank
            standardized = (0.5 - below / 2 / len(self.first)) * 12**0.5
            self.sum = min(max(0.0, self.sum + standardized - SLACK), LIMIT)
            self.changed = self.sum >= LIMIT or (self.changed and self.sum > 0)
            self.count, self._total = (self.count + 1, self._total + value) if self.sum else (0, 0.0)
        if self.growing:
            bisect.insort(self.first, value)
        return self.changed != before

    @property
    def growing(self) -> bool:
        """Whether the next value will be one of the first."""
        return len(self.first) < MOST and not self.changed

    @property
    def mean(self) -> float:
        """The mean of the first values."""
        return sum(self.first) / max(1, len(self.first))

    @property
    def recent(self) -> float:
        """The mean of the values since the sum was 0."""
        return self._total / max(1, self.count)


class Drift:
    """Watches the confidences and the outcomes of one reader.

    digest: of the reader. keeper: its folder has the first values of an earlier start with the same reader, and gets
    those of this one; without, they are in memory only.
    """

    def __init__(self, name: str, metrics: Metrics, digest: str = "", keeper: Keeper | None = None):
        self._name, self._digest, self._keeper = name, digest, keeper
        self._gauges = {signal: metrics.drift.labels(name, signal) for signal in FIRST}
        for gauge in self._gauges.values():
            gauge.set(0)
        first = {} if keeper is None else load(keeper.folder / FILE, digest)
        self._sums = {signal: Cusum(least, first.get(signal)) for signal, least in FIRST.items()}

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
                then = f"{each.mean:.2f} in the first {len(each.first)}"
                found.append(f"{what} {each.recent:.2f} in the last {each.count} {values}, {then}")
        return f"the images seem to have changed: {'; '.join(found)}" if found else None

    def _add(self, signal: str, value: float) -> None:
        each = self._sums[signal]
        growing = each.growing
        turned = each.add(value)
        self._gauges[signal].set(1 if each.changed else each.sum / LIMIT)
        if turned and each.changed:
            warn(f"{self._name}: {self.message()}: adapt the reader to new images")
        elif turned:
            say(f"{self._name}: the {signal} is as it was at first again")
        if self._keeper is not None and growing and len(each.first) % EACH == 0:
            first = {name: each.first for name, each in self._sums.items()}
            self._keeper.write(FILE, json.dumps({"digest": self._digest, "first": first}) + "\n")


def load(file: Path, digest: str) -> dict[str, list[float]]:
    """The first values that a file has, by signal; none where there is no file, or one of another reader."""
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if values["digest"] != digest:
            return {}
        return {signal: [float(value) for value in values["first"][signal]][:MOST] for signal in FIRST}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        warn(f"{file} cannot be read ({error!r}): changes are judged from new first values")
        return {}
