"""Evaluation of a fine-tuning run or an export."""

from __future__ import annotations

import contextlib
import csv
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from seqclr import readers
from seqclr.data.discovery import exclude, find
from seqclr.data.hashes import content_digest
from seqclr.data.samples import Sample, count_splits, evaluation_samples, rows_by_source
from seqclr.decision import ANSWERS, DEFAULT, accepts, one_retry
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.files import atomic_folder, check_can_make, exists
from seqclr.messages import bar, say, warn
from seqclr.recognition import metrics
from seqclr.recognition.digests import known_labels
from seqclr.recognition.splits import find_validation, probed_samples, split_off_labelled, split_off_validation
from seqclr.runtime.reader import Reader
from seqclr.visualization.predictions import draw_confusions, draw_refusals, draw_reliability, draw_sheet

USES = {  # of labels, with the words of a message
    "trained_on": "trained on by {model}",
    "validated_on": "validated on by {model}",
    "used_before": "trained or validated on by {model} or a run that it starts from",
}


def evaluate(
    reader: Reader,
    model: str | Path,
    data: Sequence[str],
    split: str | None = None,
    label_pattern: str | None = None,
    beam: int = 1,
    plots: str | None = None,
) -> dict:
    """All metrics on labelled images, over all samples and per source.

    model: the run or export of the reader. split: by default the rows that `evaluation_samples` chooses from each
    source. Labels are compared in full, including characters that are not in the reader's charset.
    plots: a new folder for predictions.csv, confusions.csv, figures of both and of the worst errors, the
    reliability diagram, and accuracy with one retry against the threshold.

    Raises UserError if the data are wrong or `plots` exists.
    """
    if plots is not None:
        if exists(plots):
            raise UserError(f"{plots} exists already: choose another --plots")
        check_can_make(Path(plots))
    found = find(data, split, label_pattern)
    samples = evaluation_samples(found) if split is None else found
    charset = reader.charset
    next(iter(reader.predict_samples(samples[:1], beam)))  # the first call is slow: it is not part of the speed
    start = time.perf_counter()
    rows = bar(reader.predict_samples(samples, beam), "predict", len(samples), unit="img", leave=False)
    predictions, confidences = zip(*rows)
    seconds = time.perf_counter() - start

    texts = [charset.normalize(sample.text) for sample in samples]
    figures = compute_metrics(samples, texts, predictions, confidences) | count_uses(model, samples)
    figures["threshold"] = DEFAULT if reader.threshold is None else reader.threshold
    retries = Retries(samples, texts, predictions, confidences, reader.lengths)
    figures |= retries.at(figures["threshold"])
    for source, one in figures["sources"].items():
        one |= retries.at(figures["threshold"], source)
    figures["images_per_second"] = len(samples) / seconds
    say(f"evaluated on {count_splits(samples)}" + (f", of {count_splits(found)}" if len(samples) < len(found) else ""))
    for use, words in USES.items():
        if figures.get(use):
            told = f"{figures[use]} of these {len(samples)} samples were {words.format(model=model)}"
            warn(f"{told}: the figures are too high")
    if plots is not None:
        draw(Path(plots), samples, texts, predictions, confidences, retries, figures["threshold"])
    return figures


class Retries:
    """Accuracy with one retry, and share refused, of predictions at any threshold.

    A refused image is replaced once by another of its source at random, whose text is typed whatever its confidence:
    the figures are expectations. lengths: of texts that are accepted; None for any.
    """

    def __init__(self, samples, texts, predictions, confidences, lengths: Sequence[int] | None):
        self.correct = np.array([text == prediction for text, prediction in zip(texts, predictions)])
        self.predictions, self.confidences, self.lengths = predictions, confidences, lengths
        self.sources = {name: np.array(rows) for name, rows in rows_by_source(samples).items()}

    def accepted(self, threshold: float) -> np.ndarray:
        """Whether each prediction is accepted, `bool [N]`."""
        rows = zip(self.predictions, self.confidences)
        return np.array([accepts(text, confidence, threshold, self.lengths) for text, confidence in rows])

    def at(self, threshold: float, source: str | None = None) -> dict[str, float]:
        """`exact_match_one_retry` and `refused`, of one source or of all images."""
        accepted, chosen = self.accepted(threshold), [source] if source else list(self.sources)
        pairs = [one_retry(self.correct[rows], accepted[rows]) for rows in (self.sources[name] for name in chosen)]
        weights = [len(self.sources[name]) for name in chosen]
        accuracy, refused = np.average(pairs, axis=0, weights=weights)
        return {"exact_match_one_retry": float(accuracy), "refused": float(refused)}


def count_uses(model: str | Path, samples: Sequence[Sample]) -> dict[str, int]:
    """How many of the samples a run was trained on with their labels, and how many it was validated on.

    used_before: how many others were used so by runs that it starts from, and by itself where its data no longer exist.
    What is not known is left out.
    """
    if not Run(readers.folder_of(model)).config_file.is_file():
        return {}
    uses, others = {}, list(samples)
    with contextlib.suppress(UserError):  # its data no longer exist
        for use, part in zip(USES, used_by(Run.open(model).config())):
            uses[use] = len(samples) - len(exclude(samples, part))
            others = exclude(others, part)
    known = known_labels(model)
    if known is not None:
        uses["used_before"] = sum(content_digest(sample) in known for sample in others)
    return uses


