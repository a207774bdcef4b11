"""The frozen CTC probe: what a dense layer can read in the features of an encoder that stays as it is.

The features of labelled images are computed once; the layer learns CTC on those of one part and reads the other. It
takes seconds, and says more about pretraining than its loss does.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqclr.data import loader
from seqclr.data.charset import Charset
from seqclr.data.loader import Fitted
from seqclr.data.records import Entry, find
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.methods.ctc import ctc_loss
from seqclr.nn import decode
from seqclr.recognize import metrics
from seqclr.recognize.evaluate import measure, table
from seqclr.recognize.finetune import check_lengths, few, without

STEPS, BATCH = 2500, 64
RATE = 0.03  # with a third of it the head has not converged after so many steps
DECAY = 0.03  # of the head's weights: with 200 labels it reads twice as much, with 1,000 as much as without
HELD_OUT = 0.2  # of the rows of a source that has no split test


def probe(
    model: str,
    data: Sequence[str],
    layer: str = "transformer",
    split: str | None = None,
    label_pattern: str | None = None,
    labels: int | None = None,
    steps: int = STEPS,
    seed: int = 0,
    untrained: bool = False,
) -> dict:
    """All measures of a probe of a run's encoder, in all and per source; printed, and returned.

    model: a run of any kind. data: labelled images; rows of split `test` are read and the head learns on the others;
    of a source without them, or with `split` given, a fifth is read. layer: whose frames, `transformer` or `cnn`.
    labels: learn on so many of every source. untrained: the architecture of the run with new weights.
    Raises UserError if an argument, the run or the data are wrong.
    """
    for name, value in (("labels", labels), ("steps", steps), ("seed", seed)):
        setup.check_range(name, value)
    config = Run.open(model).config()
    train, held = divide(find(data, split, label_pattern), seed, by_split=split is None)
    rows = ProbeRows(few(train, labels, seed), held, config)
    keras.mixed_precision.set_global_policy("float32")  # as evaluate reads: the same on every processor
    keras.utils.set_random_seed(seed)
    encoder = setup.make_encoder(config, None if untrained else model)
    reads = rows.read(encoder, layer, steps, seed)
    figures = {
        "model": str(model),
        "untrained": untrained,
        "kind": "ctc",
        "layer": layer,
        "steps": steps,
        "seed": seed,
        "labels": len(rows.train),
        **measure(rows.held.entries, rows.texts, reads),
    }
    print(table(figures))
    print(f"frozen {layer} frames, {'new weights' if untrained else 'as trained'}; {len(rows.train)} labels")
    return figures


def divide(entries: list[Entry], seed: int, by_split: bool = True) -> tuple[list[Entry], list[Entry]]:
    """Rows to learn on and rows to read: those of split `test`, or else a fifth of the source, drawn by the seed."""
    by_source = defaultdict(list)
    for entry in entries:
        by_source[entry.source].append(entry)
    draw = random.Random(seed)
    train, held = [], []
    for group in by_source.values():
        test = [entry for entry in group if by_split and entry.split == "test"]
        if test:
            train += [entry for entry in group if entry.split != "test"]
            held += test
        else:
            shuffled = draw.sample(group, len(group))
            count = min(len(group) - 1, max(1, round(len(group) * HELD_OUT)))
            train += shuffled[count:]
            held += shuffled[:count]
    return without(train, held), held


class ProbeRows:
    """Labelled images fitted to an encoder: some for a linear head to learn on, some to be read.

    config: of the run, for height, width and resize. The charset is that of all labels, so that a character which only
    the rows to be read have is merely never read. Raises UserError where there are too few rows, a label is empty, or
    its image gives too few frames for it.
    """

    def __init__(self, train: list[Entry], held: list[Entry], config):
        empty = [entry for entry in [*train, *held] if not entry.text]
        if empty:
            raise UserError(f"{empty[0].name} has an empty label ({len(empty)} have): label it or leave it out")
        if not train or not held:
            raise UserError(
                f"too few labels to probe with: {len(train)} to learn on and {len(held)} to read; at least one each is "
                "needed, and rows of split test are only read"
            )
        self.charset = Charset.of(entry.text for entry in [*train, *held])
        self.train, self.held = (Fitted(part, config.height, config.width, config.resize) for part in (train, held))
        targets, self.texts = ([self.charset.target(entry.text) for entry in part] for part in (train, held))
        check_lengths(config, self.train, targets)
        self.labels = [self.charset.encode(target) for target in targets]

    def read(self, encoder: keras.Model, layer: str, steps: int = STEPS, seed: int = 0) -> list[str]:
        """What a new linear head, trained on the encoder's features, reads on the images to be read."""
        head = LinearCTC(encoder.dim, len(self.charset) + 1, seed)
        head.fit(frames_of(encoder, self.train, layer), self.labels, steps)
        return [self.charset.decode(ids) for ids in head.read(frames_of(encoder, self.held, layer))]


def find_rows(config) -> ProbeRows:
    """The rows that a pretraining (a resolved PretrainConfig) probes with: none of split `test`, a fifth to be read."""
    entries = [entry for entry in find([config.probe]) if entry.split != "test"]
    return ProbeRows(*divide(few(entries, config.probe_labels, config.seed), config.seed), config)


