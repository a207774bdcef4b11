"""The state of a labelling session: images, labels and predictions, and what the web page shows of them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections import Counter, deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from seqclr.curation import check
from seqclr.data import label_validation
from seqclr.data.charset import Charset
from seqclr.data.knowledge import Known
from seqclr.errors import UserError
from seqclr.files import NotWritten
from seqclr.labelling.images import Images
from seqclr.labelling.journal import NO_TEXT, SOURCES, Journal, Label, now
from seqclr.labelling.predictions import Prediction, Predictor
from seqclr.messages import LOGGER
from seqclr.runtime.reader import Reader

BY_HAND = ("typed", "accepted", "corrected")
DELAY = 0.5  # seconds between a label and the writing of the CSV file, so that labels in a row are written once
PAUSE = 60.0  # seconds between two labels; longer ones do not count for the speed
FIT = (32, 128, "stretch")  # height, width and resize where the reader does not tell


class Change(NamedTuple):
    """A label as the web page sends it. revision: of the image when it was shown. source, text: as of `Label`."""

    image: int
    revision: int
    text: str | None
    source: str


class Stale(Exception):
    """Images were labelled since they were shown, by another window; no label of the request was recorded."""

    def __init__(self, images: list[int]):
        super().__init__("labelled in another window since it was shown")
        self.images = images


@dataclasses.dataclass
class State:
    """revision: number of labels given in this session. version: of the session, when something changed last."""

    label: Label | None = None
    prediction: Prediction | None = None
    revision: int = 0
    version: int = 1


class Session:
    """Images, labels and predictions. Methods may be called in any thread.

    known: the characters and lengths of texts; other labels are refused.
    """

    def __init__(self, images: Images, journal: Journal, reader: Reader, known: Known):
        self.images, self.journal, self.known = images, journal, known
        self.allowed = None if known.charset is None else Charset(known.charset)
        self._reader = reader
        self._mutex, self._version = threading.RLock(), 1
        self._states = [State(self._label_before(index)) for index in range(len(images))]
        self._order = np.random.default_rng(0).permutation(len(images)).tolist()
        self._times: deque[tuple[float, int]] = deque(maxlen=100)  # when labels came, and how many at once
        self._looks: list[check.Look] | None = None
        self._problem = ""  # why the CSV file was not written
        self._due, self._closed = threading.Event(), False
        self._writer = threading.Thread(target=self._write_soon, daemon=True)
        self._predictor = Predictor(images, self._predicted)

    def start(self) -> None:
        """Starts the predictions and the writing of the CSV file, in threads."""
        self._due.set()  # the journal may have labels of a process that was killed
        self._writer.start()
        unlabelled = [index for index in self._order if self._states[index].label is None]
        self._predictor.start(self._reader, [*unlabelled, *sorted(set(self._order) - set(unlabelled))])

    def close(self) -> None:
        """Ends the threads and writes the CSV file. Raises files.NotWritten."""
        self._closed = True
        self._due.set()
        self._predictor.close()
        if self._writer.is_alive():
            self._writer.join()
        self.journal.close()

    # labels

    def label(self, changes: Sequence[Change]) -> None:
        """Records labels: when it returns, they are on the disk.

        Raises Stale, UserError for a label that cannot be, and files.NotWritten. Then none of them is recorded.
        """
        with self._mutex:
            for change in changes:
                self._check(change)
            stale = [change.image for change in changes if self._states[change.image].revision != change.revision]
            if stale:
                raise Stale(stale)
            labels = {change.image: self._label(change) for change in changes}
            for index, label in labels.items():
                if label.text is not None:
                    self.images.keep(index)
            self.journal.record(list(labels.values()))
            self._version += 1
            for index, label in labels.items():
                state = self._states[index]
                state.label, state.revision, state.version = label, state.revision + 1, self._version
            given = sum(label.source in (*BY_HAND, "unreadable") for label in labels.values())
            if given:
                self._times.append((time.monotonic(), given))
        self._due.set()

    def _check(self, change: Change) -> None:
        """Raises UserError for a change that the web page would not send, or a text that is not possible."""
        if not 0 <= change.image < len(self.images):
            raise UserError(f"there is no image {change.image}")
        if change.source not in (NO_TEXT if change.text is None else SOURCES):
            raise UserError(f"the source '{change.source}' is not known")
        if change.text is None:
            return
        text = label_validation.check(change.text, "the label")
        if not text.strip():
            raise UserError("the label is empty: type the text, or mark the image as unreadable")
        strangers = self.allowed.strangers(text) if self.allowed else []
        if strangers:
            raise UserError(f"the label '{text}' has {strangers[0]!r}, which --charset does not have")
        if self.known.lengths and len(text) not in self.known.lengths:
            raise UserError(f"the label '{text}' has {len(text)} characters, and --length is not that")

    def _label(self, change: Change) -> Label:
        before = self._states[change.image].label
        split = before.split if before else self.images.samples[change.image].split or "train"
        text = change.text.strip() if change.text else None
        return Label(self.images.files[change.image], text, split, change.source, now())

    def _label_before(self, index: int) -> Label | None:
        """The label of the CSV file, or else of the data."""
        sample, file = self.images.samples[index], self.images.files[index]
        if file not in self.journal.labels and sample.text is not None:
            given = Label(file, sample.text, sample.split or "")
            if sample.store is None:  # it has no file of its own
                self.journal.labels[file] = given
            return given
        return self.journal.labels.get(file)

    def _write_soon(self) -> None:
        while not self._closed:
            self._due.wait()
            time.sleep(DELAY)
            self._due.clear()
            try:
                self.journal.write()
                self._problem = ""
            except NotWritten as error:
                if not self._problem:
                    LOGGER.error(str(error))
                self._problem = f"{error}; the journal {self.journal.file} has all labels"
                self._due.set()

    # predictions

    def _predicted(self, batch: dict[int, Prediction]) -> None:
        with self._mutex:
            self._version += 1
            for index, prediction in batch.items():
                self._states[index].prediction, self._states[index].version = prediction, self._version

    # what the web page shows

    def changes(self, since: int = 0) -> dict:
        """The images that have changed since a version, with the progress; fit for JSON."""
        with self._mutex:
            changed = [index for index, state in enumerate(self._states) if state.version > since]
            return {
                "version": self._version,
                "images": [self._shown(index) for index in changed],
                "order": [] if since else self._order,
                "predicting": self._predictor.remaining,
                "problem": self._problem,
                "progress": self._progress(),
            }

    def _shown(self, index: int) -> dict:
        state, sample = self._states[index], self.images.samples[index]
        found = state.prediction
        return {
            "image": index,
            "name": self.images.files[index] if sample.store is None else sample.name,
            "text": state.label and state.label.text,
            "source": state.label.source if state.label else "",
            "revision": state.revision,
            "predicted": None if found is None else found.text,
            "confidence": None if found is None else round(found.confidence, 4),
            "characters": [] if found is None else [round(each, 3) for each in found.characters],
            "second": None if found is None else found.second,
        }

    def _progress(self) -> dict:
        labels = [state.label for state in self._states if state.label]
        texts = [label.text for label in labels if label.text is not None]
        given = [s for s in self._states if s.label and s.label.source in BY_HAND and s.prediction]
        characters = Counter("".join(texts))
        possible = self.known.charset or self._reader.charset.characters
        return {
            "images": len(self.images),
            "labelled": len(texts),
            "unreadable": sum(label.source == "unreadable" for label in labels),
            "a_minute": self._speed(),
            "right": sum(state.label.text == state.prediction.text for state in given),
            "compared": len(given),
            "characters": dict(sorted(characters.items())),
            "lengths": dict(sorted(Counter(map(len, texts)).items())),
            "unseen": "".join(c for c in possible if c not in characters),
        }

    def _speed(self) -> float | None:
        """Labels a minute, without pauses; None before the second label."""
        gaps = [(b - a, count) for (a, _), (b, count) in zip(self._times, list(self._times)[1:]) if 0 < b - a <= PAUSE]
        seconds = sum(gap for gap, _ in gaps)
        return round(60 * sum(count for _, count in gaps) / seconds, 1) if seconds else None

    def findings(self) -> list[dict]:
        """The findings of `seqclr check` on the present labels: kind, title and images; decodes all images once."""
        if self._looks is None:
            self._looks = check.look_at_all(self.images.samples)
        looks = []
        with self._mutex:
            for look, state in zip(self._looks, self._states):
                text, split = (state.label.text, state.label.split or None) if state.label else (None, None)
                looks.append(dataclasses.replace(look, sample=dataclasses.replace(look.sample, text=text, split=split)))
        fit = FIT
        with contextlib.suppress(AttributeError):  # a SavedModel
            fit = self._reader.height, self._reader.width, self._reader.resize
        indices = {sample.name: index for index, sample in enumerate(self.images.samples)}
        kinds: dict[str, dict[int, None]] = {}
        for finding in check.examine(looks, self.allowed, "keep", fit):
            kinds.setdefault(finding.kind, {}).update({indices[file]: None for file in finding.files})
        found = [{"kind": k, "title": check.KINDS[k][0], "images": list(images)} for k, images in kinds.items()]
        lengths = self.known.lengths or ()
        other = [i for i, look in enumerate(looks) if look.sample.text and len(look.sample.text) not in lengths]
        if lengths and other:
            found.append({"kind": "length", "title": "labels of another length", "images": other})
        return found
