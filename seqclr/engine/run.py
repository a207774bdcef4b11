"""A run: a folder with config.yaml, charset.json, metrics.csv, checkpoints/ and plots/."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from seqclr import config as configuration
from seqclr import files
from seqclr.engine import checkpoints
from seqclr.errors import UserError


class Run:
    """The folder of one training.

    `Run.check_free` takes one that is yet to be made, `Run.open` one that exists.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config_file = self.folder / "config.yaml"
        self.charset_file = self.folder / "charset.json"
        self.metrics_file = self.folder / "metrics.csv"
        self.checkpoints = self.folder / "checkpoints"
        self.plots = self.folder / "plots"

    @classmethod
    def check_free(cls, folder: str | Path) -> Run:
        """Raises UserError if there is something in the folder but what was left half written; makes nothing."""
        run = cls(folder)
        if run.folder.exists() and not (
            run.folder.is_dir() and all(path.suffix == files.PARTIAL for path in run.folder.iterdir())
        ):
            raise UserError(f"{folder} exists already: continue it with --resume, or choose another --output")
        check_can_make(run.folder)
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        run = cls(folder)
        if not run.folder.is_dir():
            raise UserError(f"{folder} is not a run: there is no such folder")
        if not run.config_file.is_file():
            raise UserError(f"{folder} is not a run: it has no config.yaml")
        return run

    def create(self, config) -> None:
        """Makes the folder, config.yaml first: a run that is killed here can be made anew before it, resumed after."""
        check_can_make(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.rglob(f"*{files.PARTIAL}"):
            left.unlink()
        with files.whole(self.config_file) as stream:
            configuration.save(config, stream)
        self.checkpoints.mkdir(exist_ok=True)
        self.plots.mkdir(exist_ok=True)

    def discard(self) -> None:
        """Removes what `create` made, if nothing was learned yet: what a first step refuses can be begun anew."""
        if self.config_file.is_file() and not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.folder)

    def config(self) -> SimpleNamespace:
        """The resolved configuration, as written; what every training has is there and of the right type."""
        values = configuration.load_yaml(self.config_file)
        common = {field.name for field in dataclasses.fields(configuration.RunConfig)}
        try:
            typed = configuration.resolve(
                configuration.RunConfig, None, [{key: value for key, value in values.items() if key in common}]
            )
        except UserError as error:
            raise UserError(f"{self.config_file}: {error}") from None
        return SimpleNamespace(**{**values, **dataclasses.asdict(typed)})

    def best(self) -> tuple[Path, dict[str, np.ndarray]]:
        """The checkpoint that validated best, or the newest where nothing was validated: its path and arrays.

        Where a copy of the weights is the run's result, such as a teacher, it stands in place of the weights.
        """
        best = self.checkpoints / "best.npz"
        found = (best, *checkpoints.load(best)) if best.is_file() else checkpoints.load_newest(self.checkpoints)
        if found is None:
            raise UserError(f"{self.folder} has no checkpoint yet: train it first, or again from the start elsewhere")
        path, arrays, state = found
        return path, {**arrays, **{name: arrays[copy] for name, copy in state.get("result", {}).items()}}


def check_can_make(path: Path) -> None:
    """Raises UserError if a file or folder cannot be made at the path; makes nothing."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"{path} cannot be made: {above} is a file")
    if not os.access(above, os.W_OK):
        raise UserError(f"{path} cannot be made: {above} is not writable")
