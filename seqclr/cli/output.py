"""Output files of verbs, and the JSON files of metrics."""

from __future__ import annotations

import json
import os
from pathlib import Path

from seqclr import __version__, files
from seqclr.errors import UserError

START = b'{\n "seqclr": '  # the first bytes of a JSON file of metrics


def writable(file: str) -> str:
    """The file. Raises UserError, before the work starts, where it cannot be written."""
    folder = Path(file).parent
    if not files.exists(folder) or not folder.is_dir():
        raise UserError(f"{file} cannot be written: there is no folder {folder}")
    files.check_can_make(Path(file))
    if Path(file).is_dir():
        raise UserError(f"{file} cannot be written: it is a folder")
    return file


def figures_file(file: str) -> str:
    """The file. Raises UserError also where it exists and `write_figures` has not written it."""
    path = Path(writable(file))
    if path.is_file():
        with open(path, "rb") as stream:
            if stream.read(len(START)) != START:
                raise UserError(f"{file} exists already and was not written by seqclr: choose another --json")
    return file


def check_apart(file: str | None, name: str, folder: str | None) -> None:
    """Raises UserError where the JSON file has the path of an output folder."""
    if file is not None and folder is not None and os.path.abspath(file) == os.path.abspath(folder):
        raise UserError(f"--json {file} is the folder of --{name}: choose another --json")


def write_figures(figures: dict, file: str | None) -> None:
    """Writes metrics as JSON. Raises OSError where they cannot be written."""
    if file is None:
        return
    text = json.dumps({"seqclr": __version__, **figures}, indent=1, ensure_ascii=False) + "\n"
    content = text.encode("utf-8", "backslashreplace")  # a file name that is not UTF-8 becomes an escape of JSON
    if Path(file).exists() and not Path(file).is_file():  # such as /dev/stdout
        Path(file).write_bytes(content)
        return
    with files.atomic_write(Path(file), binary=True) as stream:
        stream.write(content)
