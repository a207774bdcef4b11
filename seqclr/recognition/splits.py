"""Which labels are trained on and which are validated on."""

from __future__ import annotations

import random

from seqclr.data.discovery import exclude, find, find_unlabelled
from seqclr.data.samples import HELD_OUT, Sample, by_source, count_splits, split_name
from seqclr.errors import UserError

VALIDATION = 0.1  # of the labels, where there is no validation data


def split_off_validation(config) -> tuple[list[Sample], list[Sample]]:
    """Training and validation entries. Rows of split `test` or `validation` are trained on only if `split` asks for it.

    What is validated on: the data of `validation`, without what is trained on, its rows of split `validation` if it has
    any and those of split `test` only if it has no others; or else the rows of split `validation` in the data; or else
    a tenth of the labels.
    """
    found = find(config.data, None, config.label_pattern)
    if config.split is None:
        train = [sample for sample in found if sample.split not in HELD_OUT]
    else:
        train = find(config.data, config.split, config.label_pattern)
    if not train:
        raise UserError(f"{config.data[0]} has no row to train on: it has {count_splits(found)}")
    empty = [sample for sample in train if not sample.text]
    if empty:
        raise UserError(f"{empty[0].name} has an empty label ({len(empty)} have): label it or leave it out")
    train = subsample(train, config.labels, config.seed)
    if config.validation is None:
        validation = exclude([sample for sample in found if sample.split == "validation"], train)
        train, validation = (train, validation) if validation else hold_out(train, config.seed)
    else:
        others = exclude(find([config.validation], None, config.label_pattern), train)
        parts = {split: [sample for sample in others if sample.split == split] for split in HELD_OUT}
        validation = parts["validation"] or exclude(others, parts["test"]) or others
        if not validation:
            raise UserError(f"{config.validation} holds nothing but the images that are trained on: give others")
    return train, validation


def hold_out(samples: list[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """The entries without a tenth, and the tenth, drawn by the seed."""
    if len(samples) < 2:
        raise UserError("one label is not enough: at least two are needed, one to train on and one to validate")
    shuffled = random.Random(seed).sample(samples, len(samples))
    held = max(1, round(len(samples) * VALIDATION))
    return shuffled[held:], shuffled[:held]


def subsample(samples: list[Sample], labels: int | None, seed: int) -> list[Sample]:
    """At most so many entries of every source, drawn by the seed."""
    if labels is None:
        return samples
    draw = random.Random(seed)
    return [sample for group in by_source(samples).values() for sample in draw.sample(group, min(labels, len(group)))]


def how_validated(config, validation: list[Sample]) -> str:
    """What chooses the checkpoint, in a sentence."""
    if config.validation is None:
        asked = config.split is not None and split_name(config.split) == "validation"
        tenth = asked or validation[0].split != "validation"
        return f"validated on {'a tenth of the labels: ' if tenth else ''}{count_splits(validation)}"
    told = f"validated on what is not trained on in {config.validation}: {count_splits(validation)}"
    return f"{told}; they choose the checkpoint, so test on others" if validation[0].split == "test" else told


def find_more(config, validation: list[Sample]) -> list[Sample]:
    """The images to learn from without labels: none that is validated on or, in any of the data, of split `test`."""
    known = [*config.data, *([config.validation] if config.validation else [])]
    samples = exclude(find_unlabelled(config.unlabelled, known=known), validation)
    if not samples:
        raise UserError(f"{config.unlabelled[0]} holds nothing but images that are validated or tested on: give others")
    return samples
