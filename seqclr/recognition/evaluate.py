"""Evaluation and prediction, by a run or by its export."""

from __future__ import annotations

import csv
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from seqclr.data.charset import Charset
from seqclr.data.discovery import exclude, find, find_images
from seqclr.data.samples import Sample, count_splits, evaluation_samples
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.files import atomic_folder, check_can_make, exists
from seqclr.messages import bar, say, warn
from seqclr.recognition import metrics
from seqclr.recognition.splits import split_off_validation
from seqclr.visualization.predictions import draw_confusions, draw_reliability, draw_sheet

SEEN = ("trained_on", "validated_on")  # what a run does with the parts of its labels


class Reader(Protocol):
    """What reads images: a run's recognizer or an export."""

    charset: Charset

    def read(self, samples: Sequence[Sample], beam: int = 1, batch_size: int = 64) -> Iterator[tuple[str, float]]: ...

    def read_pixels(
        self, pictures: Iterable[np.ndarray], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]: ...


def evaluate(
    reader: Reader,
    model: str | Path,
    data: Sequence[str],
    split: str | None = None,
    label_pattern: str | None = None,
    beam: int = 1,
    plots: str | None = None,
) -> dict:
    """All measures over labelled images, in all and per source.

    model: the run or export that the reader is of. split: by default of every source what `measured` says. A text
    counts in full, also what the reader never reads.
    plots: a new folder for predictions.csv, confusions.csv, pictures of both and of the worst errors, and the
    reliability diagram.
    """
    if plots is not None:
        if exists(plots):
            raise UserError(f"{plots} exists already: choose another --plots")
        check_can_make(Path(plots))
    found = find(data, split, label_pattern)
    samples = evaluation_samples(found) if split is None else found
    charset = reader.charset
    next(iter(reader.read(samples[:1], beam)))  # so that the speed told is not that of the first call
    start = time.perf_counter()
    reads, confidences = zip(*bar(reader.read(samples, beam), "read", len(samples), unit="img", leave=False))
    seconds = time.perf_counter() - start

    texts = [charset.normalize(sample.text) for sample in samples]
    figures = measure(samples, texts, reads, confidences) | seen(model, samples)
    figures["images_per_second"] = len(samples) / seconds
    say(f"measured on {count_splits(samples)}" + (f", of {count_splits(found)}" if len(samples) < len(found) else ""))
    for what in SEEN:
        if figures.get(what):
            warn(f"{figures[what]} of these {len(samples)} were {what.replace('_', ' ')} by {model}, which flatters it")
    if plots is not None:
        draw(Path(plots), samples, texts, reads, confidences)
    return figures


def seen(model: str | Path, samples: Sequence[Sample]) -> dict[str, int]:
    """How many of some entries a run learned from with their labels, and how many chose its checkpoint; nothing where
    it is no fine-tuning run or its data is not there any more."""
    config = Run.open(model).config() if Run(model).config_file.is_file() else None
    if not hasattr(config, "validation"):
        return {}
    try:
        parts = split_off_validation(config)
    except UserError:
        return {}
    return {what: len(samples) - len(exclude(samples, part)) for what, part in zip(SEEN, parts)}


def measure(
    samples: Sequence[Sample], texts: Sequence[str], reads: Sequence[str], confidences: Sequence[float] | None = None
) -> dict:
    """All measures of what was read on some entries, in all and per source, and the confusions, commonest first.

    With confidences, also what `metrics.calibration` says of them.
    """

    def scores(rows: Sequence[int]) -> dict:
        some = [texts[i] for i in rows], [reads[i] for i in rows]
        figures = metrics.scores(*some)
        if confidences is not None:
            right = [text == read for text, read in zip(*some)]
            figures |= metrics.calibration(right, [confidences[i] for i in rows])
        return figures

    by_source = defaultdict(list)
    for i, sample in enumerate(samples):
        by_source[sample.source].append(i)
    figures = scores(range(len(samples)))
    figures["sources"] = {source: scores(rows) for source, rows in by_source.items()}
    counts = metrics.confusions(texts, reads)
    figures["confusions"] = [{"true": a, "read": b, "times": times} for (a, b), times in counts.most_common() if a != b]
    return figures


def table(figures: dict) -> str:
    """The measures, a line per source, and the commonest confusions."""
    columns = ("samples", "edit_distance_accuracy", "exact_match", "exact_match_caseless", "cer", "one_minus_ned")
    rows = [(source, scores) for source, scores in figures["sources"].items()]
    rows = rows if len(rows) == 1 else [*rows, ("all", figures)]
    width = max(len(name) for name, _ in rows)
    lines = [" " * width + "".join(f"  {column}" for column in columns)]
    for name, scores in rows:
        cells = (f"{scores[c]:.4f}" if isinstance(scores[c], float) else str(scores[c]) for c in columns)
        lines.append(f"{name:{width}}" + "".join(f"  {cell:>{len(c)}}" for c, cell in zip(columns, cells)))
    named = [(c["true"] or "(nothing)", c["read"] or "(nothing)", c["times"]) for c in figures["confusions"][:8]]
    worst = ", ".join(f"{a} as {b} x{times}" for a, b, times in named)
    speed = f"{figures['images_per_second']:.0f} images/s; " if "images_per_second" in figures else ""
    lines.append(f"{speed}confusions: {worst or 'none'}")
    if "calibration_error" in figures:
        parts = (
            f"{figures[f'exact_match_at_{c}']:.4f} of the surest {c} % (from {figures[f'confidence_at_{c}']:.4f} on)"
            for c in metrics.COVERAGES
        )
        error = f"calibration error {figures['calibration_error']:.4f} ({metrics.BINS} bins)"
        lines.append(f"confidence: {error}; exact match {', '.join(parts)}")
    return "\n".join(lines)


def draw(folder: Path, samples, texts, predictions, confidences) -> None:
    """Writes the tables and pictures of `plots`; the folder appears whole or not at all."""
    counts = metrics.confusions(texts, predictions)
    rows = list(zip(samples, texts, predictions, confidences))
    wrong = [row for row in rows if row[1] != row[2]]
    wrong.sort(key=lambda row: (metrics.edit_distance_accuracy(row[1], row[2]), -row[3]))
    correct = [text == prediction for text, prediction in zip(texts, predictions)]
    table = [(sample.name, sample.source, *texts, f"{confidence:.4f}") for sample, *texts, confidence in rows]
    with atomic_folder(folder) as beside:
        write_table(beside / "predictions.csv", ("file", "source", "text", "read", "confidence"), table)
        pairs = [(*pair, times) for pair, times in counts.most_common()]
        write_table(beside / "confusions.csv", ("true", "read", "times"), pairs)
        draw_confusions(counts, beside / "confusions.png")
        draw_reliability(metrics.bins(correct, confidences), beside / "reliability.png")
        draw_sheet(wrong[:40], beside / "errors.png")
        draw_sheet(rows[:40], beside / "predictions.png")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a CSV file; names that are not UTF-8 are escaped."""
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


def predict(reader: Reader, images: Sequence[str], beam: int = 1) -> Iterator[dict | UserError]:
    """File, text and confidence of each image as it is read, or why it cannot be read."""
    samples = []
    for path in images:
        found, messages = find_images([path])
        samples += found
        yield from map(UserError, messages)
        if not found and not messages:
            yield UserError(f"{path} holds no image: give images or a folder of them")
    for sample in samples:
        try:
            text, confidence = next(iter(reader.read([sample], beam)))
        except UserError as error:
            yield error
        else:
            yield {"file": sample.file, "text": text, "confidence": round(confidence, 4)}
