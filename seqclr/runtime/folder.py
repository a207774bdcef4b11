"""The folder of an export: reader.json says what it holds, with a digest of every file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from seqclr import __version__, readers
from seqclr.data.charset import Charset
from seqclr.data.knowledge import Known
from seqclr.data.sums import ANSWERS
from seqclr.errors import UserError
from seqclr.files import atomic_write, exists

VERSION = 1  # of reader.json and the inputs and outputs of the graphs
NAME, CHARSET, ENCODER = "reader.json", "charset.json", "encoder.onnx"
FORMATS = {"savedmodel": "saved_model.pb", "onnx": "model.onnx", "litert": "model.tflite"}  # with the main file of each


@dataclasses.dataclass(frozen=True)
class Facts:
    """What reader.json says of an export.

    charset: the known characters that it was exported with. length: the lengths that it predicts: those that it was
    exported with, or those of an adapted run. given: the former alone; older exports lack it. lengths: those of the
    labels that it was trained on. threshold: the confidence from which its predictions are accepted. None where nothing
    is known. answer: what `seqclr` predicts with it, one of ANSWERS; the graph gives texts in any case. files: SHA-256
    of charset.json and of every file of the graph, by its path in the folder.
    """

    format: str
    height: int
    width: int
    resize: str
    int8: bool = False
    charset: str | None = None
    length: tuple[int, ...] | None = None
    lengths: tuple[int, ...] | None = None
    threshold: float | None = None
    answer: str = "text"
    given: tuple[int, ...] | None = None
    files: dict[str, str] = dataclasses.field(default_factory=dict)

    @property
    def known(self) -> Known:
        return Known(self.charset, self.length)

    def save(self, folder: Path, names: list[str]) -> None:
        """Writes reader.json with the digests of files of the folder."""
        digests = {name: digest(folder / name) for name in names}
        values = {"seqclr": __version__, "version": VERSION, **dataclasses.asdict(self), "files": digests}
        with atomic_write(folder / NAME) as stream:
            stream.write(json.dumps(values, ensure_ascii=False, indent=1) + "\n")


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def is_export(folder: Path) -> bool:
    """Whether a folder holds an export, perhaps an incomplete one."""
    return any(exists(folder / name) for name in (NAME, *FORMATS.values()))


def why_no_run(folder: Path) -> str:
    """Why a path without a config.yaml is not a run, and what to give instead."""
    if is_export(folder):
        return "it is an export, so give the fine-tuning run that was exported"
    if exists(folder / ENCODER):
        return "it is an exported encoder, which predicts no text: its model_card.md shows how it is used"
    inside = next((above for above in folder.parents[:2] if (above / "config.yaml").is_file()), None)
    if inside and folder.exists():
        return f"it is inside a run, so give {inside}"
    if not folder.exists():
        return readers.NOT_FOUND
    return "it has no config.yaml" if folder.is_dir() else "it is a file"


def load(folder: Path) -> tuple[Facts, Charset]:
    """The facts and the charset of an export.

    Raises UserError for an export of another version, for a missing file, and for one with another digest.
    """
    if not exists(folder / NAME):
        raise UserError(f"{folder} has no {NAME}: it is half copied, or an export of an older version: export it again")
    values = _values(folder / NAME)
    if values.pop("version", None) != VERSION:
        made = f"made by seqclr {values.get('seqclr', '?')}"
        raise UserError(f"{folder} is an export of another version, {made}: export it again with {__version__}")
    values.pop("seqclr", None)
    try:
        facts = Facts(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
        _check(facts)
    except (TypeError, ValueError) as error:
        raise UserError(f"{folder / NAME} is damaged ({error}): export it again") from None
    for name, wanted in facts.files.items():
        if not exists(folder / name):
            raise UserError(f"{folder} has no {name}: it is half copied, so copy it again")
        if digest(folder / name) != wanted:
            raise UserError(f"{folder / name} has another content than when it was exported: copy the export again")
    return facts, Charset.load(folder / CHARSET)


def _values(file: Path) -> dict[str, Any]:
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read ({error}): copy the export again") from None
    if not isinstance(values, dict):
        raise UserError(f"{file} is damaged (no JSON object): copy the export again")
    return values


def _check(facts: Facts) -> None:
    """Raises ValueError for a value of a wrong type or range, and a file outside of the folder."""
    if not isinstance(facts.files, dict):
        raise ValueError(f"files {facts.files}")
    if facts.format not in FORMATS:
        raise ValueError(f"format {facts.format}")
    for name in (FORMATS[facts.format], CHARSET):
        if name not in facts.files:
            raise ValueError(f"no digest of {name}")
    for name in ("height", "width"):
        if not isinstance(getattr(facts, name), int) or getattr(facts, name) < 1:
            raise ValueError(f"{name} {getattr(facts, name)}")
    if facts.resize not in ("stretch", "pad"):
        raise ValueError(f"resize {facts.resize}")
    if not isinstance(facts.threshold, float | int | None):
        raise ValueError(f"threshold {facts.threshold}")
    if facts.answer not in ANSWERS:
        raise ValueError(f"answer {facts.answer}")
    for name in ("length", "lengths", "given"):
        lengths = getattr(facts, name)
        if lengths is not None and not (isinstance(lengths, tuple) and all(isinstance(n, int) for n in lengths)):
            raise ValueError(f"{name} {lengths}")
    for name in facts.files:
        if Path(name).is_absolute() or ".." in Path(name).parts:
            raise ValueError(f"the file {name}")
