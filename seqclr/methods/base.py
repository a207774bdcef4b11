"""The contract of a method: a dataclass that defines the transform from image to example and the loss of a batch.

Calls in pretraining, in this order:

    @register(name, paper=..., ...)          `method=name` finds the class; its facts are in the table of methods
    Method(**keys)                           the fields are the configuration keys; __post_init__ checks them
      make_transform(views)                  -> a function on the host: (record, random generator) -> example
      records(dataset), prepare(samples)     -> the records to train on; an inspection before the network is built
      build(encoder, run)                    makes layers and variables; `run` is a RunInfo
      every step:  relabel(batches)          if relabels(step): new labels from all records
                   frozen(step), phase(step) -> the parts that are not trained; a key of steps that share a call
                   loss(batch, training)     -> {"loss": scalar, ...}; its gradient trains the parts
                   after_step()              in the same graph, after the update of the weights
      result()                               -> the weights that are probed, validated and kept; None: the trained ones

Fine-tuning makes its transform and records itself, and passes a ReaderInfo (methods/text/ctc.py) to `build`.

Set by a method: plain attributes, in `__post_init__`, `records`, `prepare` and `build`. Attributes that are Keras
layers or variables are its parts: they are trained, and saved in every checkpoint under the attribute's name. `loss`
and `after_step` run in a graph and change nothing but variables, by `assign`. Nothing is set from outside.
Read by a method: its keys, `self.run`, and `self.encoder` with its attributes `dim` (features of a frame), `grid` (rows
and columns of frames), `height` and `width` (pixels) and `lines` (whether it is an encoder of text lines).
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqclr.config import check_keys, key
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.methods.facts import Facts
from seqclr.nn import frames
from seqclr.nn.encoders import LAYERS
from seqclr.nn.momentum import Momentum
from seqclr.nn.replicas import gather
from seqclr.transforms.two_views import TwoViews

Columns = dict[str, "np.ndarray | list[str]"]  # of a preview by title: images `uint8 [B, h, w, 3]`, or texts


@dataclasses.dataclass(frozen=True)
class RunInfo:
    """The facts of a training that its method may use.

    batch_size: images in a batch, over all devices; 0: unknown, without checks against it.
    total_steps, steps_per_epoch: of the training, and of one pass over its records.
    dropout: rate in a CTC head. views: the name of the augmentation.
    head_weights: initial values of the first arrays of a CTC head's `get_weights()`; the others are new.
    load_encoder: given the folder of a run, its frozen encoder: a function of images `float32 [B, H, W, 3]`, 0 to 255,
    and widths to features `[B, T, D]` and a mask.
    """

    batch_size: int = 0
    total_steps: int = 0
    steps_per_epoch: int = 1
    dropout: float = 0.1
    views: str = "none"
    head_weights: Sequence[np.ndarray] = ()
    load_encoder: Callable[[str], Callable] | None = None


@dataclasses.dataclass
class Method(abc.ABC):
    """A method defines `transform`, `build` and `loss`; everything else has a default."""

    facts: ClassVar[Facts] = Facts()  # from its registration
    transform: ClassVar[type]
    defaults: ClassVar[dict[str, Any]] = {}  # values of common keys that differ from the common defaults
    line_defaults: ClassVar[dict[str, Any]] = {}  # further ones with an encoder of lines; they override `defaults`
    image_defaults: ClassVar[dict[str, Any]] = {"views": "images"}  # further ones with an encoder of images
    least_batch: ClassVar[int] = 2  # images that a batch needs, for its statistics
    chance: ClassVar[float | None] = None  # accuracy of guessing, of a method that logs an accuracy; set in `build`
    adversaries: ClassVar[frozenset[str]] = frozenset()  # parts trained by `adversary_loss`; the others by `loss`
    animated: ClassVar[bool] = False  # whether all frames of an animation are images, or only the first
    uses_labels: ClassVar[bool] = False  # whether the texts of the samples, in `prepare`, are trained on
    infinite: ClassVar[str | None] = None  # the usual reason for an infinite loss, for the error message
    charset: ClassVar[Charset | None] = None  # characters that it predicts: such a run can be evaluated and exported
    layer = "transformer"  # the layer whose frames it trains; a field of two-view methods, so not a ClassVar

    def __post_init__(self) -> None:
        """Raises UserError for invalid values of keys."""
        check_keys(self)

    def records(self, dataset: ImageDataset) -> Sequence[dict]:
        """The records that `transform` is called with; their `samples` beside, one for each. By default the dataset.

        Raises UserError for unsuitable images.
        """
        return dataset

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Inspects the samples, in the order of the records' `index`. Raises UserError for unsuitable ones."""
        return None

    def build(self, encoder: keras.Model, run: RunInfo | None = None) -> None:
        """Makes the heads and keeps `self.encoder` and `self.run`. An override calls it with both arguments first.

        Raises UserError where keys do not fit the encoder or the batch.
        """
        self.encoder, self.run = encoder, run or RunInfo()
        if encoder.channels not in self.channels():
            known = " or ".join(map(str, self.channels()))
            raise UserError(f"channels {encoder.channels}: {type(self).__name__} takes {known}")
        if 0 < self.run.batch_size < self.least_batch:
            raise UserError(
                f"batch_size {self.run.batch_size}: the statistics of a batch need at least {self.least_batch} images"
            )

    def check_accepts(self, height: int, width: int, what: str) -> None:
        """Raises UserError where the encoder does not accept images of this size. what: their name in the message."""
        try:
            self.encoder(tf.zeros((1, height, width, self.encoder.blank().shape[-1]), tf.uint8), layer=self.layer)
        except (ValueError, tf.errors.InvalidArgumentError):
            raise UserError(
                f"this encoder does not accept {what} of {height}x{width}: use positions=none instead of learned "
                "positions, another encoder than vit_tiny, and for lines (more than twice as wide as high) parts of "
                "full height"
            ) from None

    def channels(self) -> tuple[int, ...]:
        """The channels of the encoders that it can train."""
        return 1, 3

    def make_transform(self, views: str):
        """The transform with this method's settings; `views` names the augmentation. Changes nothing in the method."""
        return type(self).transform(views)  # a part may have the same name

    @abc.abstractmethod
    def loss(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """`{"loss": scalar, ...}` of a batch of examples; the other scalars are shown and written to metrics.csv.

        A method with adversaries returns "adversary_loss" too. Each loss trains only its own parts, so neither needs
        to stop the gradient into those of the other.
        """

    def parts(self) -> dict[str, Any]:
        """Its layers and variables by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, keras.Layer | keras.Variable)}

    def preview_inputs(self, batch: dict[str, np.ndarray]) -> Columns:
        """The inputs of the network for a batch of examples, and the targets. Called after `build`."""
        return {f"view {i}": views for i, views in enumerate(batch["views"].swapaxes(0, 1), 1)}

    def preview_outputs(self, batch: dict[str, np.ndarray]) -> Columns:
        """The outputs of the network, drawn beside `preview_inputs` during training; by default nothing is drawn."""
        return {}

    def result(self) -> Momentum | None:
        """The averaged weights that are the result of the run: they are probed, validated, saved as the best and used
        afterwards. None: the trained weights."""
        return None

    def after_step(self) -> None:
        """Called in every replica's step after the optimizer, to update target networks and counters of steps."""
        return None

    def relabels(self, step: int) -> bool:
        """Whether `relabel` is called before this step."""
        return False

    def relabel(self, batches: Iterable[dict]) -> None:
        """Computes labels from all records, without augmentation and in order.

        batches: dictionaries of `image`, `index` and, of padded lines, `width`. A resumed run calls it again, so it
        must depend only on the records and the checkpoint.
        """
        return None

    def frozen(self, step: int) -> frozenset[str]:
        """The parts that are not trained at this step. Each change during a run retraces the step."""
        return frozenset()

    def phase(self, step: int) -> Hashable:
        """A value that consecutive steps share if they may run in one call of the compiled step."""
        return self.frozen(step)

    def learning_rate_factors(self) -> dict[str, float]:
        """Factors of the learning rate, by part or by layer within a part (`part/layer`)."""
        return {}

    def constant_rates(self) -> frozenset[str]:
        """The parts whose learning rate stays constant after the warm-up."""
        return frozenset()


class Instances(NamedTuple):
    """The rows of a pairwise loss: row i of `first` and of `second` show the same strip of the same image.

    first, second: `[N, D]`, of all replicas. image, position: `int32 [N]`, the index of the image and of the window.
    """

    first: tf.Tensor
    second: tf.Tensor
    image: tf.Tensor
    position: tf.Tensor


@dataclasses.dataclass
class FrameMethod(Method):
    """Views of every image, whose frames are pooled into instances (the instance mapping)."""

    # the settings that were measured to work (docs/how/contrast.md); the fields' own defaults are the article's
    line_defaults = {"views": "roaming", "correspondence": "geometry", "layer": "cnn", "frames": "frames:2"}
    image_defaults = {"views": "images", "frames": "all"}

    frames: str = key(
        "frames:5",
        "instance mapping: frames:5 (windows of 5 frames), windows:4 (4 windows), all (the mean) or none (every frame)",
        free=True,
    )
    correspondence: str = key(
        "index",
        "how instances of two views are paired: index, by their number in each view; geometry, by the strip of the "
        "image that they show",
        choices=("index", "geometry"),
    )
    layer: str = key("transformer", "layer whose frames are compared: transformer, or cnn, before it", choices=LAYERS)

    filled = None  # columns without padding of the records, or of some of them; set in `records`; None: all columns

    def __post_init__(self):
        super().__post_init__()
        frames.check_frames(self.frames)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        keys = {field.name for field in dataclasses.fields(self)}  # methods of pixels always go by geometry
        if "correspondence" in keys and self.correspondence == "geometry" and encoder.grid[0] > 1:
            raise UserError(
                "correspondence 'geometry' follows the columns of a line: with images take correspondence=index"
            )

    def windows(self) -> int:
        """Instances in an image."""
        return len(frames.windows(self.frames, self.encoder(self.encoder.blank(), layer=self.layer)[0].shape[1]))

    def window_counts(self) -> np.ndarray:
        """The number of windows of each record in `filled`, `int [records]`."""
        return frames.count(self.frames, -(-np.array(self.filled) // self.encoder.STRIDE))

    def encode(self, batch: dict[str, tf.Tensor], training: bool):
        """Frame features of all views from one pass, for batch norm: `[VB, T, D]`, mask `[VB, T]` or None.

        The rows of the first view come first.
        """
        views = batch["views"].shape[1]
        widths = tf.tile(batch["width"], [views]) if "width" in batch else None  # only where lines are padded
        return self.encoder(stacked(batch["views"]), widths, training=training, layer=self.layer)

    def pool(self, x: tf.Tensor, batch: dict[str, tf.Tensor], mask, kind: str | None = None):
        """Instances `float32 [VB, N, D]` of frames, and which of them are visible in their view, `[VB, N]` or None.

        kind: another instance mapping than that of the key `frames`.
        """
        geometry = stacked(batch["geometry"]) if self.correspondence == "geometry" else None
        return frames.pool(tf.cast(x, tf.float32), kind or self.frames, mask, geometry)


@dataclasses.dataclass
class TwoViewMethod(FrameMethod):
    """Two views of every image."""

    transform = TwoViews

    def embed(self, batch: dict[str, tf.Tensor], training: bool):
        """Features and mask as of `encode`, and their projections; a subclass builds `self.projector`."""
        features, mask = self.encode(batch, training)
        return features, mask, self.projector(features, mask, training=training)

    def instances(self, x: tf.Tensor, batch: dict[str, tf.Tensor], mask) -> Instances:
        """The instances that are visible in both views."""
        pooled, valid = self.pool(x, batch, mask)
        count = pooled.shape[1]
        image = tf.repeat(batch["index"], count)
        position = tf.tile(tf.range(count), tf.shape(batch["index"]))
        rows = [*(tf.reshape(half, [-1, x.shape[-1]]) for half in tf.split(pooled, 2)), image, position]
        if valid is not None:
            visible = tf.reshape(tf.logical_and(*tf.split(valid, 2)), [-1])
            rows = [tf.boolean_mask(row, visible) for row in rows]
        return Instances(*map(gather, rows))


def one_view(batch: dict[str, tf.Tensor], index: int) -> dict[str, tf.Tensor]:
    """The batch with one of its views."""
    return {**batch, **{name: batch[name][:, index : index + 1] for name in ("views", "geometry")}}


def stacked(views: tf.Tensor) -> tf.Tensor:
    """`[B, V, ...]` as `[V * B, ...]`, the first views first."""
    return tf.concat(tf.unstack(views, axis=1), axis=0)
