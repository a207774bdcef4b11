"""The charset and the labels of a fine-tuning, and their checks."""

from __future__ import annotations

from collections.abc import Sequence

from seqclr.data.charset import FRAME_STRIDE, Charset, frames_needed, frames_of
from seqclr.data.dataset import ImageDataset
from seqclr.data.label_validation import character_variants, code_point, invisible_characters, right_to_left
from seqclr.data.samples import Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.messages import warn


def make_charset(config, samples: list[Sample]) -> Charset:
    """The charset of the run.

    With `distill`, that of the teacher; else the key `charset`; else the characters of the labels and of the fine-tuned
    run that this one starts from, because a few labels may lack some of its characters.
    """
    if config.distill:  # the loss compares the class distributions of both
        return Charset.load(Run.open(config.distill).charset_file)
    if config.charset is not None:
        return Charset(config.charset, config.case, config.unknown)
    texts = [pretrained_characters(config.pretrained), *(sample.text for sample in samples)]
    return Charset.of(texts, config.case, config.unknown)


def pretrained_characters(pretrained: str | None) -> str:
    """The characters of a fine-tuned run to start from; empty for a pretraining run.

    A pretraining run may have a charset too, that of its generated images, with more characters than most sites have.
    """
    if pretrained is None:
        return ""
    run = Run.open(pretrained)
    fine_tuned = run.charset_file.is_file() and not hasattr(run.config(), "method")
    return Charset.load(run.charset_file).characters if fine_tuned else ""


def resumed_charset(charset: Charset, run: Run) -> Charset:
    """The charset of a run that is resumed. Raises UserError if it is not that of the labels."""
    if not run.charset_file.is_file():
        return charset
    past = Charset.load(run.charset_file)
    new, gone = (
        "".join(c for c in a.characters if c not in b.characters) for a, b in ((charset, past), (past, charset))
    )
    if new or gone:
        changes = " and ".join(
            f"{word} {characters!r}" for word, characters in (("have", new), ("lack", gone)) if characters
        )
        raise UserError(
            f"{run.folder} was started with the characters {past.characters}, and the labels now {changes}: --resume "
            f"needs the same characters; choose another --output, with --pretrained {run.folder} to keep the weights"
        )
    return past


def check_labels(samples: Sequence[Sample]) -> None:
    """Raises UserError for a label with right-to-left text."""
    for sample in samples:
        first = right_to_left(sample.text)
        if first:
            raise UserError(
                f"{sample.name} has right-to-left text, {code_point(first)}: frames are read from left to "
                "right, so leave such labels out"
            )


def warn_of_labels(samples: Sequence[Sample]) -> None:
    """Warns of labels with invisible characters or with several forms of one character."""
    odd = [(sample, found) for sample in samples if (found := invisible_characters(sample.text))]
    if odd:
        sample, found = odd[0]
        warn(f"{len(odd)} label(s) have invisible characters: {sample.name} has {found[0]}; `seqclr check` lists all")
    for group in character_variants(sample.text for sample in samples):
        warn(f"labels have several forms of one character: {', '.join(map(code_point, group))}")


def check_targets(samples: list[Sample], targets: list[str]) -> None:
    """Raises UserError for a label without any character of the charset."""
    for sample, target in zip(samples, targets):
        if not target:
            raise UserError(
                f"{sample.name} has the label '{sample.text}', from which unknown=drop removes all characters: "
                "add them to charset, or leave it out"
            )


def check_lengths(dataset: ImageDataset, targets: list[str]) -> None:
    """Raises UserError for a label that needs more CTC frames than its image has."""
    for sample, width, target in zip(dataset.samples, dataset.filled(), targets):
        frames = frames_of(int(width))
        if frames_needed(target) > frames:
            raise UserError(
                f"{sample.name} has the label '{target}', which needs {frames_needed(target)} frames but has "
                f"{frames}: set width to at least {frames_needed(target) * FRAME_STRIDE} or leave it out"
            )
