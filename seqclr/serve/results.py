"""The results of tasks, which clients fetch with a second request."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict

from seqclr.serve.refusal import Refusal

KEPT = 10_000  # results
SECONDS = 300.0  # that a result is kept
LARGEST = 2**53  # the largest integer that JavaScript reads exactly


class Results:
    """The results of tasks, by number. Numbers are random, so that none comes again after a restart."""

    def __init__(self):
        self._kept: OrderedDict[int, tuple[float, dict]] = OrderedDict()

    def add(self, result: dict) -> int:
        number = 1 + secrets.randbelow(LARGEST - 1)
        self._kept[number] = (time.monotonic() + SECONDS, result)
        while len(self._kept) > KEPT or next(iter(self._kept.values()))[0] < time.monotonic():
            self._kept.popitem(last=False)
        return number

    def get(self, number: object) -> dict:
        """The result of a task. Raises Refusal, 404."""
        try:
            until, result = self._kept[int(str(number))]
        except (KeyError, ValueError):
            until, result = 0.0, {}
        if until < time.monotonic():
            raise Refusal(
                404, f"there is no task {number!s:.40}: it never was, or is older than {SECONDS / 60:.0f} minutes"
            )
        return result
