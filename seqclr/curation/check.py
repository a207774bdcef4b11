"""Checks data sets before training. Host side.

Every image is decoded once. A finding has a kind (`KINDS`), names its files, and is harmful to a run or not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from seqclr.data import images, shards, tables
from seqclr.data.charset import Charset, frames_needed, frames_of, normalize
from seqclr.data.discovery import survey
from seqclr.data.label_validation import character_variants, code_point, invisible_characters, right_to_left, script_of
from seqclr.data.samples import HELD_OUT, Sample
from seqclr.errors import UserError, escaped, printable
from seqclr.messages import bar

# kind of finding -> (its title in a report, whether it is harmful)
KINDS = {
    "missing": ("named in a table, but not there", True),
    "unusable": ("rows or labels that cannot be used", True),
    "changed": ("shards that are not as they were packed", True),
    "unreadable": ("images that cannot be read", True),
    "empty": ("empty labels, which are left out", False),
    "unknown": ("labels with characters outside the charset", True),
    "too_long": ("labels too long for the frames of their image", True),
    "conflicts": ("equal images with different labels", True),
    "leaks": ("equal images in two splits or two sources", True),
    "length": ("labels of an unusual length", False),
    "character": ("labels with an unusual character", False),
    "duplicates": ("equal images with the same label and split", False),
    "contradicted": ("labels that the reader surely contradicts, the surest first", False),
}
DOUBTFUL = ("length", "character", "contradicted")  # kinds whose labels may be wrong
RARE = 0.05  # share of the labels below which a length, a script or characters that occur once are unusual
LEAST = 100  # labels among which a character that occurs once is unusual
NAMED = 10  # findings of each kind that a text report names
SHOWN = 200  # characters of a charset that a text report shows


@dataclasses.dataclass(frozen=True)
class Finding:
    kind: str
    files: tuple[str, ...]
    message: str
    drop: tuple[Sample, ...] = ()  # samples that a clean list leaves out


@dataclasses.dataclass(frozen=True)
class Look:
    """The properties of a decoded image, or the error."""

    sample: Sample
    error: str | None = None
    digest: bytes = b""  # of the pixels, independent of the file format
    size: tuple[int, int] = (0, 0)  # width, height


@dataclasses.dataclass(frozen=True)
class Report:
    summary: dict
    findings: list[Finding]

    @property
    def harmful(self) -> bool:
        return any(KINDS[finding.kind][1] for finding in self.findings)

    def figures(self) -> dict:
        """The summary and, for each kind, the count, the files and a sentence for each finding; fit for JSON."""
        kinds = {}
        for kind, (_, harmful) in KINDS.items():
            found = [finding for finding in self.findings if finding.kind == kind]
            files = dict.fromkeys(file for finding in found for file in finding.files)
            kinds[kind] = {
                "count": len(found),
                "harmful": harmful,
                "files": list(files),
                "messages": [finding.message for finding in found],
            }
        return {**self.summary, "harmful": self.harmful, "findings": kinds}

    def text(self) -> str:
        lines = list(_summary_lines(self.summary))
        for kind, (title, harmful) in KINDS.items():
            messages = [finding.message for finding in self.findings if finding.kind == kind]
            if messages:
                lines.append(f"{'WRONG' if harmful else 'note'}: {len(messages)} {title}")
                lines += [f"  {printable(message)}" for message in messages[:NAMED]]
            if len(messages) > NAMED:
                lines.append(f"  and {len(messages) - NAMED} more")
        doubtful = any(finding.kind in DOUBTFUL for finding in self.findings)
        if not self.harmful:
            lines.append("nothing else is wrong" if doubtful else "nothing wrong")
        return "\n".join(lines)


def check(
    paths: Sequence[str | Path],
    charset: str | None = None,
    case: str = "keep",
    height: int = 32,
    width: int = 128,
    resize: str = "stretch",
    label_pattern: str | None = None,
    fix: str | Path | None = None,
    judge: Callable[[], list[Finding]] | None = None,
) -> Report:
    """Checks every image and label of some paths; images may be unlabelled.

    charset: the allowed characters; by default those of the labels. height, width, resize: as in a run, for the number
    of frames of each image. fix: a CSV file to write, with the rows that have no harmful finding. judge: gives
    further findings, before the file is written.
    Raises UserError for a path without images, and for a `fix` that exists already.
    """
    allowed = None if charset is None else Charset(charset, case)
    samples, faults = survey(paths, label_pattern)
    if fix is not None:
        tables.check_can_write(Path(fix), samples)
    looks = look_at_all(samples)
    findings = [
        Finding("missing" if fault.missing else "unusable", (escaped(fault.file),), escaped(fault.reason))
        for fault in faults
    ]
    findings += [*_changed(paths), *examine(looks, allowed, case, (height, width, resize))]
    looks = [look for look in looks if look.error is None]
    rows = [] if fix is None else _clean([look.sample for look in looks], findings, Path(fix))
    findings += judge() if judge is not None else ()
    if fix is not None:
        tables.write(Path(fix), rows)
    return Report(_summary(samples, looks, case), findings)


def examine(
    looks: list[Look],
    allowed: Charset | None,
    case: str,
    fit: tuple[int, int, str],
    lengths: Sequence[int] | None = None,
) -> list[Finding]:
    """The findings of some images and their labels.

    allowed, lengths: the characters and the lengths of labels; None where they are not known, so that unusual ones are
    found. fit: height, width and resize of a run.
    """
    read = [look for look in looks if look.error is None]
    labelled = [look.sample for look in read if look.sample.text is not None]
    of_sources: dict[str, list[Sample]] = defaultdict(list)  # a small site is not unusual beside a large one
    for sample in labelled:
        of_sources[sample.source].append(sample)
    return [
        *_unreadable(looks),
        *_labels(read, allowed, case, fit),
        *_character_variants(labelled),
        *(finding for one in of_sources.values() for finding in _lengths(one, lengths)),
        *(finding for one in of_sources.values() if allowed is None for finding in _unusual_characters(one, case)),
        *_equal_images(read, case),
    ]


def _changed(paths: Sequence[str | Path]) -> Iterator[Finding]:
    for path in filter(shards.is_pack, map(Path, paths)):
        for shard in shards.changed(path):
            yield Finding("changed", (shard,), f"{shard} has changed since it was packed: {shards.AGAIN}")


# images


def look_at_all(samples: list[Sample], quiet: bool = False) -> list[Look]:
    """Decodes every image. quiet: without a progress bar."""
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # of Pillow, such as on odd EXIF tags
        looks = pool.map(_look_at, samples)
        return list(bar(looks, "check", len(samples), unit="img", leave=False, disable=quiet or len(samples) < 2000))


def _look_at(sample: Sample) -> Look:
    try:
        pixels = images.decode(sample.read_bytes(), sample.name)
    except UserError as error:
        return Look(sample, str(error))
    height, width, _ = pixels.shape
    digest = hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=16, salt=b"%dx%d" % (width, height))
    return Look(sample, None, digest.digest(), (width, height))


def _unreadable(looks: list[Look]) -> Iterator[Finding]:
    for look in looks:
        if look.error is not None:
            yield Finding("unreadable", (escaped(look.sample.name),), escaped(look.error), (look.sample,))


# labels


def _labels(looks: list[Look], allowed: Charset | None, case: str, fit: tuple[int, int, str]) -> Iterator[Finding]:
    for look in looks:
        if look.sample.text is None:
            continue
        for kind, what in _label(look, allowed, case, *fit):
            name = escaped(look.sample.name)
            yield Finding(kind, (name,), f"{name} {what}", (look.sample,))


def _label(look: Look, allowed: Charset | None, case: str, to_height: int, to_width: int, resize: str):
    """Yields the kind and description of each fault of a label."""
    text = normalize(look.sample.text, case)
    if not text.strip():
        yield "empty", "has an empty label"
        return
    strangers = allowed.strangers(text) if allowed else []
    if strangers:
        yield "unknown", f"has the label {text!r} with {', '.join(map(repr, strangers))}"
    invisible, turned = invisible_characters(look.sample.text), right_to_left(text)
    if invisible:
        yield "unusable", f"has the label {look.sample.text!r} with {', '.join(invisible)}: invisible or misleading"
    if turned:
        yield "unusable", f"has right-to-left text, {code_point(turned)}: frames are read from left to right"
    width, height = look.size
    frames = frames_of(images.resized_width(height, width, to_height, to_width, resize))
    if frames_needed(text) > frames:
        yield "too_long", f"has the label {text!r}, which needs {frames_needed(text)} frames but has {frames}"


def _character_variants(samples: list[Sample]) -> Iterator[Finding]:
    """Findings for characters that occur in several widths or typefaces."""
    for plain, *others in character_variants(sample.text for sample in samples):
        drop = tuple(sample for sample in samples if any(c in sample.text for c in others))
        named = ", ".join(map(code_point, others))
        message = f"{len(drop)} label(s) have {named} where others have {code_point(plain)}"
        yield Finding("unusable", tuple(escaped(sample.name) for sample in drop), message, drop)


def _lengths(samples: list[Sample], lengths: Sequence[int] | None) -> Iterator[Finding]:
    """Findings for labels whose length is not one of `lengths`, or, where these are not known, for labels of lengths
    that are rare where most labels have one length."""
    counts = Counter(len(sample.text) for sample in samples if sample.text)
    usual = _common(counts, counts.total()) if lengths is None else lengths
    for sample in samples:
        if sample.text and usual and len(sample.text) not in usual:
            name, length = escaped(sample.name), len(sample.text)
            share = f"as {counts[length]} of {counts.total()}"
            yield Finding("length", (name,), f"{name} has the label {sample.text!r} of length {length}, {share}")


def _unusual_characters(samples: list[Sample], case: str) -> Iterator[Finding]:
    """Findings for labels with a character of another script than most labels, or with one that occurs once.

    Where more labels have characters that occur once, as in texts of thousands of characters, new ones are to be
    expected (Good 1953, as in `decision.seen_lengths`), and are not reported.
    """
    texts = [normalize(sample.text, case) for sample in samples]
    scripts = Counter(script for text in texts for script in {script_of(c) for c in text} - {None})
    usual = _common(scripts, len(texts))
    counts = Counter("".join(texts))
    once = {c for c, count in counts.items() if count == 1 and not c.isspace()}
    if len(texts) < LEAST or sum(not once.isdisjoint(text) for text in texts) >= RARE * len(texts):
        once = set()
    for sample, text in zip(samples, texts):
        of_other = [c for c in dict.fromkeys(text) if usual and script_of(c) not in (None, "DIGIT", *usual)]
        odd = [f"{code_point(c)} of another script" for c in of_other]
        odd += [f"{code_point(c)}, which no other has" for c in dict.fromkeys(text) if c in once and c not in of_other]
        if odd:
            name = escaped(sample.name)
            yield Finding("character", (name,), f"{name} has the label {text!r} with {', '.join(odd)}")


def _common(counts: Counter, total: int) -> set:
    """What is not rare, where most of `total` labels have the same; else an empty set."""
    most = max(counts.values(), default=0) > total / 2
    return {each for each, count in counts.items() if count >= RARE * total} if most else set()


# equal images


def _equal_images(looks: list[Look], case: str) -> Iterator[Finding]:
    groups = defaultdict(list)
    for look in looks:
        groups[look.digest].append(look.sample)
    for group in groups.values():
        if len(group) > 1:
            yield from _equal_image(group, {normalize(sample.text, case) for sample in group if sample.text})


def _equal_image(group: list[Sample], texts: set[str]) -> Iterator[Finding]:
    files = tuple(escaped(sample.name) for sample in group)
    more = f" and {len(group) - 4} more" if len(group) > 4 else ""
    leaking = _leaks(group)
    if len(texts) > 1:
        named = [f"{escaped(sample.name)} {sample.text!r}" for sample in group if sample.text]
        yield Finding("conflicts", files, ", ".join(named[:4]) + more, tuple(group))
    if leaking:
        named = [f"{file} ({_part(sample)})" for file, sample in zip(files, group)]
        kept = min(group, key=_held_out)
        drop = tuple(sample for sample in group if (sample.source, sample.split) != (kept.source, kept.split))
        yield Finding("leaks", files, ", ".join(named[:4]) + more, drop)
    if len(texts) < 2 and not leaking:
        yield Finding("duplicates", files, ", ".join(files[:4]) + more)


def _leaks(group: list[Sample]) -> bool:
    """Whether an image for evaluation may be trained on too. Images without labels are trained on."""
    parts = {(sample.source, sample.split) for sample in group if sample.text is not None}
    held = any(split in HELD_OUT for _, split in parts)
    return len(parts) > 1 or (held and any(sample.text is None for sample in group))


def _part(sample: Sample) -> str:
    return f"{sample.source}, {sample.split or ('no label' if sample.text is None else 'no split')}"


def _held_out(sample: Sample) -> int:
    """The order in which equal images are kept: test, validation, training, unlabelled."""
    if sample.text is None:
        return 3
    return HELD_OUT.index(sample.split) if sample.split in HELD_OUT else 2


# a summary


def _summary(samples: list[Sample], looks: list[Look], case: str) -> dict:
    sources: dict[str, Counter] = defaultdict(Counter)
    for sample in samples:
        sources[sample.source][sample.split or "no split" if sample.text else "unlabelled"] += 1
    texts = [normalize(sample.text, case) for sample in samples if sample.text]
    characters = Counter("".join(texts))
    return {
        "images": len(samples),
        "labelled": len(texts),
        "sources": {source: dict(splits) for source, splits in sources.items()},
        "sizes": _sizes(Counter(look.size for look in looks)),
        "label_lengths": dict(sorted(Counter(map(len, texts)).items())),
        "charset": escaped("".join(sorted(characters))),
        "seen_once": escaped("".join(sorted(character for character, n in characters.items() if n == 1))),
    }


def _sizes(sizes: Counter) -> dict:
    if not sizes:
        return {"distinct": 0}
    widths, heights = zip(*sizes)
    common = [{"width": width, "height": height, "count": n} for (width, height), n in sizes.most_common(3)]
    return {
        "distinct": len(sizes),
        "most_common": common,
        "width": [min(widths), max(widths)],
        "height": [min(heights), max(heights)],
    }


def _summary_lines(summary: dict) -> Iterator[str]:
    yield f"{summary['images']} images, {summary['labelled']} labelled"
    for source, splits in summary["sources"].items():
        yield f"  {source}: " + ", ".join(f"{count} {split}" for split, count in splits.items())
    sizes = summary["sizes"]
    if sizes["distinct"]:
        common = ", ".join(f"{size['width']}x{size['height']} ({size['count']})" for size in sizes["most_common"])
        spans = ", ".join(f"{side} {sizes[side][0]} to {sizes[side][1]}" for side in ("width", "height"))
        yield f"sizes: {sizes['distinct']} distinct, {spans}; the most common: {common}"
    lengths = summary["label_lengths"]
    if not lengths:
        yield "no labels, so labels were not checked"
        return
    yield f"labels: {min(lengths)} to {max(lengths)} characters, most often {max(lengths, key=lengths.get)}"
    yield f"charset: {len(summary['charset'])} characters: {_short(summary['charset'])}"
    if summary["seen_once"]:
        yield f"seen only once: {_short(summary['seen_once'])}"


def _short(characters: str) -> str:
    return characters if len(characters) <= SHOWN else f"{characters[:SHOWN]} and {len(characters) - SHOWN} more"


# the clean list


def _clean(readable: list[Sample], findings: list[Finding], fix: Path) -> list[Sample]:
    """The clean labelled samples, or, where none is labelled, all clean samples, as for pretraining."""
    dropped = {sample for finding in findings for sample in finding.drop}
    clean = [sample for sample in readable if sample not in dropped]
    rows = [sample for sample in clean if sample.text is not None] or clean
    if not rows:
        raise UserError(f"{fix} would be empty, as every row has a harmful finding: see the findings without --fix")
    return rows
