"""A run: a folder with config.yaml, charset.json, metrics.csv, checkpoints/ and plots/."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from omegaconf import OmegaConf

from seqclr import config as configuration
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
        """Raises UserError if there is something in the folder; makes nothing."""
        run = cls(folder)
        if run.folder.exists() and (not run.folder.is_dir() or any(run.folder.iterdir())):
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
        check_can_make(self.folder)
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        self.plots.mkdir(exist_ok=True)
        beside = self.config_file.with_suffix(".partial")
        configuration.save(config, beside)
        os.replace(beside, self.config_file)

    def config(self):
        """The resolved configuration, as written; what every training has is there and of the right type."""
        values = configuration.load_yaml(self.config_file)
        common = {field.name for field in dataclasses.fields(configuration.RunConfig)}
        try:
            typed = configuration.resolve(
                configuration.RunConfig, None, [{key: value for key, value in values.items() if key in common}]
            )
        except UserError as error:
            raise UserError(f"{self.config_file}: {error}") from None
        return OmegaConf.create({**values, **dataclasses.asdict(typed)})

    def latest(self) -> Path:
        """The newest checkpoint; UserError if there is none."""
        found = checkpoints.steps(self.checkpoints)
        if not found:
            raise UserError(f"{self.folder} has no checkpoint yet: train it first, or again from the start elsewhere")
        return found[-1]

    def best(self) -> Path:
        """The checkpoint that validated best, or the newest where nothing was validated."""
        best = self.checkpoints / "best.npz"
        return best if best.is_file() else self.latest()


def check_can_make(path: Path) -> None:
    """Raises UserError if a file or folder cannot be made at the path; makes nothing."""
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise UserError(f"{path} cannot be made: {above} is a file")
    if not os.access(above, os.W_OK):
        raise UserError(f"{path} cannot be made: {above} is not writable")
