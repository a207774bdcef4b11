"""Loads the recognizer of a run, or an export. Imports TensorFlow only for those that need it."""

from __future__ import annotations

from pathlib import Path

from seqclr import readers
from seqclr.errors import UserError
from seqclr.extras import required
from seqclr.files import exists
from seqclr.runtime.folder import FORMATS, is_export, why_no_run
from seqclr.runtime.reader import ExportedReader, Reader


def needs_tensorflow(model: str | Path, search: bool = False) -> bool:
    """Whether a reader is a run or a SavedModel. search: for a beam search, of which exports are incapable."""
    folder = readers.folder_of(model)
    run, export = exists(folder / "config.yaml"), is_export(folder)  # a reader of the package is both
    return run and (search or not export) or exists(folder / FORMATS["savedmodel"])


def load_reader(model: str | Path, search: bool = False) -> Reader:
    """Loads the recognizer of a run, or an export. Raises UserError for anything else.

    search: load a reader of the package as a run, for a beam search.
    """
    folder = readers.folder_of(model)
    if not (exists(folder / "config.yaml") or is_export(folder)):
        raise UserError(f"{model} is not a run or an export: {why_no_run(folder)}")
    if not needs_tensorflow(model, search):
        return ExportedReader(folder)
    if exists(folder / FORMATS["savedmodel"]):
        with required(f"{model}, a SavedModel,"):
            from seqclr.export.savedmodel import Exported
        return Exported(folder)
    with required("a beam search" if is_export(folder) else f"{model} is not an export, and a run"):
        from seqclr.recognition.recognizer import Recognizer
    return Recognizer.load(model)
