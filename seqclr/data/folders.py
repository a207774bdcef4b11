"""Image files in folders, and their texts from file names or `.gt.txt` files. Host side."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from seqclr.data import images
from seqclr.data.tables import LABELS, open_lines
from seqclr.errors import UserError
from seqclr.messages import warn

SYSTEM_FOLDERS = ("__MACOSX", "@eaDir")  # written by systems; skipped, as are folders whose name starts with a dot


def walk(folder: Path, nested_too: bool = False) -> tuple[list[Path], list[Path]]:
    """The image files below a folder, and the folders below it that have a labels.csv of their own.

    The latter are sources of their own: their images are not among the first, unless `nested_too`. Links to folders are
    followed; a folder is entered once, whatever links lead to it. Hidden folders are skipped.
    Raises UserError where the folder cannot be read; a folder below that cannot be read is skipped with a warning.
    """
    files, labelled, below_labelled = [], [], set()
    for current, names in _folders(str(folder)):
        if current != str(folder) and LABELS in names:
            labelled.append(Path(current))
            below_labelled.add(current)
        elif os.path.dirname(current) in below_labelled:
            below_labelled.add(current)
        if nested_too or current not in below_labelled:
            found = (os.path.join(current, name) for name in names if Path(name).suffix.lower() in images.SUFFIXES)
            files += [Path(file) for file in found if os.path.isfile(file)]
    return sorted(files), sorted(labelled)


def _folders(top: str) -> Iterator[tuple[str, list[str]]]:
    """Each folder from `top` down and the names of its files; linked folders come after all others, each once."""

    def report(error: OSError) -> None:
        if error.filename == top:
            raise UserError(f"{top} cannot be read ({error.strerror}): check who may read it") from None
        warn(f"skipped: {error.filename} cannot be read ({error.strerror})")

    seen, starts = set(), [top]
    for start in starts:  # grows while it is walked
        if os.path.realpath(start) in seen:
            continue
        links = []
        for current, folders, names in os.walk(start, onerror=report):
            folders[:] = [name for name in folders if not name.startswith(".") and name not in SYSTEM_FOLDERS]
            links += [path for name in folders if os.path.islink(path := os.path.join(current, name))]
            real = os.path.realpath(current)
            if real in seen:
                folders[:] = []
                continue
            seen.add(real)
            yield current, names
        starts += sorted(link for link in links if not _is_circle(link, top))


def _is_circle(link: str, top: str) -> bool:
    """Whether a link leads to the folder that is walked, or above it."""
    return Path(os.path.realpath(top)).is_relative_to(os.path.realpath(link))


def label_pattern(pattern: str) -> re.Pattern:
    """The regular expression of a pattern for file names such as `{text}_{any}.png`, with the group `text`."""
    if pattern.count("{text}") != 1:
        raise UserError(f"the pattern '{pattern}' needs {{text}} once, as in '{{text}}_{{any}}.png'")
    parts = {"{text}": "(?P<text>.+?)", "{any}": ".*?"}
    pieces = re.split(r"(\{text\}|\{any\})", pattern)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces), re.IGNORECASE)


def ground_truth_file(image: Path) -> Path:
    """The path of the `.gt.txt` file of an image, which may not exist."""
    return image.with_name(image.stem + ".gt.txt")


def read_ground_truth(file: Path) -> str:
    """The text in a `.gt.txt` file. Raises UserError where it cannot be read."""
    images.check_bytes(file.stat().st_size, str(file))
    with open_lines(file) as lines:
        return "".join(lines).strip("\r\n")
