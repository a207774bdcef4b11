"""Loads the recognizer of a run, or an export."""

from __future__ import annotations

from pathlib import Path

from seqclr.export.savedmodel import Exported
from seqclr.files import exists
from seqclr.recognition.evaluate import Reader
from seqclr.recognition.recognizer import Recognizer


def load_reader(model: str | Path) -> Reader:
    """Loads the recognizer of a run, or an export. Raises UserError for anything else."""
    folder = Path(model)
    return Exported(folder) if exists(folder / "saved_model.pb") else Recognizer.load(model)
