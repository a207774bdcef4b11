"""A run: a folder with config.yaml, metrics.csv, checkpoints/, plots/, and of a reader charset.json, decision.json and
known_labels.npy."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from seqclr import config as configuration
from seqclr import files, readers
from seqclr.data.charset import Charset
from seqclr.engine import checkpoints
from seqclr.errors import UserError
from seqclr.runtime.folder import why_no_run

# folders and files of a run
FOLDERS = ("checkpoints", "plots", "profile", "tensorboard")
FILES = (
    "config.yaml", "charset.json", "decision.json", "known_labels.npy", "metrics.csv", ".lock", "checkpoints/best.npz",
)  # fmt: skip
ARCHITECTURE = ("encoder", "height", "width", "resize", "positions", "channels")


class Run:
    """The folder of a training run.

    `Run.check_free` returns a new one, `Run.open` an existing one. The process that writes holds a lock from `claim` to
    `release`.
    """

    def __init__(self, folder: str | Path):
        self.folder = Path(folder)
        self.config_file = self.folder / "config.yaml"
        self.charset_file = self.folder / "charset.json"
        self.decision_file = self.folder / "decision.json"
        self.known_labels_file = self.folder / "known_labels.npy"
        self.metrics_file = self.folder / "metrics.csv"
        self.checkpoints = self.folder / "checkpoints"
        self.plots = self.folder / "plots"
        self._lock_file, self._lock = self.folder / ".lock", None

    @classmethod
    def check_free(cls, folder: str | Path) -> Run:
        """Raises UserError if the folder holds anything but partial files. Creates nothing."""
        run = cls(folder)
        if files.exists(run.folder) and not (
            run.folder.is_dir()
            and all(path.suffix == files.PARTIAL or path == run._lock_file for path in run.folder.iterdir())
        ):
            raise UserError(f"{folder} exists already: continue it with --resume, or choose another --output")
        files.check_can_make(run.folder)
        return run

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """The run in a folder, or the released reader of a name.

        Raises UserError if there is none, or a file or folder of it is of the wrong type.
        """
        run = cls(readers.folder_of(folder))
        if not files.exists(run.config_file):
            raise UserError(f"{folder} is not a run: {why_no_run(run.folder)}")
        for name in FOLDERS:
            if (run.folder / name).is_file():
                raise UserError(f"{run.folder / name} is a file where a run has a folder: move it out of the run")
        for name in FILES:
            if (run.folder / name).is_dir():
                raise UserError(f"{run.folder / name} is a folder where a run has a file: move it out of the run")
        return run

    @classmethod
    def open_own(cls, folder: str | Path) -> Run:
        """The run in a folder, to continue its training. Raises UserError as `open`, and for a released reader."""
        if readers.is_released(folder):
            raise UserError(
                f"{folder} is a reader of the package, which is not trained in place: give another --output"
            )
        return cls.open(folder)

    def check_unclaimed(self) -> Run:
        """Raises UserError if another process is training in the folder."""
        if self._lock_file.exists():
            files.Lock(self._lock_file, self.folder).close()
        return self

    def claim(self, new: bool) -> None:
        """Locks the folder for this process, and creates it where it is new, before `create`.

        Raises UserError where another process trains there, or has created it since `check_free`.
        """
        files.check_can_make(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = files.Lock(self._lock_file, self.folder)
        if new:
            try:
                self.check_free(self.folder)
            except UserError:
                self.release()
                raise

    def release(self) -> None:
        """Releases the lock of a claimed folder, and removes the folder if it is empty."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def create(self, config) -> None:
        """Creates the contents of the folder, config.yaml first: once it is there, a killed run can be resumed."""
        files.check_can_make(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.rglob(f"*{files.PARTIAL}"):
            left.unlink()
        with files.atomic_write(self.config_file) as stream:
            values = {name: configuration.absolute(name, value) for name, value in vars(config).items()}
            configuration.save(dataclasses.replace(config, **values), stream)
        self.checkpoints.mkdir(exist_ok=True)
        self.plots.mkdir(exist_ok=True)

    def discard(self) -> None:
        """Removes a claimed folder without checkpoints, so that a run refused at its first step can start again."""
        if self._lock is not None and self.config_file.is_file() and not any(self.checkpoints.iterdir()):
            shutil.rmtree(self.folder, ignore_errors=True)  # the lock may stay, as an open file

    def config(self) -> SimpleNamespace:
        """The resolved configuration as written; the keys of RunConfig are present and typed."""
        values = configuration.load_yaml(self.config_file)
        common = {field.name for field in dataclasses.fields(configuration.RunConfig)}
        try:
            typed = configuration.resolve(
                configuration.RunConfig, None, [{key: value for key, value in values.items() if key in common}]
            )
        except UserError as error:
            raise UserError(f"{self.config_file}: {error}") from None
        return SimpleNamespace(**{**values, **dataclasses.asdict(typed)})

    def facts(self) -> dict:
        """The facts that the weights depend on: the architecture keys, and the charset with its order."""
        config = self.config()
        facts = {key: getattr(config, key) for key in ARCHITECTURE}
        return facts | ({"charset": Charset.load(self.charset_file).characters} if self.charset_file.is_file() else {})

    def check_own(self, path: Path, state: dict) -> None:
        """Raises UserError for a checkpoint that was written with other facts than those of the folder."""
        facts = self.facts()
        for name, value in state.get("facts", {}).items():
            if facts.get(name) != value:
                of = f"of another {'charset' if name == 'charset' else 'architecture'}"
                raise UserError(
                    f"{path} is {of}: it was trained with {name} {value}, and its run has {facts.get(name)} now: "
                    "restore the original files, or use another run"
                )

    def best(self) -> tuple[Path, dict[str, np.ndarray]]:
        """The path and arrays of the checkpoint that validated best, or of the newest without validation.

        Where averaged weights are the run's result, such as those of a teacher, they replace the weights.
        """
        best = self.checkpoints / "best.npz"
        found = (best, *checkpoints.load(best)) if best.is_file() else checkpoints.load_newest(self.checkpoints)
        if found is None:
            raise UserError(f"{self.folder} has no checkpoint yet: resume it, or train again with another --output")
        path, arrays, state = found
        self.check_own(path, state)
        return path, {**arrays, **{name: arrays[copy] for name, copy in state.get("result", {}).items()}}
