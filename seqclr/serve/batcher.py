"""Predicts the images of many requests in batches, in one thread per reader."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import anyio
import numpy as np

from seqclr.data.images import as_pixels
from seqclr.errors import UserError
from seqclr.messages import LOGGER
from seqclr.serve.metrics import Metrics
from seqclr.serve.refusal import Refusal

if TYPE_CHECKING:
    from seqclr.reading import Prediction

BATCH = 16  # images
WAIT = 0.002  # seconds that a batch waits for further images


class Reader(Protocol):
    """What the server asks of a reader: `seqclr.load` returns one. answer: one of `sums.ANSWERS`."""

    @property
    def answer(self) -> str: ...

    def predict(self, images: Sequence[np.ndarray]) -> Sequence[Prediction]: ...


class Job(NamedTuple):
    """An image in the queue: bytes of an image file, its name in messages, and the future of its prediction."""

    data: bytes
    name: str
    future: asyncio.Future


class Batcher:
    """The queue of a reader, and the thread that decodes and predicts its images.

    reader: may be replaced at any time; the next batch uses the new one. limit: images in the queue, including the
    batch in progress. timeout: seconds until an image that was not predicted is given up.
    """

    def __init__(self, name: str, reader: Reader, limit: int, timeout: float, metrics: Metrics):
        self.name, self.reader, self.limit, self.timeout = name, reader, limit, timeout
        self.waiting = 0  # read and written by the event loop only
        self._metrics, self._confidence = metrics, metrics.confidence.labels(name)
        self._refused, self._batches = metrics.refused.labels(name), metrics.batches.labels(name)
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._began: float | None = None
        threading.Thread(target=self._work, name=f"reader {name}", daemon=True).start()

    async def predict(self, data: bytes, name: str) -> Prediction:
        """The prediction for the bytes of an image file. Raises Refusal: 422, 500, 503 or 504."""
        if self.waiting >= self.limit:
            raise Refusal(503, f"{self.waiting} images are waiting already: try again later")
        future = asyncio.get_running_loop().create_future()
        self.waiting += 1
        self._jobs.put(Job(data, name, future))
        try:
            with anyio.fail_after(self.timeout):
                prediction = await future
        except TimeoutError:
            raise Refusal(504, f"{name} was not predicted within {self.timeout:g} s: try again later") from None
        self._confidence.observe(prediction.confidence)
        if not prediction.accept:
            self._refused.inc()
        return prediction

    def stuck(self) -> bool:
        """Whether a batch has been in progress for longer than the timeout."""
        began = self._began
        return began is not None and time.monotonic() - began > self.timeout

    def close(self) -> None:
        """Ends the thread after the images that are in the queue."""
        self._jobs.put(None)

    # in the thread

    def _work(self) -> None:
        while (first := self._jobs.get()) is not None:
            self._began = time.monotonic()
            jobs, images, results, more = self._gather(first)
            results += zip(jobs, self._predict(jobs, images))
            self._began = None
            if jobs:
                self._batches.observe(len(jobs))
            with contextlib.suppress(RuntimeError):  # the event loop was closed
                first.future.get_loop().call_soon_threadsafe(self._deliver, results)
            if not more:
                return

    def _gather(self, first: Job) -> tuple[list[Job], list[np.ndarray], list[tuple[Job, object]], bool]:
        """The next batch, its images, the results of images that cannot be decoded, and whether more may follow.

        Images are decoded while the batch waits for others.
        """
        jobs: list[Job] = []
        images: list[np.ndarray] = []
        failed: list[tuple[Job, object]] = []
        job: Job | None = first
        until = time.monotonic() + WAIT
        while job is not None:
            try:
                if job.future.done():  # given up
                    failed.append((job, None))
                else:
                    images.append(as_pixels(job.data, job.name))
                    jobs.append(job)
            except UserError as error:
                failed.append((job, Refusal(422, str(error))))
            except Exception as error:
                failed.append((job, self._failure(error)))
            if len(jobs) == BATCH:
                break
            try:
                job = self._jobs.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                break
        return jobs, images, failed, job is not None

    def _predict(self, jobs: Sequence[Job], images: list[np.ndarray]) -> list:
        """A prediction or a Refusal for each image. Images of a batch that fails are predicted one by one."""
        if not images:
            return []
        try:
            predictions = list(self.reader.predict(images))
            if len(predictions) != len(images):
                raise ValueError(f"{len(predictions)} predictions for {len(images)} images")
            return predictions
        except Exception as error:
            if len(images) > 1:
                return [self._predict([job], [image])[0] for job, image in zip(jobs, images)]
            return [Refusal(422, str(error)) if isinstance(error, UserError) else self._failure(error)]

    def _failure(self, error: Exception) -> Refusal:
        LOGGER.error(f"the reader {self.name} failed", exc_info=error)
        return Refusal(500, f"the reader {self.name} failed ({type(error).__name__}): see the messages of the server")

    # in the event loop

    def _deliver(self, results: Sequence[tuple[Job, object]]) -> None:
        self.waiting -= len(results)
        for job, result in results:
            if job.future.done():
                continue
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
