"""The files that a verb writes its figures to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from seqclr import __version__, files
from seqclr.errors import UserError

FIGURES = b'{\n "seqclr": '  # how a file of figures begins


def writable(file: str) -> str:
    """The file, refused before the work where it could not be written after it."""
    folder = Path(file).parent
    if not files.exists(folder) or not folder.is_dir():
        raise UserError(f"{file} cannot be written: there is no folder {folder}")
    files.check_can_make(Path(file))
    if Path(file).is_dir():
        raise UserError(f"{file} cannot be written: it is a folder")
    return file


def figures_file(file: str) -> str:
    """The file, refused too where there is one that `report` has not written."""
    path = Path(writable(file))
    if path.is_file():
        with open(path, "rb") as stream:
            if stream.read(len(FIGURES)) != FIGURES:
                raise UserError(f"{file} exists already and holds no figures of seqclr: choose another --json")
    return file


def check_apart(file: str | None, name: str, folder: str | None) -> None:
    """Raises UserError where the figures would go to the path that becomes a folder."""
    if file is not None and folder is not None and os.path.abspath(file) == os.path.abspath(folder):
        raise UserError(f"--json {file} is the folder of --{name}: choose another --json")


def write_figures(figures: dict, file: str | None) -> None:
    """Writes the figures; raises OSError where they cannot be written."""
    if file is None:
        return
    text = json.dumps({"seqclr": __version__, **figures}, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")  # \\udcff of a name is an escape of JSON too
    if Path(file).exists() and not Path(file).is_file():  # such as /dev/stdout
        Path(file).write_bytes(content)
        return
    with files.atomic_write(Path(file), binary=True) as stream:
        stream.write(content)
