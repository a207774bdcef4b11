"""The state of a labelling session: images, labels and predictions, and what the web page shows of them."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from seqclr.curation import check
from seqclr.curation.contradictions import Contradictions
from seqclr.data import label_validation
from seqclr.data.charset import Charset
from seqclr.data.knowledge import Known
from seqclr.data.labels import Label, now
from seqclr.data.samples import HELD_OUT, Sample
from seqclr.errors import UserError
from seqclr.files import NotWritten
from seqclr.labelling import progress, strategies
from seqclr.labelling.certainty import ImagePrediction
from seqclr.labelling.images import Images, digest_of
from seqclr.labelling.journal import NO_TEXT, SOURCES, Journal
from seqclr.labelling.predictions import Predictor, load
from seqclr.messages import LOGGER
from seqclr.runtime.reader import Reader

BY_HAND = ("typed", "accepted", "corrected")
DELAY = 0.5  # seconds between a label and the writing of the CSV file, so that labels in a row are written once
AGAIN = 20  # labels after which the order is made again, or a hundredth of the images if that is more
LONGEST = 1000  # characters of a label: a pasted document is none, and no table of it could be read
PAUSE = 60.0  # seconds between two labels; longer ones do not count for the speed
LOOK = 2.0  # seconds between two looks at the training
TARGET = 0.98  # accuracy whose number of labels is forecast
NO_ROUND: dict = {"running": None, "rounds": [], "target": TARGET, "forecast": None, "labels": 0}
FIT = (32, 128, "stretch")  # height, width and resize, of a reader without these properties


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
    """former: the label when it was marked as wrong. revision: number of labels given in this session. version: of the
    session, when something changed last."""

    label: Label | None = None
    former: Label | None = None
    prediction: ImagePrediction | None = None
    revision: int = 0
    version: int = 1

    @property
    def is_done(self) -> bool:
        """Whether the image has a label or is unreadable."""
        return self.label is not None and self.label.source not in ("wrong", "removed")


class Session:
    """Images, labels and predictions. Methods may be called in any thread.

    known: the characters and lengths of texts; other labels are refused. strategy: a name in
    `strategies.STRATEGIES`. contradicted: labels that a reader contradicts. training: trains readers on the labels, if
    it is set before `start`.
    """

    def __init__(
        self,
        images: Images,
        journal: Journal,
        reader: Reader,
        known: Known,
        strategy: str = strategies.DEFAULT,
        contradicted: Contradictions | None = None,
    ):
        self.images, self.journal, self.known, self.strategy = images, journal, known, strategy
        self.contradicted = contradicted or Contradictions({}, "")
        self._ranks = {index: rank for rank, index in enumerate(self.contradicted.rows, 1)}
        self.training = None
        self.allowed = None if known.charset is None else Charset(known.charset)
        self._reader, self._predictor = reader, Predictor(images, self._predicted, strategy in strategies.FEATURES)
        self._mutex, self._version = threading.RLock(), 1
        self._take_over()
        self._states = [State(label=journal.labels.get(file)) for file in images.files]
        pairs = zip(images.samples, images.files)
        journal.in_data = {file for sample, file in pairs if sample.text is not None}
        self._first = [state.label for state in self._states]
        self.test = self._test_part()
        self._done = sum(state.is_done for state in self._states)
        self._order, self._ordered, self._sorted_at = [], 1, 0  # with its version, and `_done` then
        self._sort()
        self._counted: tuple[int, dict] = 0, {}  # the progress, with its version
        self._times: deque[tuple[float, int]] = deque(maxlen=100)  # when labels came, and how many at once
        self._looks: list[check.Look] | None = None
        self._problem = ""  # why the CSV file was not written
        self._due, self._closed = threading.Event(), threading.Event()
        self._writer = threading.Thread(target=self._write_soon, daemon=True)
        self._trainer = threading.Thread(target=self._train, daemon=True)
        self._trained: dict | None = None  # the state of the training; `labels`: those that it can be trained on

    def start(self) -> None:
        """Starts the predictions and the writing of the CSV file, in threads."""
        self._due.set()  # the journal may have labels of a process that was killed
        self._writer.start()
        self._predictor.start(self._reader, self._order)
        if self.training is not None:
            self._trainer.start()

    def close(self) -> None:
        """Ends the threads and the training, and writes the CSV file. Raises files.NotWritten."""
        self._closed.set()
        self._due.set()
        for thread in (self._writer, self._trainer):
            if thread.is_alive():
                thread.join()
        self._predictor.close()  # after the trainer, which starts it again
        if self.training is not None:
            self.training.close()
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
            self.journal.record(list(labels.values()), self._digests(labels))
            self._version += 1
            for index, label in labels.items():
                state = self._states[index]
                if label.source == "wrong" and not (state.label and state.label.source == "wrong"):
                    state.former = state.label
                self._done -= state.is_done
                state.label, state.revision, state.version = label, state.revision + 1, self._version
                self._done += state.is_done
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
        first = self._first[change.image]
        is_undone = first and (first.text, first.source) == (change.text, "login")
        if change.source == "login" and not is_undone:
            raise UserError("the source 'login' is not for labels that are given here")
        if change.text is None:
            return
        text = label_validation.check(change.text, "the label")
        if not text.strip():
            raise UserError("the label is empty: type the text, or mark the image as unreadable")
        if len(text) > LONGEST:
            raise UserError(f"the label has {len(text)} characters, more than {LONGEST}: type the text of the image")
        strangers = self.allowed.strangers(text) if self.allowed else []
        if strangers:
            raise UserError(f"the label '{text}' has {strangers[0]!r}, which --charset does not have")
        if self.known.lengths and len(text) not in self.known.lengths:
            raise UserError(f"the label '{text}' has {len(text)} characters, and --length is not that")

    def _label(self, change: Change) -> Label:
        """The label of a change. An image that had a label keeps its split, an empty one too."""
        before = self._states[change.image].label
        if before:
            split = before.split
        else:
            split = self.images.samples[change.image].split or ("test" if change.image in self.test else "train")
        text = change.text.strip() if change.text else None
        return Label(self.images.files[change.image], text, split, change.source, now())

    def _take_over(self) -> None:
        """Adds the labels of the data to those of the CSV file, which go before them."""
        pairs = enumerate(zip(self.images.samples, self.images.files))
        given = {
            index: Label(file, sample.text, sample.split or "")
            for index, (sample, file) in pairs
            if file not in self.journal.labels and (sample.text or "").strip()
        }
        self.journal.take_over(list(given.values()), self._digests(given))

    def _digests(self, indices: Iterable[int]) -> dict[str, str]:
        """The digests of those of the images that are records, by file."""
        found = ((self.images.files[index], digest_of(self.images.samples[index])) for index in indices)
        return {file: digest for file, digest in found if digest is not None}

    def _test_part(self) -> set[int]:
        """The indices of the images on which accuracy is measured: of split `test`, and of those with neither a
        label nor a split the ones that `strategies.set_apart` chooses."""
        apart, test = strategies.set_apart(self.images.files), set()
        for index, (state, sample, file) in enumerate(zip(self._states, self.images.samples, self.images.files)):
            split = (state.label and state.label.part) or sample.split
            if split == "test" or (not split and state.label is None and file in apart):
                test.add(index)
        return test

    def _write_soon(self) -> None:
        """Writes the CSV file and makes the order again, in a thread: no label waits for that."""
        while not self._closed.is_set():
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
            self._sort_again()

    # predictions

    def _predicted(self, batch: dict[int, ImagePrediction]) -> None:
        with self._mutex:
            self._version += 1
            for index, prediction in batch.items():
                self._states[index].prediction, self._states[index].version = prediction, self._version
        if not self._predictor.remaining:
            self._sort()

    def _sort(self) -> None:
        """Puts the images in order: of the strategy if all are predicted, else at random; those of the test part in
        between; those with a label last."""
        with self._mutex:
            labelled = {index for index, state in enumerate(self._states) if state.is_done}
            predictions = [state.prediction for state in self._states]
        known = [index for index, found in enumerate(predictions) if found and index not in self.test]
        strategy, found = self.strategy, [predictions[index] for index in known]
        if not known or self._predictor.remaining:
            known = [index for index in range(len(predictions)) if index not in self.test]
            strategy, found = "random", [ImagePrediction("", 0.0, "", 0.0)] * len(known)
        done = [position for position, index in enumerate(known) if index in labelled]
        chosen = [known[position] for position in strategies.order(strategy, found, labelled=done)]
        order = [*strategies.with_test_part(chosen, sorted(self.test - labelled)), *range(len(predictions))]
        with self._mutex:
            self._version += 1
            self._order, self._ordered, self._sorted_at = list(dict.fromkeys(order)), self._version, len(labelled)

    def _sort_again(self) -> None:
        """Sorts if so many labels were given that the order of a strategy may be another one."""
        if self._done - self._sorted_at < max(AGAIN, len(self.images) // 100) or self._predictor.remaining:
            return
        try:
            self._sort()
        except Exception as error:  # labels can be given in any order
            LOGGER.error("the order could not be made again", exc_info=error)
            self._sorted_at = self._done

    # training

    def _train(self) -> None:
        reader = None
        while not self._closed.wait(LOOK):
            try:
                self.journal.write()
                labels = [state.label for state in self._with_label()]
                used = sum(label.text is not None and label.part not in HELD_OUT for label in labels)
                self.training.offer(used)
                state, latest = self.training.state(self._truths()), self.training.latest
                points = [(each["labels"], each["accuracy"], each["tested"]) for each in state["rounds"]]
                forecast = progress.forecast(points, TARGET)
                self._trained = {**state, "target": TARGET, "forecast": forecast, "labels": used}
                if latest is not None and latest != reader:
                    self._reader = load(latest, self.known, self.strategy)
                    reader = latest
                    self._predictor.start(self._reader, self._order)
            except Exception as error:  # labels can be given without a training
                failed = str(error)
                if not isinstance(error, UserError | OSError):
                    failed = f"{type(error).__name__}: {error}"
                    LOGGER.error("the training failed", exc_info=error)
                self._trained = {**(self._trained or NO_ROUND), "failed": failed}

    def _with_label(self) -> list[State]:
        with self._mutex:
            return [state for state in self._states if state.label]

    def _truths(self) -> list[Sample]:
        """The samples of `_tested`, with the texts of their labels."""
        return [dataclasses.replace(self.images.samples[i], text=state.label.text) for i, state in self._tested()]

    def _tested(self) -> list[tuple[int, State]]:
        """The images of the test part on which accuracy is measured, with their indices.

        They have a label, or none (None as text) where a prediction was marked as wrong, which counts as wrong. Labels
        of source `login` are predictions of a reader.
        """
        with self._mutex:
            found = [(index, self._states[index]) for index in sorted(self.test) if self._states[index].label]
        return [
            (index, state)
            for index, state in found
            if state.label.part == "test" and state.label.source not in ("login", "unreadable", "removed")
        ]

    # what the web page shows

    def changes(self, since: int = 0) -> dict:
        """The images that have changed since a version, with the progress; fit for JSON."""
        with self._mutex:
            changed = [index for index, state in enumerate(self._states) if state.version > since]
            return {
                "version": self._version,
                "images": [self._shown(index) for index in changed],
                "order": self._order if self._ordered > since else [],
                "predicting": self._predictor.remaining,
                "problem": self._problem,
                "progress": self._progress(),
                "training": self._trained,
            }

    def _shown(self, index: int) -> dict:
        state, sample, rank = self._states[index], self.images.samples[index], self._rank(index)
        found = state.prediction
        if rank:
            row = self.contradicted.rows[index]
            found = ImagePrediction(row.prediction, float(row.confidence), row.prediction, 0.0)
        return {
            "contradicted": rank,
            "image": index,
            "name": self.images.files[index] if sample.store is None else sample.name,
            "text": state.label and state.label.text,
            "source": state.label.source if state.label else "",
            "former": state.former and {"text": state.former.text, "source": state.former.source},
            "revision": state.revision,
            "predicted": None if found is None else found.text,
            "confidence": None if found is None else round(found.confidence, 4),
            "characters": [] if found is None else [round(each, 3) for each in found.characters],
            "second": None if found is None else found.other,
        }

    def _rank(self, index: int) -> int:
        """The rank of a contradicted label, from 1; 0 for others, and for labels given since the list was made."""
        row, label = self.contradicted.rows.get(index), self._states[index].label
        is_listed = row and label and label.text == row.text and label.time < self.contradicted.time
        return self._ranks[index] if is_listed else 0

    def _progress(self) -> dict:
        """The progress, which is counted again where something has changed."""
        if self._counted[0] != self._version:
            self._counted = self._version, self._count()
        return self._counted[1]

    def _count(self) -> dict:
        labels = [state.label for state in self._states if state.label]
        texts = [label.text for label in labels if label.text is not None]
        sources = Counter(label.source for label in labels)
        normalize, tested = self._reader.charset.normalize, [state for _, state in self._tested() if state.prediction]
        right = sum(s.label.text is not None and normalize(s.label.text) == s.prediction.text for s in tested)
        characters = Counter("".join(map(normalize, texts)))
        possible = self.known.charset or self._reader.charset.characters
        return {
            "images": len(self.images),
            "labelled": len(texts),
            "unreadable": sources["unreadable"],
            "a_minute": self._speed(),
            "accepted": sources["accepted"],
            "predicted": sources["accepted"] + sources["corrected"],
            "tested": len(tested),
            "test_part": len(self.test),
            "accuracy": progress.accuracy(right, len(tested)),
            "characters": dict(sorted(characters.items())),
            "lengths": dict(sorted(Counter(map(len, texts)).items())),
            "unseen": "".join(c for c in possible if normalize(c) not in characters),
        }

    def _speed(self) -> float | None:
        """Labels a minute, without pauses; None before the second label."""
        gaps = [(b - a, count) for (a, _), (b, count) in zip(self._times, list(self._times)[1:]) if 0 < b - a <= PAUSE]
        seconds = sum(gap for gap, _ in gaps)
        return round(60 * sum(count for _, count in gaps) / seconds, 1) if seconds else None

    def findings(self) -> list[dict]:
        """The findings of `seqclr check` on the present labels: kind, title and images; decodes all images once."""
        if self._looks is None:
            self._looks = check.look_at_all(self.images.samples, quiet=True)
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
        for finding in check.examine(looks, self.allowed, "keep", fit, self.known.lengths):
            kinds.setdefault(finding.kind, {}).update({indices[file]: None for file in finding.files})
        return [{"kind": k, "title": check.KINDS[k][0], "images": list(images)} for k, images in kinds.items()]
