"""Labels that a reader surely contradicts, judged by readers that were not trained on them.

Confident learning (Northcutt et al. 2021, arXiv:1911.00068) on texts: labels are ranked by the log-likelihood ratio of
the likeliest text and the label, each over all its CTC paths. Images whose label the reader has seen are split
into folds, and each fold is judged by a reader that is trained on the others as the given one was.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from seqclr import files
from seqclr.config import AdaptConfig, FinetuneConfig
from seqclr.curation import contradictions
from seqclr.curation.contradictions import Contradiction
from seqclr.data.charset import frames_needed, frames_of
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import survey
from seqclr.data.hashes import content_digest
from seqclr.data.images import SUFFIXES
from seqclr.data.knowledge import Known, read_lengths
from seqclr.data.samples import Sample
from seqclr.decision import accepts
from seqclr.engine.run import Run
from seqclr.errors import UserError, escaped
from seqclr.messages import say, warn
from seqclr.nn import constrained
from seqclr.recognition import adapt, finetune
from seqclr.recognition.digests import known_labels
from seqclr.recognition.estimates import frequent
from seqclr.recognition.recognizer import Recognizer
from seqclr.visualization.predictions import draw_sheet

STEPS = 1000  # of the training of a fold at most, by default
BATCH = 64  # images
DATA_KEYS = ("data", "split", "labels", "label_pattern", "validation", "unlabelled", "distill", "refused", "workers",
             "worker")  # fmt: skip
STARTS = ("model", "pretrained", "init")  # keys of what a run was trained from
SHEET, DRAWN = "label_errors.png", 40  # images in the sheet


class Judged(NamedTuple):
    """A label and what a reader that was not trained on it predicts.

    confidence: of the prediction, among texts of the labels' characters and usual lengths. ratio: logarithm of the
    probability of the prediction over that of the label. sure: whether the reader accepts its prediction.
    """

    sample: Sample
    prediction: str
    confidence: float
    ratio: float
    sure: bool

    @property
    def name(self) -> str:
        """The name of the image; bytes that are not UTF-8 are escaped."""
        return escaped(self.sample.name)

    def row(self) -> Contradiction:
        figures = f"{self.confidence:.4f}", f"{self.ratio:.3f}", "yes" if self.sure else "no"
        return Contradiction(self.name, self.sample.text, self.prediction, *figures)

    def message(self) -> str:
        label = f"{self.name} has the label '{self.sample.text}'"
        return f"{label}, predicted '{self.prediction}' (confidence {self.confidence:.3f})"


def find_label_errors(
    model: str | Path,
    paths: Sequence[str],
    output: str | Path,
    label_pattern: str | None = None,
    folds: int = 2,
    steps: int | None = None,
    resume: bool = False,
) -> list[Judged]:
    """The labels that the reader contradicts, the surest contradiction first; also as label_errors.csv and a sheet.

    model: a run that predicts text, or a reader of the package. output: a new folder for the list and for the readers
    of the folds, which are trained only where the reader has seen labels. steps: of each of these trainings, by default
    those of the run, at most STEPS. resume: continue in the folder.

    Raises UserError for arguments of `check_arguments`, where there is no label that can be judged, and where a reader
    of a fold would have fewer than two labels to train on.
    """
    check_arguments(model, output, resume)
    folder, reader = Path(output), Recognizer.load(model)
    labelled = [sample for sample in survey(paths, label_pattern)[0] if sample.text]
    if not labelled:
        raise UserError(f"{paths[0]} has no labels to compare with predictions")
    dataset = ImageDataset(labelled, reader.height, reader.width, reader.resize, skip_bad=True)
    try:
        rows = judgeable(reader, dataset)
        known = knowledge(reader, [dataset.samples[row].text for row in rows])
        digests = {row: content_digest(dataset.samples[row]) for row in rows}
        seen, start = known_labels(model), None
        if seen is None or any(digest in seen for digest in digests.values()):
            start = unseeing_start(model, set(digests.values()))
        parts = {row: digests[row] % folds for row in rows if seen is None or digests[row] in seen}
        parted = split_into_folds(parts, folds)
        judged = judge(reader.knowing(known), dataset, [row for row in rows if row not in parts])
        for fold, (inside, outside) in parted.items():
            samples = [dataset.samples[row] for row in outside]
            run = train_fold(model, start, samples, folder / f"fold_{fold + 1}", steps)
            judged += judge(Recognizer.load(run).knowing(known), dataset, inside)
    finally:
        dataset.close()
    found = [each for each in judged if each.prediction != reader.charset.normalize(each.sample.text)]
    found.sort(key=lambda each: -each.ratio)
    write(found, folder)
    return found


def check_arguments(model: str | Path, output: str | Path, resume: bool) -> None:
    """Raises UserError for a model that is no run, and for a folder that exists, or with `resume` does not."""
    Run.open(model)
    if not resume:
        files.check_new(Path(output))
    elif not Path(output).is_dir():
        raise UserError(f"{output} does not exist: leave --resume out")


def judgeable(reader: Recognizer, dataset: ImageDataset) -> list[int]:
    """The rows of readable images whose label the reader can spell in its characters and the frames of the image; warns
    of others."""
    rows, strange, long = [], Counter(), 0
    for row, (sample, width) in enumerate(zip(dataset.samples, dataset.filled())):
        text = reader.charset.normalize(sample.text)
        if strangers := reader.charset.strangers(text):
            strange.update(strangers)
        elif frames_needed(text) > frames_of(width):
            long += 1
        else:
            rows.append(row)
    if strange:
        warn(f"labels with characters that the reader does not know are not judged: {''.join(sorted(strange))}")
    if long:
        warn(f"{long} label(s) that need more frames than their image has are not judged")
    rows = dataset.readable(rows)
    if not rows:
        raise UserError("no label can be judged: give a reader that knows their characters")
    return rows


def split_into_folds(parts: dict[int, int], folds: int) -> dict[int, tuple[list[int], list[int]]]:
    """The rows inside and outside of each fold that has rows. parts: the fold of each row.

    Raises UserError where fewer than two rows are outside of a fold: one is trained on, and one validates.
    """
    found = {}
    for fold in sorted(set(parts.values())):
        inside, outside = ([row for row in parts if (parts[row] == fold) == own] for own in (True, False))
        if len(outside) < 2:
            raise UserError(
                f"the {len(parts)} label(s) that the reader has seen are too few for {folds} folds, each of which is "
                "judged by a reader that is trained on the others: give more labels"
            )
        found[fold] = inside, outside
    return found


def knowledge(reader: Recognizer, texts: Sequence[str]) -> Known:
    """The characters of some labels, and their usual lengths."""
    texts = [reader.charset.normalize(text) for text in texts]
    lengths = frequent(Counter(map(len, texts)))
    return Known("".join(sorted(set("".join(texts)))), tuple(sorted(lengths)))


def judge(reader: Recognizer, dataset: ImageDataset, rows: Sequence[int]) -> list[Judged]:
    """The reader's judgement of the labels in some rows of a data set."""
    blank, judged = reader.charset.blank, []

    @tf.function(reduce_retracing=True)
    def compare(pixels, widths, labels):
        logits, valid = reader.logits(pixels, widths)
        logits = constrained.mask_classes(logits, reader.possible.classes)
        ids, confidence = constrained.predict(logits, valid, reader.possible)
        likeliest = constrained.log_probability(logits, ids[:, None], valid)[:, 0]
        return ids, confidence, likeliest - constrained.log_probability(logits, labels[:, None], valid)[:, 0]

    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        records, samples = [dataset[row] for row in part], [dataset.samples[row] for row in part]
        texts = [reader.charset.encode(reader.charset.normalize(sample.text)) for sample in samples]
        labels = np.full((len(part), max(map(len, texts))), blank, np.int32)
        for label, ids in zip(labels, texts):
            label[: len(ids)] = ids
        widths = tf.constant([record["width"] for record in records]) if "width" in records[0] else None
        found = compare(tf.constant(np.stack([record["image"] for record in records])), widths, tf.constant(labels))
        for sample, ids, confidence, ratio in zip(samples, *(each.numpy() for each in found)):
            text, confidence = reader.charset.decode(ids[ids != blank]), float(confidence)
            sure = accepts(text, confidence, reader.threshold, None)
            judged.append(Judged(sample, text, confidence, float(ratio) if text else 0.0, sure))
    return judged


