"""Keras callbacks that report, plot and profile a training."""

from __future__ import annotations

import csv
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqclr import files
from seqclr.data.loader import as_batch
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.messages import FIGURES
from seqclr.methods.base import Method
from seqclr.visualization.sheet import sheet

EXAMPLES = 8  # rows of a preview
WORDS = ("warning",)  # logs that are no numbers
FEW = 10  # points of a curve that are marked; a single one is invisible otherwise


def standard(run: Run, profile: bool = False, tensorboard: bool = False) -> list[keras.callbacks.Callback]:
    """The callbacks of every run: a line per round on the screen and in metrics.csv, curves, and those asked for.

    Raises UserError where TensorBoard is asked for and not installed.
    """
    callbacks = [Report(), Metrics(run.metrics_file), Curves(run)]
    if profile:
        callbacks.append(Profile(run.folder / "profile"))
    if tensorboard:
        if importlib.util.find_spec("tensorboard") is None:
            raise UserError("tensorboard=true needs the extra: pip install 'seqclr[tensorboard]'")
        callbacks.append(TensorBoard(str(run.folder / "tensorboard"), write_graph=False))
    return callbacks


def ordered(logs: dict) -> dict:
    """The logs with step and passes first; Keras sorts logs by name and makes them floats."""
    first = {"step": int(logs["step"]), "passes": logs["passes"]}
    return first | {name: value for name, value in logs.items() if name not in first}


def grouped(names: Iterable[str]) -> dict[str, list[str]]:
    """The names of figures by group: `monitor/rank` is in `monitor`, a name without a slash in `metrics`."""
    groups: dict[str, list[str]] = {}
    for name in names:
        if name not in WORDS:
            groups.setdefault(name.rpartition("/")[0] or "metrics", []).append(name)
    return groups


class Report(keras.callbacks.Callback):
    """One line per round above the progress bar, of the names without a slash; all others are in metrics.csv only."""

    def on_epoch_end(self, epoch, logs=None):
        logs = ordered(logs)
        FIGURES.info("  ".join(f"{name} {logs[name]:.4g}" for name in grouped(logs)["metrics"]))


class Metrics(keras.callbacks.Callback):
    """Writes a row per round to metrics.csv; a resumed run first drops the rows of rounds that it repeats."""

    def __init__(self, file: Path):
        super().__init__()
        self.file, self.rows = file, []

    def on_epoch_end(self, epoch, logs=None):
        self.rows.append(ordered(logs))
        names = dict.fromkeys(name for row in self.rows for name in row)
        with files.atomic_write(self.file) as stream:
            writer = csv.DictWriter(stream, names)
            writer.writeheader()
            writer.writerows(self.rows)

    def get_state(self) -> list:
        return self.rows

    def set_state(self, state: list) -> None:
        self.rows = state


class Curves(keras.callbacks.Callback):
    """Plots metrics.csv over the steps: a file per group, such as `plots/metrics.png`, a panel per figure."""

    def __init__(self, run: Run):
        super().__init__()
        self.source, self.folder = run.metrics_file, run.plots

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 10 == 9:  # half a second each
            draw_curves(self.source, self.folder)

    def on_train_end(self, logs=None):
        draw_curves(self.source, self.folder)


class Previews(keras.callbacks.Callback):
    """Draws `plots/task.png`: inputs, targets and outputs of the network for a few images.

    records: of the image dataset; the method's transform makes examples of the first ones, the same every time.
    """

    def __init__(self, run: Run, method: Method, records: Sequence, views: str):
        super().__init__()
        transform, count = method.make_transform(views), min(EXAMPLES, len(records))
        self.method, self.file = method, run.plots / "task.png"
        self.batch = as_batch([transform(records[i], np.random.default_rng(i)) for i in range(count)])

    def on_epoch_end(self, epoch, logs=None):
        if epoch % 10 == 9:
            self.on_train_end()

    def on_train_end(self, logs=None):
        sheet({**self.method.preview_inputs(self.batch), **self.method.preview_outputs(self.batch)}, self.file)


class Profile(keras.callbacks.Callback):
    """Records a profile of steps 11 to 20, after the first ones have compiled all functions."""

    first, last = 10, 19

    def __init__(self, folder: Path):
        super().__init__()
        self.folder, self.running = folder, False

    def on_train_batch_begin(self, batch, logs=None):
        if batch == self.first:
            tf.profiler.experimental.start(str(self.folder))
            self.running = True

    def on_train_batch_end(self, batch, logs=None):
        if self.running and batch == self.last:
            self.on_train_end()

    def on_train_end(self, logs=None):
        if self.running:
            tf.profiler.experimental.stop()
            self.running = False


def draw_curves(source: Path, folder: Path) -> None:
    from matplotlib.figure import Figure

    with open(source, newline="") as stream:
        rows = list(csv.DictReader(stream))
    for group, names in grouped(name for name in rows[0] if name not in ("step", "passes")).items():
        across = min(4, len(names))
        down = -(-len(names) // across)
        figure = Figure(figsize=(4 * across, 3 * down), layout="constrained")
        for position, name in enumerate(names, 1):
            points = [(float(row["step"]), float(row[name])) for row in rows if row[name]]
            axes = figure.add_subplot(down, across, position)
            axes.plot(*zip(*points), marker="o" if len(points) <= FEW else "")
            axes.set(title=name, xlabel="step")
            axes.set_xlim(left=0)  # shows for how long a single point was trained
            axes.grid(alpha=0.3)
        with files.atomic_write(folder / f"{group}.png", binary=True) as stream:
            figure.savefig(stream, dpi=100)


class TensorBoard(keras.callbacks.TensorBoard):
    """Keras' own callback, without the logs that are no numbers, which it cannot write."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, {name: value for name, value in logs.items() if name not in WORDS})
