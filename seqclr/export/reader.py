"""Loads the recognizer of a run, or an export."""

from __future__ import annotations

from pathlib import Path

from seqclr.export.savedmodel import Exported
from seqclr.files import exists
from seqclr.recognition.recognizer import Recognizer
from seqclr.runtime.folder import is_export
from seqclr.runtime.reader import ExportedReader, Reader


def load_reader(model: str | Path) -> Reader:
    """Loads the recognizer of a run, or an export. Raises UserError for anything else."""
    folder = Path(model)
    if exists(folder / "saved_model.pb"):
        return Exported(folder)
    return ExportedReader(folder) if is_export(folder) else Recognizer.load(model)
