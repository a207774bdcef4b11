"""Monitors of pretraining: figures of collapse and shortcuts, and warnings about them during training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqclr.data.loader import as_batch
from seqclr.messages import warn
from seqclr.methods.base import Instances, Method, TwoViewMethod, stacked
from seqclr.transforms.multi_crop import MultiCrop

IMAGES = 64  # in two views each
EARLY = (50, 100)  # steps after which the monitors also look, within a round
PAIRED = 512  # largest number of instances whose pairs are all compared


class Fault(NamedTuple):
    """A fault: a condition on the figures now and before the first step, and the text of its warning.

    `projection_...` are the figures of the features where a method has no projections.
    """

    holds: Callable[[dict[str, float], dict[str, float]], bool]
    text: str


# The thresholds lie between the values measured in faulty and in sound runs (untrained encoders included): spread 0.07
# to 0.11, sound from 0.22; rank relative to that before 0.05 to 0.31, sound from 0.48; position_share from 0.69, sound
# up to 0.56; image_share 0.74, risen by 0.32, sound 0.56, risen by 0.15, or 0.46, risen by 0.30.
FAULTS = {
    "collapsed": Fault(
        lambda now, before: now["projection_spread"] < 0.15,
        "every image has nearly the same embedding (spread {projection_spread:.2f}: 1 is healthy, 0 a single point): "
        "check that the method stops the gradient or has negatives, lower learning_rate, lengthen warmup",
    ),
    "low-rank": Fault(
        lambda now, before: now["projection_rank"] < 0.35 * before["projection_rank"],
        "the embeddings use {projection_rank:.0f} dimensions, few of those that an untrained network uses: check "
        "that the method stops the gradient or has negatives, lower learning_rate",
    ),
    "position-bound": Fault(
        lambda now, before: now.get("position_share", 0) > 0.6,
        "{position_share:.0%} of the variance of the features is explained by the frame position, not by the image: "
        "set correspondence=geometry with views=roaming, negatives=position, positions=none or convolutional",
    ),
    "image-bound": Fault(
        lambda now, before: now.get("image_share", 0) > max(0.5, before.get("image_share", 0) + 0.25),
        "{image_share:.0%} of the variance of the features is explained by the image, such as its colour or noise, "
        "whichever part of it a frame shows: set views=strong or roaming, negatives=all",
    ),
}


class Monitors(keras.callbacks.Callback):
    """Measures the same views of the same images before the first step, after steps 50 and 100, and every round.

    The figures of `measure` are logged as `monitor/...`, `image_variance` relative to its value before the first step;
    the names of the faults found as `warning`. The text of a fault is a warning once a run.

    records: an image dataset, of which some images are drawn by the seed. views: the augmentation of the run.
    """

    def __init__(self, method: Method, records: Sequence, views: str, seed: int):
        super().__init__()
        rng, transform = np.random.default_rng(seed), MultiCrop(views)
        chosen = np.sort(rng.choice(len(records), min(IMAGES, len(records)), replace=False))
        rows = [transform(records[int(index)], rng) for index in chosen]
        self.method = method
        self.batch = {name: tf.constant(array) for name, array in as_batch(rows).items()}
        self.reported: list[str] = []
        self.before: dict[str, float] | None = None
        self._encode = tf.function(self._encode)

    def on_train_begin(self, logs=None):
        if self.before is None:
            self.before = self.look()

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 in EARLY:
            self.warn(self.look())

    def on_epoch_end(self, epoch, logs=None):
        now = self.look()
        logs["warning"] = " ".join(self.warn(now))
        now["image_variance"] /= self.before["image_variance"]
        logs.update({f"monitor/{name}": value for name, value in now.items()})

    def look(self) -> dict[str, float]:
        return measure(*self._encode(self.batch))

    def _encode(self, batch):
        """The arguments of `measure`, computed in inference mode, which changes nothing in the network."""
        if isinstance(self.method, TwoViewMethod):
            features, mask, projections = self.method.embed(batch, training=False)
            instances = self.method.instances(projections, batch, mask)
            return tf.cast(features, tf.float32), tf.cast(projections, tf.float32), mask, instances
        widths = tf.tile(batch["width"], [2]) if "width" in batch else None
        features, mask = self.method.encoder(stacked(batch["views"]), widths, training=False)
        return tf.cast(features, tf.float32), None, mask, None

    def warn(self, now: dict[str, float]) -> list[str]:
        """The names of the faults found; warns of those not reported yet."""
        now, before = (
            {"projection_spread": seen["spread"], "projection_rank": seen["rank"], **seen}
            for seen in (now, self.before)
        )
        names = [name for name, fault in FAULTS.items() if fault.holds(now, before)]
        for name in names:
            if name not in self.reported:
                self.reported.append(name)
                warn(f"{name}: {FAULTS[name].text.format(**now)}")
        return names

    def get_state(self) -> dict:
        return {"told": list(self.reported), "before": self.before}

    def set_state(self, state: dict) -> None:
        self.reported, self.before = state["told"], state["before"]


def measure(features, projections=None, mask=None, instances: Instances | None = None) -> dict[str, float]:
    """Figures of the features of many images, in NumPy.

    features: `[N, T, D]`, of N images. projections: `[N, T, P]`, of a head. mask: `bool [N, T]`, the frames that
    are no padding. instances: pairs and their images, as `TwoViewMethod.instances` returns them.

    spread: how far the images differ at one frame index: standard deviation of the normalised vectors over the images,
    mean over indices and dimensions, times sqrt(D). 1 where they are spread uniformly, 0 where all images are
    one point. Chen & He 2021, arXiv:2011.10566. projection_spread: of the projections.
    rank: the effective number of dimensions, exp of the entropy of the normalised singular values. RankMe, Garrido et
    al. 2023, arXiv:2210.02885. projection_rank: of the projections.
    image_variance: variance of the features over the images at one frame index, mean over indices and dimensions.
    position_share, image_share: parts of the features' variance that the frame index alone, the image alone, explains;
    left out where an image has one frame.
    positive, negative: cosine of the two instances of a pair, and of instances of different images.
    alignment, uniformity: squared distance within a pair, and log of the mean exp(-2 squared distance) of instances of
    different images, both normalised. Wang & Isola 2020, arXiv:2005.10242.
    """
    x = np.asarray(features, np.float32)
    shown = np.ones(x.shape[:2], bool) if mask is None else np.asarray(mask, bool)
    figures = {"spread": _spread(x, shown), "rank": _rank(x[shown]), **_shares(x, shown)}
    if projections is not None:
        z = np.asarray(projections, np.float32)
        figures |= {"projection_spread": _spread(z, shown), "projection_rank": _rank(z[shown])}
    return figures | (_pairs(instances) if instances is not None else {})


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=-1, keepdims=True), 1e-12)


def _mean(x: np.ndarray, shown: np.ndarray, axis) -> np.ndarray:
    """The mean of `[N, T, D]` over the frames shown, axes kept; 0 where there are none."""
    weights = shown[..., None].astype(x.dtype)
    return (x * weights).sum(axis, keepdims=True) / np.maximum(weights.sum(axis, keepdims=True), 1)


def _spread(x: np.ndarray, shown: np.ndarray) -> float:
    x = _unit(x)
    variance = _mean((x - _mean(x, shown, 0)) ** 2, shown, 0)[0]
    return float(np.sqrt(variance[shown.any(0)]).mean() * np.sqrt(x.shape[2]))


def _rank(x: np.ndarray) -> float:
    squares = x.T @ x
    if not np.isfinite(squares).all():
        return float("nan")  # the trainer reports what is wrong
    values = np.sqrt(np.maximum(np.linalg.eigvalsh(squares), 0))  # the singular values, many times faster than an SVD
    shares = values / max(values.sum(), 1e-12) + 1e-12
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _shares(x: np.ndarray, shown: np.ndarray) -> dict[str, float]:
    x = x - _mean(x, shown, (0, 1))
    total = (x[shown] ** 2).sum()

    def between(axis):  # the sum of squares of the group means, as in an analysis of variance
        return (np.broadcast_to(_mean(x, shown, axis), x.shape)[shown] ** 2).sum()

    between_positions, image = between(0), between(1)
    figures = {"image_variance": float((total - between_positions) / x[shown].size)}
    if x.shape[1] > 1:
        figures["position_share"] = float(between_positions / max(total, 1e-12))
        figures["image_share"] = float(image / max(total, 1e-12))
    return figures


def _pairs(instances: Instances) -> dict[str, float]:
    step = -(-len(instances.image) // PAIRED)
    first, second = (_unit(np.asarray(rows, np.float32)[::step]) for rows in (instances.first, instances.second))
    image = np.asarray(instances.image)[::step]
    cosine = first @ second.T
    others = cosine[image[:, None] != image[None]]
    figures = {"positive": np.diag(cosine).mean(), "alignment": 2 - 2 * np.diag(cosine).mean()}
    if others.size:  # a squared distance of unit vectors is 2 - 2 cosine
        figures |= {"negative": others.mean(), "uniformity": np.log(np.exp(4 * others - 4).mean())}
    return {name: float(value) for name, value in figures.items()}
