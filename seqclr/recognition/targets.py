"""The characters and labels that a fine-tuning trains on, and checks of them."""

from __future__ import annotations

from collections.abc import Sequence

from seqclr.data.charset import FRAME_STRIDE, Charset, frames_needed
from seqclr.data.dataset import ImageDataset
from seqclr.data.label_validation import character_variants, code_point, invisible_characters, right_to_left
from seqclr.data.samples import Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.messages import warn


def make_charset(config, samples: list[Sample]) -> Charset:
    """The charset of the teacher, or the one that is given, or that of the labels and of the reader that is started
    from: few labels do not have all that it knows."""
    if config.distill:  # of the same frames the same distributions
        return Charset.load(Run.open(config.distill).charset_file)
    if config.charset is not None:
        return Charset(config.charset, config.case, config.unknown)
    texts = [known_characters(config.pretrained), *(sample.text for sample in samples)]
    return Charset.of(texts, config.case, config.unknown)


def known_characters(pretrained: str | None) -> str:
    """Those of the fine-tuned run that this one starts from, if it does. What a pretraining has read in generated
    images is more than most sites have, and does not count."""
    if pretrained is None:
        return ""
    run = Run.open(pretrained)
    reads = run.charset_file.is_file() and not hasattr(run.config(), "method")
    return Charset.load(run.charset_file).characters if reads else ""


def resumed(charset: Charset, run: Run) -> Charset:
    """The charset that a resumed run was begun with; raises UserError where the labels have another by now."""
    if not run.charset_file.is_file():
        return charset
    past = Charset.load(run.charset_file)
    new, gone = (
        "".join(c for c in a.characters if c not in b.characters) for a, b in ((charset, past), (past, charset))
    )
    if new or gone:
        told = " and ".join(
            f"{word} {characters!r}" for word, characters in (("have", new), ("lack", gone)) if characters
        )
        raise UserError(
            f"{run.folder} was begun with the characters {past.characters}, and the labels {told} by now: --resume "
            f"goes on with the same; take another --output, where --pretrained {run.folder} keeps what it has learned"
        )
    return past


def check_labels(samples: Sequence[Sample]) -> None:
    """Raises UserError for a label in a script that runs against the frames."""
    for sample in samples:
        first = right_to_left(sample.text)
        if first:
            raise UserError(
                f"{sample.name} has right-to-left text, {code_point(first)}: frames are read from left to "
                "right, so such labels cannot be learned; leave them out"
            )


def warn_of_labels(samples: Sequence[Sample]) -> None:
    """Says which labels have characters that nobody sees or tells from others."""
    odd = [(sample, found) for sample in samples if (found := invisible_characters(sample.text))]
    if odd:
        sample, found = odd[0]
        warn(f"{len(odd)} label(s) have what nobody sees, as {sample.name}, {found[0]}: `seqclr check` names all")
    for group in character_variants(sample.text for sample in samples):
        warn(f"labels have one character in several forms: {', '.join(map(code_point, group))}")


def check_targets(samples: list[Sample], targets: list[str]) -> None:
    """Raises UserError for a label of which nothing is left to learn."""
    for sample, target in zip(samples, targets):
        if not target:
            raise UserError(
                f"{sample.name} has the label '{sample.text}', of which unknown=drop leaves nothing: add its "
                "characters to charset, or leave it out"
            )


def check_lengths(dataset: ImageDataset, targets: list[str]) -> None:
    """Raises UserError for a label that CTC cannot spell in the frames that its image gives."""
    for sample, width, target in zip(dataset.samples, dataset.filled(), targets):
        frames = -(-int(width) // FRAME_STRIDE)
        if frames_needed(target) > frames:
            raise UserError(
                f"{sample.name} has the label '{target}', which needs {frames_needed(target)} frames but gets "
                f"{frames}: set width to at least {frames_needed(target) * FRAME_STRIDE} or leave it out"
            )
