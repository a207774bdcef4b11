"""What looks at training: Keras callbacks."""

from __future__ import annotations

import csv
from pathlib import Path

import keras
from tqdm import tqdm

from seqclr.engine.run import Run
from seqclr.errors import UserError


def standard(run: Run, config) -> list[keras.callbacks.Callback]:
    """A line per round on the screen and in metrics.csv, curves, TensorBoard where it is asked for."""
    callbacks = [Report(), keras.callbacks.CSVLogger(str(run.metrics_file), append=True), Curves(run)]
    if config.tensorboard:
        try:
            import tensorboard  # noqa: F401
        except ImportError:
            raise UserError("tensorboard=true needs the extra: pip install 'seqclr[tensorboard]'") from None
        callbacks.append(keras.callbacks.TensorBoard(str(run.folder / "tensorboard"), write_graph=False))
    return callbacks


class Report(keras.callbacks.Callback):
    """One line per round above the progress bar."""

    def on_epoch_end(self, epoch, logs=None):
        tqdm.write("  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items()))


class Curves(keras.callbacks.Callback):
    """Draws metrics.csv to plots/metrics.png, one panel a figure over the steps."""

    def __init__(self, run: Run):
        super().__init__()
        self.source, self.target = run.metrics_file, run.plots / "metrics.png"

    def on_train_end(self, logs=None):
        draw_curves(self.source, self.target)


def draw_curves(source: Path, target: Path) -> None:
    from matplotlib.figure import Figure

    with open(source, newline="") as stream:
        rows = list(csv.DictReader(stream))
    names = [name for name in (rows[0] if rows else {}) if name not in ("epoch", "step", "passes")]
    if not names:
        return
    figure = Figure(figsize=(4 * len(names), 3), layout="constrained")
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names):
        axes.plot([float(row["step"]) for row in rows], [float(row[name]) for row in rows])
        axes.set(title=name, xlabel="step")
        axes.grid(alpha=0.3)
    figure.savefig(target, dpi=100)
