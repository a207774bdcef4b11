"""The answers to images, which clients fetch with a second request and report on."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections import OrderedDict

from seqclr.serve.refusal import Refusal

KEPT = 10_000  # answers that are tasks, and others
SECONDS = 300.0  # that an answer is kept
HELD_BYTES = 64_000_000  # of the images of answers, held until a client reports on them
LARGEST = 2**53  # the largest integer that JavaScript reads exactly


@dataclasses.dataclass(slots=True)  # there may be 20,000
class Answer:
    """The answer to an image, and what a client has reported.

    model: name of the reader. id: for feedback, or for fetching a task. until: time at which the id becomes invalid.
    accepted: None without a report. kept: whether the image was written.
    """

    text: str
    confidence: float
    accept: bool
    model: str
    id: int = 0
    until: float = 0.0
    accepted: bool | None = None
    kept: bool = False

    def fields(self) -> dict:
        """Those of the response, as JSON."""
        names = ("text", "confidence", "accept", "model", "id")
        return {name: getattr(self, name) for name in names}


class Results:
    """The answers by id. Ids are random, so that none comes again after a restart."""

    def __init__(self):
        self._tasks: OrderedDict[int, Answer] = OrderedDict()
        self._others: OrderedDict[int, Answer] = OrderedDict()
        self._images: OrderedDict[int, bytes] = OrderedDict()
        self._bytes = 0  # of the images

    def add(self, answer: Answer, image: bytes | None = None, task: bool = False) -> None:
        """Gives an answer its id, and keeps it.

        image: to be held; beyond HELD_BYTES the oldest are dropped. task: whether the client fetches the answer with a
        second request; only other tasks displace it.
        """
        answer.id, answer.until = 1 + secrets.randbelow(LARGEST - 1), time.monotonic() + SECONDS
        (self._tasks if task else self._others)[answer.id] = answer
        if image is not None:
            self._images[answer.id] = image
            self._bytes += len(image)
        for kept in (self._tasks, self._others):
            while kept and (len(kept) > KEPT or next(iter(kept.values())).until < time.monotonic()):
                self.take_image(kept.popitem(last=False)[0])
        while self._bytes > HELD_BYTES:
            self.take_image(next(iter(self._images)))

    def get(self, number: object) -> Answer:
        """The answer with an id. Raises Refusal, 404."""
        try:
            answer = self._tasks.get(int(str(number))) or self._others.get(int(str(number)))
        except ValueError:
            answer = None
        if answer is None or answer.until < time.monotonic():
            kept = f"ids are valid for {SECONDS / 60:.0f} minutes, the latest {KEPT:,} at most"
            raise Refusal(404, f"there is no task {number!s:.40}: {kept}")
        return answer

    def take_image(self, number: int) -> bytes | None:
        """The image of an answer, which is held no longer; None where there is none."""
        image = self._images.pop(number, None)
        self._bytes -= len(image or b"")
        return image
