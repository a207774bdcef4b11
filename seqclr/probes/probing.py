"""Probes of a frozen encoder: of a run, and beside a pretraining."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from seqclr.config import check_range
from seqclr.data.discovery import find
from seqclr.data.samples import count_splits
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.nn.image_encoders import IMAGE_ENCODERS
from seqclr.nn.momentum import in_place
from seqclr.nn.policy import kept_policy
from seqclr.probes.ctc import CTCProbe
from seqclr.probes.knn import KNNProbe
from seqclr.probes.linear import LinearProbe
from seqclr.probes.rows import Probe, divide
from seqclr.recognition.splits import subsample

LEAST = {"labels": 1, "seed": 0, "steps": 1, "k": 1, "temperature": 1e-3}
PROBES = {cls.kind: cls for cls in (CTCProbe, LinearProbe, KNNProbe)}


def find_kind(kind: str | None, encoder: str) -> type[Probe]:
    """The probe of that kind; of None, ctc for a text encoder and knn for one of images. Raises UserError for another
    kind, and for one that the encoder is not for."""
    pictures = encoder in IMAGE_ENCODERS
    kind = kind or ("knn" if pictures else "ctc")
    if kind not in PROBES:
        raise UserError(f"probe_kind '{kind}' is not known: {', '.join(PROBES)}")
    if kind == "ctc" and pictures:
        raise UserError(f"a probe of kind ctc reads lines, and {encoder} encodes pictures: take knn or linear")
    return PROBES[kind]


@kept_policy()
def probe(
    model: str,
    data: Sequence[str],
    kind: str | None = None,
    layer: str = "transformer",
    split: str | None = None,
    label_pattern: str | None = None,
    labels: int | None = None,
    seed: int = 0,
    untrained: bool = False,
    **options,
) -> dict:
    """All measures of a probe of a run's encoder, in all and per source; printed, and returned.

    model: a run of any kind. data: labelled images, of which `divide` says which are read; of a `split` that is asked
    for, a fifth. kind: as `find_kind` takes it. layer: whose frames, `transformer` or `cnn`. labels: learn on so many
    of every source. untrained: the architecture of the run with new weights. options: those of the kind, `steps` of
    ctc and linear, `k` and `temperature` of knn.
    Raises UserError if an argument, the run or the data are wrong.
    """
    for name, value in {"labels": labels, "seed": seed, **options}.items():
        check_range(name, value, LEAST[name])
    config = Run.open(model).config()
    cls = find_kind(kind, config.encoder)
    for name in options:
        if name not in cls.options:
            raise UserError(f"{name} is no option of kind {cls.kind}: it has {', '.join(cls.options)}")
    train, held = divide(find(data, split, label_pattern), seed, by_split=split is None)
    rows = cls(subsample(train, labels, seed), held, config, **options)
    keras.mixed_precision.set_global_policy("float32")  # as evaluate reads: the same on every processor
    keras.utils.set_random_seed(seed)
    encoder = setup.make_encoder(config, None if untrained else model)
    figures = {
        "model": str(model),
        "untrained": untrained,
        "kind": cls.kind,
        "layer": layer,
        **{name: getattr(rows, name) for name in cls.options},
        "seed": seed,
        "labels": len(rows.train),
        **rows.measure(rows.read(encoder, layer, seed)),
    }
    print(rows.table(figures))
    weights = "new weights" if untrained else "as trained"
    evaluated = count_splits(rows.held.samples)
    print(f"{cls.kind} on frozen {layer} frames, {weights}; {len(rows.train)} labels, read: {evaluated}")
    return figures


def find_rows(config) -> Probe:
    """The rows that a pretraining (a resolved PretrainConfig) probes with, none of split `test`: those of split
    `validation` are read, or else a fifth."""
    cls = find_kind(config.probe_kind, config.encoder)
    samples = [sample for sample in find([config.probe]) if sample.split != "test"]
    return cls(*divide(subsample(samples, config.probe_labels, config.seed), config.seed), config)


class Probing(keras.callbacks.Callback):
    """Probes the encoder of a pretraining every so many rounds and after the last, and keeps the best as `best.npz`.

    every: rounds; None for about ten probes in the run. A run has the same weights with it and without, as it
    draws nothing from what the training draws from. The caller sets `trainer`.
    """

    def __init__(self, rows: Probe, method: Method, every: int | None = None):
        super().__init__()
        self.rows, self.method, self.every = rows, method, every
        self.trainer: Trainer | None = None
        self.best, self.best_step = -1.0, 0

    def on_epoch_end(self, epoch, logs=None):
        trainer = self.trainer
        every = self.every or -(-trainer.total // trainer.round // 10)
        if (epoch + 1) % every and trainer.step < trainer.total:
            return
        with in_place(self.method.result()):
            figures = self.rows.measure(self.rows.read(self.method.encoder, self.method.layer))
        logs.update({f"probe_{name}": figures[name] for name in self.rows.measures})
        if figures[self.rows.measures[0]] >= self.best:
            self.best, self.best_step = figures[self.rows.measures[0]], trainer.step
            trainer.save("best")

    def get_state(self) -> dict:
        return {"best": self.best, "best_step": self.best_step}

    def set_state(self, state: dict) -> None:
        self.best, self.best_step = state["best"], state["best_step"]
