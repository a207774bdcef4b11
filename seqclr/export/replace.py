"""Replaces an export by that of another run; the old one stays beside it."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

from seqclr.data.knowledge import Known
from seqclr.errors import UserError
from seqclr.export.folder import export
from seqclr.files import check_can_make, exists
from seqclr.runtime.folder import NAME, Facts, load


def replaceable(target: Path) -> Facts:
    """The facts of the export. Raises UserError where there is none, or it cannot be replaced."""
    if not exists(target / NAME):
        raise UserError(f"{target} is not an export, so there is none to replace: write it with seqclr export first")
    check_can_make(beside(target))
    return load(target)[0]


def replace(run: str | Path, target: Path) -> Path:
    """Exports a run in the format of an export, instead of it; returns the folder that the old one has now.

    It is exported with the characters and lengths that a user gave; other lengths are those of the new run.
    The new one is complete and checked when it gets the name, so that a server loads it as a whole.
    """
    facts, made = replaceable(target), beside(target)
    shutil.rmtree(made, ignore_errors=True)  # what an interrupted attempt has left
    export(run, made, facts.format, facts.int8, Known(facts.charset, facts.given), answer=facts.answer)
    names = (target.with_name(f"{target.name}.old-{number}") for number in itertools.count(1))
    old = next(path for path in names if not exists(path))
    target.rename(old)
    try:
        made.rename(target)
    except OSError:
        old.rename(target)
        raise
    return old


def beside(target: Path) -> Path:
    """A hidden folder that only `replace` writes."""
    return target.with_name(f".{target.name}.new")