class Frames(NamedTuple):
    """Features `float32 [N, T, D]`, and which frames show image, `bool [N, T]`."""

    features: np.ndarray
    shown: np.ndarray


def frames_of(encoder: keras.Model, fitted: Fitted, layer: str) -> Frames:
    """The features of all images, in the precision that the encoder has and in inference mode: nothing in it moves."""

    @tf.function(reduce_retracing=True)
    def encode(pixels, widths):
        features, shown = encoder(pixels, widths, training=False, layer=layer)
        return tf.cast(features, tf.float32), tf.ones(tf.shape(features)[:2], tf.bool) if shown is None else shown

    batches = [
        encode(tf.constant(batch["image"]), tf.constant(batch["width"]) if "width" in batch else None)
        for batch in loader.in_order(fitted, BATCH)
    ]
    return Frames(*(np.concatenate(part) for part in zip(*batches)))


class LinearCTC:
    """A dense layer on standardised features that learns CTC.

    dim: of a feature. classes: characters and, last, the blank. seed: of the order of the rows, all that is drawn.
    """

    def __init__(self, dim: int, classes: int, seed: int = 0):
        self.seed, self.blank = seed, classes - 1
        self.dense = keras.layers.Dense(classes, kernel_initializer="zeros", dtype="float32")
        self.dense.build((None, None, dim))
        self.dense.bias.assign(tf.one_hot(self.blank, classes) * -2.0)  # unlikely at first, as in ctc_head

    def fit(self, frames: Frames, labels: Sequence[Sequence[int]], steps: int = STEPS) -> None:
        """Learns the ids of N labels. The features are standardised by the frames of these that show image."""
        seen = frames.features[frames.shown]
        spread = seen.std(0, dtype=np.float64)
        self.mean = seen.mean(0, dtype=np.float64).astype(np.float32)
        self.scale = np.where(spread > 1e-6, spread, 1).astype(np.float32)
        optimizer = keras.optimizers.AdamW(keras.optimizers.schedules.CosineDecay(RATE, steps), weight_decay=DECAY)
        variables = self.dense.trainable_variables
        optimizer.build(variables)

        @tf.function
        def learn(features, shown, labels, order):
            for rows in order:
                with tf.GradientTape() as tape:
                    logits = self._logits(tf.gather(features, rows))
                    loss = tf.reduce_mean(ctc_loss(tf.gather(labels, rows), logits, tf.gather(shown, rows)))
                optimizer.apply(tape.gradient(loss, variables), variables)

        padded = tf.ragged.constant(labels, tf.int32).to_tensor(-1)
        learn(*map(tf.constant, frames), padded, tf.constant(self._order(len(labels), steps)))

    def read(self, frames: Frames) -> list[list[int]]:
        """The ids that each image is read as, greedily."""
        reads = []
        for start in range(0, len(frames.features), BATCH):
            features, shown = (part[start : start + BATCH] for part in frames)
            ids, _ = decode.greedy(self._logits(features), shown)
            reads += [[i for i in row if i != self.blank] for row in ids.numpy().tolist()]
        return reads

    def _logits(self, features):
        return self.dense((features - self.mean) / self.scale)

    def _order(self, count: int, steps: int) -> np.ndarray:
        """Rows of every step, `[steps, BATCH]`: one shuffled pass after the other."""
        draw = np.random.default_rng(self.seed)
        passes = [draw.permutation(count) for _ in range(-(-steps * BATCH // count))]
        return np.concatenate(passes)[: steps * BATCH].reshape(steps, BATCH)


class Probing(keras.callbacks.Callback):
    """Probes the encoder of a pretraining every so many rounds and after the last, and keeps the best as `best.npz`.

    every: rounds; None for about ten probes in the run. A run has the same weights with it and without, as it
    draws nothing from what the training draws from. The caller sets `trainer`.
    """

    steps = STEPS  # of the head

    def __init__(self, rows: ProbeRows, encoder: keras.Model, layer: str, every: int | None = None):
        super().__init__()
        self.rows, self.encoder, self.layer, self.every = rows, encoder, layer, every
        self.trainer: Trainer | None = None
        self.best, self.best_step = -1.0, 0

    def on_epoch_end(self, epoch, logs=None):
        trainer = self.trainer
        every = self.every or -(-trainer.total // trainer.round // 10)
        if (epoch + 1) % every and trainer.step < trainer.total:
            return
        scores = metrics.scores(self.rows.texts, self.rows.read(self.encoder, self.layer, self.steps))
        logs.update({f"probe_{name}": scores[name] for name in ("edit_distance_accuracy", "exact_match")})
        if scores["edit_distance_accuracy"] >= self.best:
            self.best, self.best_step = scores["edit_distance_accuracy"], trainer.step
            trainer.save("best")

    def get_state(self) -> dict:
        return {"best": self.best, "best_step": self.best_step}

    def set_state(self, state: dict) -> None:
        self.best, self.best_step = state["best"], state["best_step"]
