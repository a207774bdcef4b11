"""The answers to images, which clients fetch with a second request and report on."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections import OrderedDict

from seqclr.serve.refusal import Refusal

KEPT = 10_000  # answers
SECONDS = 300.0  # that an answer is kept
HELD_BYTES = 64_000_000  # of the images of answers, held until a client reports on them
LARGEST = 2**53  # the largest integer that JavaScript reads exactly


@dataclasses.dataclass
class Answer:
    """An answer, its image where images are kept, and what a client has reported.

    accepted: None without a report. kept: whether the image was written.
    """

    until: float
    fields: dict
    image: bytes | None = None
    accepted: bool | None = None
    kept: bool = False


class Results:
    """The answers by id. Ids are random, so that none comes again after a restart."""

    def __init__(self):
        self._kept: OrderedDict[int, Answer] = OrderedDict()
        self._held: OrderedDict[int, int] = OrderedDict()  # bytes of the images, by id
        self._bytes = 0

    def add(self, fields: dict, image: bytes | None = None) -> dict:
        """The fields of an answer with its `id`. image: to be held; beyond HELD_BYTES the oldest are dropped."""
        number = 1 + secrets.randbelow(LARGEST - 1)
        answer = Answer(time.monotonic() + SECONDS, {**fields, "id": number}, image)
        self._kept[number] = answer
        if image is not None:
            self._held[number] = len(image)
            self._bytes += len(image)
        while len(self._kept) > KEPT or next(iter(self._kept.values())).until < time.monotonic():
            self.take_image(next(iter(self._kept)))
            self._kept.popitem(last=False)
        while self._bytes > HELD_BYTES:
            self.take_image(next(iter(self._held)))
        return answer.fields

    def get(self, number: object) -> Answer:
        """The answer with an id. Raises Refusal, 404."""
        try:
            answer = self._kept[int(str(number))]
        except (KeyError, ValueError):
            answer = None
        if answer is None or answer.until < time.monotonic():
            raise Refusal(
                404, f"there is no task {number!s:.40}: it never was, or is older than {SECONDS / 60:.0f} minutes"
            )
        return answer

    def take_image(self, number: int) -> bytes | None:
        """The image of an answer, which is held no longer; None where there is none."""
        answer = self._kept[number]
        image, answer.image = answer.image, None
        self._bytes -= self._held.pop(number, 0)
        return image
