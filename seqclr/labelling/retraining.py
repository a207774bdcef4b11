"""Trains readers on the labels so far, in a process beside the web page.

    FOLDER/round-0020.csv     all images, with the labels that the round was started with
    FOLDER/.round-0020        the run of `seqclr adapt`; hidden, as its plots are no images to label or to train on
    FOLDER/round-0020.log     what its commands said
    FOLDER/round-0020         the ONNX export of the run, which the web page reads without TensorFlow
    FOLDER/round-0020.json    once the round has ended: its number of labels, and why it failed if it did

A round is a chain of commands, each of which leaves a file or folder at its end. So what is on the disk says how far a
round is, and one that was killed goes on where it was. The splits in a labels.csv in or above the folders of the images
count too: where they have changed since, `adapt` refuses to resume, and the round starts anew with the present labels.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seqclr import config as configuration
from seqclr import readers
from seqclr.data import tables
from seqclr.data.annotations import AnnotationReader, ImageId
from seqclr.data.samples import HELD_OUT, Fault, Sample, split_name
from seqclr.errors import UserError
from seqclr.export.reader import load_reader
from seqclr.files import Lock, atomic_write, check_can_make, exists
from seqclr.labelling import progress
from seqclr.runtime.folder import why_no_run
from seqclr.runtime.reader import Reader

COUNTS = (20, 50, 100, 200, 500, 1000, 2000, 5000)  # labels to train on at which a round starts
NICE = 10  # lower priority than the page has
PROGRAM = (sys.executable, "-m", "seqclr.cli.worker")
REFUSED = 2  # exit code of a command for wrong data
PATIENCE = 30  # seconds in which a process saves its checkpoint after SIGTERM


class Round:
    """The files of a round. labels: the count at which it starts."""

    def __init__(self, folder: Path, labels: int):
        name = f"round-{labels:04}"
        self.labels, self.run, self.reader = labels, folder / f".{name}", folder / name
        self.table, self.figures, self.log, self.end = (
            folder / f"{name}{suffix}" for suffix in (".csv", ".figures.json", ".log", ".json")
        )

    def result(self) -> dict[str, Any] | None:
        """What is known of a round that has ended: `labels`, and `failed`, a sentence or None."""
        return json.loads(self.end.read_text(encoding="utf-8")) if self.end.is_file() else None

    def finish(self, failed: str | None = None) -> None:
        rows = read_labels(self.table)
        used = sum(isinstance(row, Sample) and bool(row.text) and row.split not in HELD_OUT for row in rows)
        with atomic_write(self.end) as stream:
            stream.write(json.dumps({"labels": used, "failed": failed}) + "\n")

    def steps(self) -> tuple[int, int | None]:
        """The steps of the training that are done, and those of all of it, where they are known."""
        if not (self.run / "config.yaml").is_file():
            return 0, None
        done = 0
        if (self.run / "metrics.csv").is_file():
            with open(self.run / "metrics.csv", newline="", encoding="utf-8") as stream:
                done = max((int(float(row["step"])) for row in csv.DictReader(stream)), default=0)
        return done, configuration.load_yaml(self.run / "config.yaml").get("steps")

    def is_held(self) -> bool:
        """Whether a process trains in the run."""
        if not exists(self.run / ".lock"):
            return False
        try:
            Lock(self.run / ".lock", self.run).close()
        except UserError:
            return True
        return False

    def last_log_line(self) -> str:
        """The last line of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").replace("\r", "\n").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "the log is empty")