def used_by(config) -> Sequence[Sequence[Sample]]:
    """The samples that a run was trained on with their labels, and those that it was validated on.

    A pretraining is trained on none as far as is known, and validated on those of its probe, which choose its
    checkpoint.
    """
    if not hasattr(config, "labels"):
        return ((), probed_samples(config)) if getattr(config, "probe", None) else ()
    if hasattr(config, "validation"):
        return split_off_validation(config)[:2]
    samples, labelled = split_off_labelled(config)
    return labelled, find_validation(config, samples)


def compute_metrics(
    samples: Sequence[Sample],
    texts: Sequence[str],
    predictions: Sequence[str],
    confidences: Sequence[float] | None = None,
) -> dict:
    """All metrics of predictions, over all samples and per source, and the confusions, most frequent first.

    With confidences, also those of `metrics.calibration`.
    """

    def scores(rows: Sequence[int]) -> dict:
        pairs = [(texts[i], predictions[i]) for i in rows]
        figures = metrics.scores(*zip(*pairs))
        if confidences is not None:
            correct = [text == prediction for text, prediction in pairs]
            figures |= metrics.calibration(correct, [confidences[i] for i in rows])
        return figures

    figures = scores(range(len(samples)))
    figures["sources"] = {source: scores(rows) for source, rows in rows_by_source(samples).items()}
    counts = metrics.confusions(texts, predictions)
    figures["confusions"] = [
        {"true": a, "prediction": b, "times": times} for (a, b), times in counts.most_common() if a != b
    ]
    return figures


def table(figures: dict) -> str:
    """The metrics as text: a line per source, and the most frequent confusions."""
    columns = ("samples", "edit_distance_accuracy", "exact_match", "exact_match_caseless", "cer", "one_minus_ned")
    rows = [(source, scores) for source, scores in figures["sources"].items()]
    rows = rows if len(rows) == 1 else [*rows, ("all", figures)]
    width = max(len(name) for name, _ in rows)
    lines = [" " * width + "".join(f"  {column}" for column in columns)]
    for name, scores in rows:
        cells = (f"{scores[c]:.4f}" if isinstance(scores[c], float) else str(scores[c]) for c in columns)
        lines.append(f"{name:{width}}" + "".join(f"  {cell:>{len(c)}}" for c, cell in zip(columns, cells)))
    named = [(c["true"] or "(nothing)", c["prediction"] or "(nothing)", c["times"]) for c in figures["confusions"][:8]]
    worst = ", ".join(f"{a} as {b} x{times}" for a, b, times in named)
    speed = f"{figures['images_per_second']:.0f} images/s; " if "images_per_second" in figures else ""
    lines.append(f"{speed}confusions: {worst or 'none'}")
    if "calibration_error" in figures:
        parts = (
            f"{figures[f'exact_match_at_{c}']:.4f} at {c} % coverage (threshold {figures[f'confidence_at_{c}']:.4f})"
            for c in metrics.COVERAGES
        )
        error = f"calibration error {figures['calibration_error']:.4f} ({metrics.BINS} bins)"
        lines.append(f"confidence: {error}; exact match {', '.join(parts)}")
    if "refused" in figures:
        lines.append(
            f"one retry: exact match {figures['exact_match_one_retry']:.4f}, {100 * figures['refused']:.1f} % refused "
            f"(threshold {figures['threshold']:.4f})"
        )
    return "\n".join(lines)


def draw(folder: Path, samples, texts, predictions, confidences, retries: Retries, threshold: float) -> None:
    """Writes the tables and figures of `plots`; the folder appears only when all are written."""
    counts = metrics.confusions(texts, predictions)
    rows = list(zip(samples, texts, predictions, confidences))
    wrong = [row for row in rows if row[1] != row[2]]
    wrong.sort(key=lambda row: (metrics.edit_distance_accuracy(row[1], row[2]), -row[3]))
    correct = [text == prediction for text, prediction in zip(texts, predictions)]
    table = [
        (sample.name, sample.source, *texts, f"{confidence:.4f}", ANSWERS[accepted])
        for (sample, *texts, confidence), accepted in zip(rows, retries.accepted(threshold).tolist())
    ]
    thresholds = np.linspace(0, 1, 101)
    curves = [retries.at(least) for least in thresholds]
    with atomic_folder(folder) as beside:
        write_table(
            beside / "predictions.csv", ("file", "source", "text", "prediction", "confidence", "decision"), table
        )
        pairs = [(*pair, times) for pair, times in counts.most_common()]
        write_table(beside / "confusions.csv", ("true", "prediction", "times"), pairs)
        draw_confusions(counts, beside / "confusions.png")
        draw_reliability(metrics.bins(correct, confidences), beside / "reliability.png")
        lines = ([row[name] for row in curves] for name in ("exact_match_one_retry", "refused"))
        draw_refusals(thresholds, *lines, threshold, beside / "refusals.png")
        draw_sheet(wrong[:40], beside / "errors.png")
        draw_sheet(rows[:40], beside / "predictions.png")


def write_table(path: Path, columns: Sequence[str], rows: Iterable[Sequence]) -> None:
    """Writes a CSV file; names that are not UTF-8 are escaped."""
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)
