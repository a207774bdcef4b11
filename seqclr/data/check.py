"""What is wrong with this data, told before a run pays for it. Host wing.

Every image is decoded once. What is found has a kind (`KINDS`), names its files, and hurts a run or does not.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from seqclr.data import images, labels, lists, shards
from seqclr.data.charset import FRAME_STRIDE, Charset, frames_needed, normalize
from seqclr.data.records import HELD_OUT, Entry, survey
from seqclr.errors import UserError, printable
from seqclr.messages import bar

# kind of finding -> (what a report calls it, whether it hurts)
KINDS = {
    "missing": ("named in a table, but not there", True),
    "unusable": ("rows or labels that cannot be used", True),
    "changed": ("shards that are not as they were packed", True),
    "unreadable": ("images that cannot be read", True),
    "empty": ("empty labels", True),
    "unknown": ("labels with characters outside the charset", True),
    "too_long": ("labels too long for the frames of their image", True),
    "conflicts": ("equal pictures with different labels", True),
    "leaks": ("equal pictures in two splits or two sources", True),
    "duplicates": ("equal pictures with nothing else against them", False),
}
NAMED = 10  # findings of a kind that a text report names
SHOWN = 200  # characters of a charset that it shows


@dataclasses.dataclass(frozen=True)
class Finding:
    kind: str
    files: tuple[str, ...]
    message: str
    drop: tuple[Entry, ...] = ()  # what a clean list leaves out


@dataclasses.dataclass(frozen=True)
class Look:
    """What one image showed."""

    entry: Entry
    error: str | None = None
    digest: bytes = b""  # of the pixels, the same whatever the format of the file
    size: tuple[int, int] = (0, 0)  # width, height


@dataclasses.dataclass(frozen=True)
class Report:
    summary: dict
    findings: list[Finding]

    @property
    def hurts(self) -> bool:
        return any(KINDS[finding.kind][1] for finding in self.findings)

    def figures(self) -> dict:
        """The summary and, for each kind, the count, the files and a sentence for each finding; fit for JSON."""
        kinds = {}
        for kind, (_, hurts) in KINDS.items():
            found = [finding for finding in self.findings if finding.kind == kind]
            files = dict.fromkeys(file for finding in found for file in finding.files)
            kinds[kind] = {
                "count": len(found),
                "hurts": hurts,
                "files": list(files),
                "messages": [finding.message for finding in found],
            }
        return {**self.summary, "hurts": self.hurts, "findings": kinds}

    def text(self) -> str:
        lines = list(_summary_lines(self.summary))
        for kind, (title, hurts) in KINDS.items():
            messages = [finding.message for finding in self.findings if finding.kind == kind]
            if messages:
                lines.append(f"{'WRONG' if hurts else 'note'}: {len(messages)} {title}")
                lines += [f"  {printable(message)}" for message in messages[:NAMED]]
            if len(messages) > NAMED:
                lines.append(f"  and {len(messages) - NAMED} more")
        if not self.hurts:
            lines.append("nothing wrong")
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
) -> Report:
    """Looks at every image and label of some paths, labelled or not.

    charset: the characters that are allowed; by default those of the labels. `height`, `width`, `resize`: as a run
    would have them, for the frames that a label gets. fix: a CSV file to write, with the rows that do not hurt.
    Raises UserError for a path that holds nothing, and for a `fix` that exists already.
    """
    allowed = None if charset is None else Charset(charset, case)
    entries, faults = survey(paths, label_pattern)
    if fix is not None:
        lists.check_free(Path(fix), entries)
    looks = _look_at_all(entries)
    findings = [
        Finding("missing" if fault.missing else "unusable", (_printable(fault.file),), _printable(fault.reason))
        for fault in faults
    ]
    findings += _changed(paths)
    findings += _unreadable(looks)
    looks = [look for look in looks if look.error is None]
    findings += _labels(looks, allowed, case, (height, width, resize))
    findings += _alike([look.entry for look in looks if look.entry.text is not None])
    findings += _twins(looks, case)
    if fix is not None:
        lists.write(Path(fix), _clean([look.entry for look in looks], findings, Path(fix)))
    return Report(_summary(entries, looks, case), findings)


def _printable(text: str) -> str:
    """File names that are no UTF-8 cannot be printed as they are."""
    return text.encode("utf-8", "backslashreplace").decode()


def _changed(paths: Sequence[str | Path]) -> Iterator[Finding]:
    for path in filter(shards.is_pack, map(Path, paths)):
        for shard in shards.changed(path):
            yield Finding("changed", (shard,), f"{shard} has changed since it was packed: {shards.AGAIN}")


# images


def _look_at_all(entries: list[Entry]) -> list[Look]:
    with warnings.catch_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore")  # Pillow's, of odd EXIF tags and the like
        looks = pool.map(_look_at, entries)
        return list(bar(looks, "check", len(entries), unit="img", leave=False, disable=len(entries) < 2000))


def _look_at(entry: Entry) -> Look:
    try:
        pixels = images.decode(entry.read_bytes(), entry.name)
    except UserError as error:
        return Look(entry, str(error))
    height, width, _ = pixels.shape
    digest = hashlib.blake2b(np.ascontiguousarray(pixels), digest_size=16, salt=b"%dx%d" % (width, height))
    return Look(entry, None, digest.digest(), (width, height))


def _unreadable(looks: list[Look]) -> Iterator[Finding]:
    for look in looks:
        if look.error is not None:
            yield Finding("unreadable", (_printable(look.entry.name),), _printable(look.error), (look.entry,))


# labels


def _labels(looks: list[Look], allowed: Charset | None, case: str, fit: tuple[int, int, str]) -> Iterator[Finding]:
    for look in looks:
        if look.entry.text is None:
            continue
        for kind, what in _label(look, allowed, case, *fit):
            name = _printable(look.entry.name)
            yield Finding(kind, (name,), f"{name} {what}", (look.entry,))


def _label(look: Look, allowed: Charset | None, case: str, to_height: int, to_width: int, resize: str):
    """Yields (kind, what is wrong) of one label."""
    text = normalize(look.entry.text, case)
    if not text.strip():
        yield "empty", "has an empty label"
        return
    strangers = allowed.strangers(text) if allowed else []
    if strangers:
        yield "unknown", f"has the label {text!r} with {', '.join(map(repr, strangers))}"
    unseen, turned = labels.unseen(look.entry.text), labels.right_to_left(text)
    if unseen:
        yield "unusable", f"has the label {look.entry.text!r} with {', '.join(unseen)}: what nobody sees"
    if turned:
        yield "unusable", f"has right-to-left text, {labels.code_point(turned)}: frames are read from left to right"
    width, height = look.size
    frames = -(-images.fitted_width(height, width, to_height, to_width, resize) // FRAME_STRIDE)
    if frames_needed(text) > frames:
        yield "too_long", f"has the label {text!r}, which needs {frames_needed(text)} frames but gets {frames}"


def _alike(entries: list[Entry]) -> Iterator[Finding]:
    """Characters of several labels, of which all but the plain ones are too many."""
    for plain, *others in labels.alike(entry.text for entry in entries):
        drop = tuple(entry for entry in entries if any(c in entry.text for c in others))
        named = ", ".join(map(labels.code_point, others))
        message = f"{len(drop)} label(s) have {named} where others have {labels.code_point(plain)}"
        yield Finding("unusable", tuple(_printable(entry.name) for entry in drop), message, drop)


# equal pictures


def _twins(looks: list[Look], case: str) -> Iterator[Finding]:
    groups = defaultdict(list)
    for look in looks:
        groups[look.digest].append(look.entry)
    for group in groups.values():
        if len(group) > 1:
            yield from _twin(group, {normalize(entry.text, case) for entry in group if entry.text is not None})


def _twin(group: list[Entry], texts: set[str]) -> Iterator[Finding]:
    files = tuple(_printable(entry.name) for entry in group)
    more = f" and {len(group) - 4} more" if len(group) > 4 else ""
    leaking = _leaks(group)
    if len(texts) > 1:
        named = [f"{_printable(entry.name)} {entry.text!r}" for entry in group if entry.text is not None]
        yield Finding("conflicts", files, ", ".join(named[:4]) + more, tuple(group))
    if leaking:
        named = [f"{file} ({_part(entry)})" for file, entry in zip(files, group)]
        kept = min(group, key=_held_out)
        drop = tuple(entry for entry in group if (entry.source, entry.split) != (kept.source, kept.split))
        yield Finding("leaks", files, ", ".join(named[:4]) + more, drop)
    if len(texts) < 2 and not leaking:
        yield Finding("duplicates", files, ", ".join(files[:4]) + more)


def _leaks(group: list[Entry]) -> bool:
    """Whether what is measured or chooses may have been trained on. Images without labels are trained on too."""
    parts = {(entry.source, entry.split) for entry in group if entry.text is not None}
    held = any(split in HELD_OUT for _, split in parts)
    return len(parts) > 1 or (held and any(entry.text is None for entry in group))


def _part(entry: Entry) -> str:
    return f"{entry.source}, {entry.split or ('no label' if entry.text is None else 'no split')}"


def _held_out(entry: Entry) -> int:
    """The order in which equal pictures are kept: test, validation, then what is trained on, then the rest."""
    if entry.text is None:
        return 3
    return HELD_OUT.index(entry.split) if entry.split in HELD_OUT else 2


# a summary


def _summary(entries: list[Entry], looks: list[Look], case: str) -> dict:
    sources: dict[str, Counter] = defaultdict(Counter)
    for entry in entries:
        sources[entry.source]["unlabelled" if entry.text is None else entry.split or "no split"] += 1
    texts = [normalize(entry.text, case) for entry in entries if entry.text is not None]
    characters = Counter("".join(texts))
    return {
        "images": len(entries),
        "labelled": len(texts),
        "sources": {source: dict(splits) for source, splits in sources.items()},
        "sizes": _sizes(Counter(look.size for look in looks)),
        "label_lengths": dict(sorted(Counter(map(len, texts)).items())),
        "charset": _printable("".join(sorted(characters))),
        "seen_once": _printable("".join(sorted(character for character, n in characters.items() if n == 1))),
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


def _clean(readable: list[Entry], findings: list[Finding], fix: Path) -> list[Entry]:
    """Labelled rows, or, where nothing is labelled, all images, as pretraining takes them."""
    dropped = {entry for finding in findings for entry in finding.drop}
    clean = [entry for entry in readable if entry not in dropped]
    rows = [entry for entry in clean if entry.text is not None] or clean
    if not rows:
        raise UserError(f"{fix} would be empty, for every row has something wrong: look at the findings without --fix")
    return rows