class Retraining:
    """Starts a round of training whenever another number of labels is reached, one at a time.

    images: all, with a label or without; labels that only they have do not count. labels_file: the CSV file of labels,
    read when a round starts; rows of split `test` are never trained on. model: the reader that every round starts from,
    with all labels so far. folder: for all files; what earlier processes left there is taken up. test: those images of
    the test part, which are not trained on either. keys: of `seqclr adapt`, such as charset and length.

    A method may be called in any thread; none waits for a training. Raises UserError where the folder cannot be made or
    another process has it.
    """

    def __init__(
        self,
        images: Sequence[Sample],
        labels_file: Path,
        model: str,
        folder: Path,
        test: Sequence[Sample] = (),
        counts: Sequence[int] = COUNTS,
        keys: dict[str, Any] | None = None,
    ):
        check_can_make(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.images, self.labels_file, self.model, self.test = images, labels_file, model, test
        self.rounds = [Round(folder, count) for count in sorted(counts)]
        self.words = [f"{name}={value}" for name, value in (keys or {}).items()]
        self._process: subprocess.Popen | None = None
        self._active: Round | None = None
        self._may_retry = True  # whether the active round may start anew
        self._mutex = threading.Lock()
        self._closed = False
        self._readers: dict[Path, tuple[Reader, dict[ImageId, str]]] = {}
        self._folder_lock = Lock(folder / ".lock", folder)

    @property
    def latest(self) -> Path | None:
        """The folder of the newest reader; `seqclr.load` loads it."""
        with self._mutex:
            self._look()
            return newest(self.rounds)

    def offer(self, n_labels: int) -> None:
        """Starts the round of the largest count that n_labels reach, unless one runs or it has been tried."""
        with self._mutex:
            self._look()
            reached = [each for each in self.rounds if each.labels <= n_labels]
            if self._active is None and not self._closed and reached and reached[-1].result() is None:
                self._active, self._may_retry = reached[-1], True
                self._go_on()

    def state(self, truths: Sequence[Sample] = ()) -> dict[str, Any]:
        """What the web page shows, as JSON.

        truths: images of the test part with their texts; every prediction is wrong where the text is None.

        running: None, or `labels`, and `step` of `steps`. failed: None, or why the newest round failed.
        rounds: of each reader `labels`, and on the truths `tested`, their number, and `accuracy` with `low` and `high`,
        the ends of its interval of 95 %.
        """
        with self._mutex:
            self._look()
            running = None
            if self._active is not None:
                step, steps = self._active.steps()
                running = {"labels": self._active.labels, "step": step, "steps": steps}
            ended = [(each, result) for each in self.rounds if (result := each.result())]
            failed = ended[-1][1]["failed"] if ended else None
            rounds = [self._measured(each, result, truths) for each, result in ended if not result["failed"]]
            return {"running": running, "failed": failed, "rounds": rounds}

    def close(self) -> None:
        """Ends the process; its training goes on with the next `offer` of another Retraining in the folder."""
        with self._mutex:
            self._closed = True
            if self._process is not None:
                self._process.terminate()
                try:
                    self._process.wait(PATIENCE)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()
                self._process = self._active = None
            self._folder_lock.close()

    # the chain of commands

    def _look(self) -> None:
        """Goes on with the active round if no process of it runs."""
        if self._active is None or (self._process is not None and self._process.poll() is None):
            return
        status, self._process = self._process.returncode if self._process else 0, None
        if status == REFUSED and self._may_retry and not self._active.figures.is_file():
            self._may_retry = False  # labels were changed while `adapt` read the tables, or since it was stopped
            shutil.rmtree(self._active.run, ignore_errors=True)
            self._active.table.unlink()
            status = 0
        if status:
            killed = f"ended by signal {-status}: " if status < 0 else ""
            self._end(failed=killed + self._active.last_log_line())
        else:
            self._go_on()

    def _go_on(self) -> None:
        """Starts the next command of the active round, or ends it."""
        active = self._active
        if not active.table.is_file():
            try:
                self._write_table(active.table)
            except UserError as error:
                return self._end(failed=str(error))
        if active.is_held():
            return  # the process of a page that was killed is still saving its checkpoint
        if not active.figures.is_file():  # adapt writes them last, and not if it was stopped
            resume = ["--resume"] if (active.run / "config.yaml").is_file() else []
            self._start("adapt", "--model", self.model, "--data", active.table, "--output", active.run,
                        "--json", active.figures, *self.words, *resume)  # fmt: skip
        elif not exists(active.reader):
            self._start("export", "--model", active.run, "--output", active.reader, "--format", "onnx")
        else:
            self._end()

    def _end(self, failed: str | None = None) -> None:
        self._active.finish(failed)
        self._active = None

    def _start(self, *words: object) -> None:
        """Starts a verb at low priority. It stops when this process ends, as its stdin is closed then."""
        how: dict[str, Any] = {"start_new_session": True}
        if sys.platform == "win32":
            how = {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS | subprocess.CREATE_NEW_PROCESS_GROUP}
        with open(self._active.log, "ab") as log:
            self._process = subprocess.Popen(
                [*PROGRAM, *map(str, words)], stdin=subprocess.PIPE, stdout=log, stderr=log, **how
            )
        if sys.platform != "win32":
            os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    def _write_table(self, path: Path) -> None:
        """The rows so far, and all other images without a text; `adapt` leaves rows of split test out."""
        rows: list[Sample] = []
        for row in read_labels(self.labels_file):
            if isinstance(row, Fault):
                raise UserError(row.reason)
            rows.append(row)
        image_id = AnnotationReader().image_id
        listed, test = set(map(image_id, rows)), set(map(image_id, self.test))
        others = [sample for sample in self.images if image_id(sample) not in listed]
        rows += [dataclasses.replace(s, text="", split="test" if image_id(s) in test else s.split) for s in others]
        tables.check_can_write(path, rows)
        tables.write(path, rows)

    # accuracy

    def _measured(self, done: Round, result: dict, truths: Sequence[Sample]) -> dict[str, Any]:
        """What the web page shows of a reader. An image is predicted once; one that cannot be read is left out."""
        if done.reader not in self._readers:
            self._readers[done.reader] = load_reader(done.reader), {}
        reader, texts = self._readers[done.reader]
        image_id = AnnotationReader().image_id
        new = [sample for sample in truths if image_id(sample) not in texts and sample.is_readable()]
        texts |= {image_id(sample): text for sample, (text, _) in zip(new, reader.predict_samples(new))}
        truths = [sample for sample in truths if image_id(sample) in texts]
        right = sum(s.text is not None and texts[image_id(s)] == reader.charset.normalize(s.text) for s in truths)
        share, low, high = progress.accuracy(right, len(truths))
        return {"labels": result["labels"], "tested": len(truths), "accuracy": share, "low": low, "high": high}


def check_can_adapt(model: str | Path) -> None:
    """Raises UserError for a reader that `seqclr adapt` cannot start from: an export, or a run with `keep_head`."""
    folder = readers.folder_of(model)
    if not exists(folder / "config.yaml"):
        raise UserError(f"--train cannot train {model} further: {why_no_run(folder)}")
    if configuration.load_yaml(folder / "config.yaml").get("keep_head"):
        raise UserError(
            f"--train cannot train {model} further, as it has layers kept with keep_head: give another reader"
        )


def folder_for(labels_file: Path) -> Path:
    """The folder of the readers that are trained on the labels of a file."""
    return labels_file.with_name(f"{labels_file.stem}_training")


def newest(rounds: Sequence[Round]) -> Path | None:
    """The reader of the last of some rounds that has succeeded."""
    return next((each.reader for each in reversed(rounds) if _succeeded(each)), None)


def read_labels(path: Path) -> list[Sample | Fault]:
    """The rows of a CSV file of labels; none if it does not exist. Splits have their standard names."""
    found: list[Sample | Fault] = []
    for row in tables.rows(path) if exists(path) else ():
        if not isinstance(row, Fault):
            row = dataclasses.replace(row[0], split=split_name(row[0].split or ""))
        found.append(row)
    return found


def _succeeded(done: Round) -> bool:
    result = done.result()
    return result is not None and not result["failed"]