# readers of the folds


def unseeing_start(model: str | Path, digests: set[int]) -> str | None:
    """The nearest reader or encoder, of those that a run was trained from, that has seen none of some labels.

    None stands for random weights, which are taken too where a run on the way cannot be opened.
    """
    start: str | None = str(model)
    while start is not None and ((seen := known_labels(start)) is None or seen & digests):
        try:
            config = Run.open(start).config()
        except UserError:  # it was moved or removed
            return None
        start = next((given for key in STARTS if (given := getattr(config, key, None))), None)
    return start


def train_fold(
    model: str | Path, start: str | None, samples: Sequence[Sample], folder: Path, steps: int | None
) -> Path:
    """Trains a reader on some labels as a run was trained, from a start that has not seen them, or continues.

    folder: gets a copy of the samples, so that no table beside them changes their split, and the run.
    """
    run, past, charset = folder / "run", vars(Run.open(model).config()), Recognizer.load(model).charset
    adapts = "model" in past and start is not None and Run.open(start).charset_file.is_file()
    base, method = (AdaptConfig, adapt.Adaptation) if adapts else (FinetuneConfig, finetune.CTC)
    if adapts:  # it takes no label of another length
        samples = [sample for sample in samples if len(charset.normalize(sample.text)) in read_lengths(past["length"])]
    if not (folder / "data").is_dir():
        copy(samples, folder / "data")
    names = {field for cls in (base, method) for field in cls.__dataclass_fields__} - {*DATA_KEYS, "epochs"}
    values = {name: past[name] for name in names & past.keys()}
    values |= {"data": [str(folder / "data")], "charset": charset.characters}
    values["steps"] = steps or min(STEPS, past.get("steps") or STEPS)
    if adapts:
        values["model"] = start
    else:
        values |= {"pretrained": start, "case": charset.case}
        values["keep_head"] = past.get("keep_head", 0) if start == past.get("pretrained") else 0
    resume = (run / "config.yaml").is_file()
    say(f"a reader is trained on {len(samples)} labels, {values['steps']} steps, in {run}")
    train, configure = (adapt.adapt, adapt.configure) if adapts else (finetune.finetune, finetune.configure)
    train(configure([values]), str(run), resume)
    return run


def copy(samples: Sequence[Sample], folder: Path) -> None:
    """Writes samples as a folder with labels.csv, which appears only when it is complete."""
    with files.atomic_folder(folder) as beside, open(beside / "labels.csv", "w", newline="", encoding="utf-8") as table:
        writer = csv.writer(table)
        writer.writerow(["file", "text"])
        for number, sample in enumerate(samples):
            suffix = Path(sample.file).suffix.lower()
            name = f"{number:06}{suffix if suffix in SUFFIXES else '.png'}"
            (beside / name).write_bytes(sample.read_bytes())
            writer.writerow([name, sample.text])


def write(found: Sequence[Judged], folder: Path) -> None:
    """Writes the list, and a sheet of its first images."""
    folder.mkdir(parents=True, exist_ok=True)
    contradictions.write([each.row() for each in found], folder)
    draw_sheet(
        [(each.sample, each.sample.text, each.prediction, each.confidence) for each in found[:DRAWN]], folder / SHEET
    )
