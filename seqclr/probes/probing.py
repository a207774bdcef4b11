"""Probes of a frozen encoder: of a run, and during pretraining."""

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
from seqclr.messages import FIGURES
from seqclr.methods.base import Method
from seqclr.nn.image_encoders import IMAGE_ENCODERS
from seqclr.nn.momentum import in_place
from seqclr.nn.policy import kept_policy
from seqclr.probes.base import Probe, train_test_split
from seqclr.probes.ctc import CTCProbe
from seqclr.probes.knn import KNNProbe
from seqclr.probes.linear import LinearProbe
from seqclr.recognition.splits import probed_samples, subsample

LEAST = {"labels": 1, "seed": 0, "steps": 1, "k": 1, "temperature": 1e-3}
PROBES = {cls.kind: cls for cls in (CTCProbe, LinearProbe, KNNProbe)}


def find_kind(kind: str | None, encoder: str) -> type[Probe]:
    """The class of a probe; by default ctc for encoders of lines and knn for encoders of images.

    Raises UserError for an unknown kind, or one that does not suit the encoder.
    """
    of_images = encoder in IMAGE_ENCODERS
    kind = kind or ("knn" if of_images else "ctc")
    if kind not in PROBES:
        raise UserError(f"probe_kind '{kind}' is not known: {', '.join(PROBES)}")
    if kind == "ctc" and of_images:
        raise UserError(f"a ctc probe needs an encoder of lines, and {encoder} is one of images: use knn or linear")
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
    """Trains and evaluates a probe on a run's encoder; logs and returns all metrics, in total and per source.

    model: a run of any kind. data: labelled images, split by `train_test_split`; with `split`, a random fifth of its
    rows is for evaluation. kind: see `find_kind`. layer: of the features, `transformer` or `cnn`. labels: training
    samples per source. untrained: use random weights instead of those of the run. options: `steps` of ctc and linear,
    `k` and `temperature` of knn.

    Raises UserError if an argument, the run or the data are wrong.
    """
    for name, value in {"labels": labels, "seed": seed, **options}.items():
        check_range(name, value, LEAST[name])
    config = Run.open(model).config()
    cls = find_kind(kind, config.encoder)
    for name in options:
        if name not in cls.options:
            raise UserError(f"{name} is no option of kind {cls.kind}: it has {', '.join(cls.options)}")
    train, held = train_test_split(find(data, split, label_pattern), seed, by_split=split is None)
    classifier = cls(subsample(train, labels, seed), held, config, **options)
    keras.mixed_precision.set_global_policy("float32")  # as in evaluate: the same on every processor
    keras.utils.set_random_seed(seed)
    encoder = setup.make_encoder(config, None if untrained else model)
    figures = {
        "model": str(model),
        "untrained": untrained,
        "kind": cls.kind,
        "layer": layer,
        **{name: getattr(classifier, name) for name in cls.options},
        "seed": seed,
        "labels": len(classifier.train),
        **classifier.evaluate(classifier.predict(encoder, layer, seed)),
    }
    FIGURES.info(classifier.table(figures))
    weights = "random weights" if untrained else "trained weights"
    counts = f"{len(classifier.train)} labels, evaluated on {count_splits(classifier.held.samples)}"
    FIGURES.info(f"{cls.kind} on frozen {layer} features, {weights}; {counts}")
    return figures


def make_probe(config) -> Probe:
    """The probe of a pretraining (a resolved PretrainConfig).

    It is evaluated on the rows of split `validation`, else on a random fifth. Rows of split `test` are left out.
    """
    cls = find_kind(config.probe_kind, config.encoder)
    return cls(*train_test_split(probed_samples(config), config.seed), config)


class Probing(keras.callbacks.Callback):
    """Evaluates a probe during pretraining and after its last round, and saves the best checkpoint as `best.npz`.

    every: rounds between probes; None for about ten probes in the run. It does not change the trained weights: it uses
    no random numbers of the training. The caller sets `trainer`.
    """

    def __init__(self, probe: Probe, method: Method, every: int | None = None):
        super().__init__()
        self.probe, self.method, self.every = probe, method, every
        self.trainer: Trainer | None = None
        self.best, self.best_step = -1.0, 0

    def on_epoch_end(self, epoch, logs=None):
        trainer = self.trainer
        every = self.every or -(-trainer.total // trainer.round // 10)
        if (epoch + 1) % every and trainer.step < trainer.total:
            return
        with in_place(self.method.result()):
            figures = self.probe.evaluate(self.probe.predict(self.method.encoder, self.method.layer))
        logs.update({f"probe_{name}": figures[name] for name in self.probe.metrics})
        if figures[self.probe.metrics[0]] >= self.best:
            self.best, self.best_step = figures[self.probe.metrics[0]], trainer.step
            trainer.save("best")

    def get_state(self) -> dict:
        return {"best": self.best, "best_step": self.best_step}

    def set_state(self, state: dict) -> None:
        self.best, self.best_step = state["best"], state["best_step"]
