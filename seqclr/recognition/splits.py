"""Splits the labels into training and validation samples."""

from __future__ import annotations

import random

from seqclr.data.discovery import exclude, find, find_unlabelled, survey
from seqclr.data.samples import HELD_OUT, Sample, by_source, count_splits
from seqclr.errors import UserError

VALIDATION = 0.1  # fraction of the labels, where there are no validation data


def split_off_validation(config) -> tuple[list[Sample], list[Sample], bool]:
    """Training and validation samples, and whether the latter are a tenth of the labels.

    Training: rows of `split`, by default all but those of split `test` and `validation`.
    Validation, without the training samples: if the key `validation` is set, from its data the rows of split
    `validation`, else the rows that are not of split `test`, else all; otherwise the rows of split `validation` in the
    data; otherwise a tenth of the labels.

    Raises UserError if no sample is left for either.
    """
    found = find(config.data, None, config.label_pattern)
    if config.split is None:
        train = [sample for sample in found if sample.split not in HELD_OUT]
    else:
        train = find(config.data, config.split, config.label_pattern)
    if not train:
        raise UserError(f"{config.data[0]} has no samples to train on: it has {count_splits(found)}")
    train = subsample(train, config.labels, config.seed)
    if config.validation is None:
        validation = exclude([sample for sample in found if sample.split == "validation"], train)
        if not validation:
            return *hold_out(train, config.seed), True
    else:
        others = exclude(find([config.validation], None, config.label_pattern), train)
        parts = {split: [sample for sample in others if sample.split == split] for split in HELD_OUT}
        validation = parts["validation"] or exclude(others, parts["test"]) or others
        if not validation:
            raise UserError(f"{config.validation} holds only images that are trained on: give others")
    return train, validation, False


def split_off_labelled(config) -> tuple[list[Sample], list[Sample]]:
    """All samples that a reader is adapted to, and those of them whose labels are used; an empty text is no label.

    Raises UserError if there is no sample.
    """
    samples = find_unlabelled(config.data, config.split, pattern=config.label_pattern)
    return samples, subsample([sample for sample in samples if sample.text], config.labels, config.seed)


def find_validation(config, samples: list[Sample]) -> list[Sample]:
    """The labelled rows of split `validation` in the data, without the samples that are trained on."""
    found, _ = survey(config.data, config.label_pattern)
    return exclude([sample for sample in found if sample.split == "validation" and sample.text], samples)


def probed_samples(config) -> list[Sample]:
    """The labelled samples of the probe of a pretraining, for training and for evaluation; none of split `test`."""
    samples = [sample for sample in find([config.probe]) if sample.split != "test"]
    return subsample(samples, config.probe_labels, config.seed)


def hold_out(samples: list[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """Training samples and a random tenth for validation."""
    if len(samples) < 2:
        raise UserError("one label is not enough: at least two are needed, one for training and one for validation")
    shuffled = random.Random(seed).sample(samples, len(samples))
    held = max(1, round(len(samples) * VALIDATION))
    return shuffled[held:], shuffled[:held]


def subsample(samples: list[Sample], labels: int | None, seed: int) -> list[Sample]:
    """At most `labels` random samples per source."""
    if labels is None:
        return samples
    draw = random.Random(seed)
    return [sample for group in by_source(samples).values() for sample in draw.sample(group, min(labels, len(group)))]


def describe_validation(config, validation: list[Sample], held_out: bool) -> str:
    """A sentence on the samples that choose the best checkpoint. held_out: whether they are a tenth of the labels."""
    if config.validation is None:
        return f"validated on {'a tenth of the labels: ' if held_out else ''}{count_splits(validation)}"
    sentence = f"validated on {config.validation}, without the training samples: {count_splits(validation)}"
    if validation[0].split == "test":
        return f"{sentence}; they choose the best checkpoint, so evaluate on others"
    return sentence


def find_unlabelled_samples(config, validation: list[Sample]) -> list[Sample]:
    """The images to train on without labels, without validation samples and images of split `test`."""
    known = [*config.data, *([config.validation] if config.validation else [])]
    samples = exclude(find_unlabelled(config.unlabelled, known=known), validation)
    if not samples:
        raise UserError(f"{config.unlabelled[0]} holds only images for validation or test: give others")
    return samples
