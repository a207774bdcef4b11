"""The contract: a method is how one image becomes an example, and what a batch of examples costs.

A method is a dataclass; its fields are the paper's defaults and become configuration keys and flags. Its layers and
variables are plain attributes, made in `build`, and a checkpoint holds all of them.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqclr.config import check_keys, key
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.nn import frames
from seqclr.nn.encoders import LAYERS
from seqclr.nn.momentum import Momentum
from seqclr.nn.replicas import gather
from seqclr.transforms.two_views import TwoViews

Columns = dict[str, "np.ndarray | list[str]"]  # of a sheet by title: pictures `uint8 [B, h, w, 3]`, or words


@dataclasses.dataclass
class Method(abc.ABC):
    """A method needs `transform`, `build` and `loss`; the rest have defaults."""

    transform: ClassVar[type]
    defaults: ClassVar[dict[str, Any]] = {}  # what this method wants other than the common configuration
    line_defaults: ClassVar[dict[str, Any]] = {}  # the same with an encoder of lines only; `defaults` count before it
    image_defaults: ClassVar[dict[str, Any]] = {"views": "images"}  # with one of images only
    total_steps: ClassVar[int] = 0  # of the run; the trainer sets it, and what is in a pass over the data
    steps_per_epoch: ClassVar[int] = 1
    dropout: ClassVar[float] = 0.1  # of the run, in a CTC head; set before `build`
    batch_size: ClassVar[int] = 0  # of the run; set before `build`, 0 where nobody did
    chance: ClassVar[float | None] = None  # the accuracy of guessing, of a method that logs one; set in `build`
    adversaries: ClassVar[frozenset[str]] = (
        frozenset()
    )  # parts that learn from `adversary_loss`, the others from `loss`
    whole_batch: ClassVar[str | None] = None  # why its loss is not the mean of that of parts, where it is not
    needs_lines: ClassVar[str | None] = None  # why it needs an encoder of text lines, where it does
    needs_images: ClassVar[str | None] = None  # why it needs one of pictures, where it does
    animated: ClassVar[bool] = False  # whether every frame of an animation is an image, not the first alone
    needs_halves: ClassVar[str | None] = None  # why it needs one of two halves, where it does
    infinite: ClassVar[str | None] = None  # what an infinite loss says of its data, where it does
    paper: ClassVar[str] = ""  # authors, year and arXiv number, where the docstring does not begin with them
    repels: ClassVar[str] = ""  # what its instances are told from, for the table of methods
    stores: ClassVar[str] = ""  # what it keeps beside networks, for the same
    charset: ClassVar[Charset | None] = None  # what it reads, where it does: such a run can be evaluated and read with
    layer = "transformer"  # whose frames it trains; no ClassVar, as for two-view methods it is a field

    def __post_init__(self) -> None:
        """Raises UserError for settings that the method cannot have."""
        check_keys(self)

    def records(self, dataset: ImageDataset) -> Sequence[dict]:
        """What `transform` is called with, made of the run's images; `entries` beside, one of each record.

        Raises UserError where the images do not suit.
        """
        return dataset

    def prepare(self, samples: Sequence[Sample]) -> None:
        """Looks at the run's records, whose `index` counts them, before `build`; UserError where they do not suit."""
        return None

    def build(self, encoder: keras.Model) -> None:
        """Makes the heads; `encoder.dim` is the size of a feature. Raises UserError where the batch is too small."""
        if self.batch_size == 1:
            raise UserError("batch_size 1: the statistics of a batch need at least 2 images")
        self.encoder = encoder

    def check_takes(self, height: int, width: int, what: str) -> None:
        """Raises UserError where the encoder takes no images of that size, which `what`, parts of images, are."""
        try:
            self.encoder(tf.zeros((1, height, width, 3), tf.uint8), layer=self.layer)
        except (ValueError, tf.errors.InvalidArgumentError):
            raise UserError(
                f"this encoder takes no {what} of {height}x{width}: use positions=none where they are learned, another "
                "encoder for vit_tiny, and of lines, which are more than twice as wide as high, those of full height"
            ) from None

    def make_transform(self, views: str):
        """The transform of this method with its settings; `views` names the augmentation."""
        return self.transform(views)

    @abc.abstractmethod
    def loss(self, batch: dict[str, tf.Tensor], training: bool) -> dict[str, tf.Tensor]:
        """`{"loss": scalar, ...}` of a batch that `transform` made; further scalars are shown and kept in metrics.csv.

        A method with opponents gives "adversary_loss" too. Each side's gradient moves its own parts alone, so neither
        loss needs to stop it.
        """

    def parts(self) -> dict[str, Any]:
        """Its layers and variables by attribute name."""
        return {name: value for name, value in vars(self).items() if isinstance(value, keras.Layer | keras.Variable)}

    def preview_inputs(self, batch: dict[str, np.ndarray]) -> Columns:
        """What the network is shown of a batch that `transform` made, and what it must answer. Called after `build`."""
        return {f"view {i}": views for i, views in enumerate(batch["views"].swapaxes(0, 1), 1)}

    def preview_outputs(self, batch: dict[str, np.ndarray]) -> Columns:
        """What the network answers, beside which `shows` is drawn during training; nothing is drawn without any."""
        return {}

    def result(self) -> Momentum | None:
        """The copy of the weights that is a run's result, which is probed, validated and used afterwards; None where
        it is the weights themselves."""
        return None

    def after_step(self) -> None:
        """Within every replica's step, once the weights have moved: where momentum copies follow."""
        return None

    def relabels(self, step: int) -> bool:
        """Whether `relabel` comes before this step."""
        return False

    def relabel(self, batches: Iterable[dict]) -> None:
        """Looks at all records as they are, in order: batches of `image`, `index` and, of padded lines, `width`.

        A resumed run does the same again, so it draws from nothing but what is in the checkpoint.
        """
        return None

    def frozen(self, step: int) -> frozenset[str]:
        """The parts that do not learn at a step. It may change a few times in a run: each change is a new trace."""
        return frozenset()

    def phase(self, step: int) -> Hashable:
        """The same for steps that differ in nothing but their batch, so that they can be taken at one go."""
        return self.frozen(step)

    def learning_rate_factors(self) -> dict[str, float]:
        """Parts, or layers within them (`part/layer`), that learn at a multiple of the common rate."""
        return {}

    def constant_rates(self) -> frozenset[str]:
        """Parts whose rate does not fall after the warm-up."""
        return frozenset()


class Instances(NamedTuple):
    """What a loss compares: row i of `first` and row i of `second` show the same strip of the same image.

    first, second: `[N, D]`, of all replicas. image, place: `int32 [N]`, the image and the window that a row is of.
    """

    first: tf.Tensor
    second: tf.Tensor
    image: tf.Tensor
    position: tf.Tensor


@dataclasses.dataclass
class FrameMethod(Method):
    """Views of every image, their frames pooled into instances."""

    # what was measured to work (docs/how/contrast.md); the defaults of the fields are the article's
    line_defaults = {"views": "roaming", "correspondence": "geometry", "layer": "cnn", "frames": "frames:2"}
    image_defaults = {"views": "images", "frames": "all"}

    frames: str = key(
        "frames:5", "what is compared: frames:5 (windows of 5), windows:4 (4 windows), all, none", free=True
    )
    correspondence: str = key(
        "index",
        "how the instances of two views are paired: index, by their number in each view; geometry, by the strip of the "
        "image that they show",
        choices=("index", "geometry"),
    )
    layer: str = key("transformer", "whose frames are compared: transformer, or cnn, before it", choices=LAYERS)

    filled = None  # of the records, or some of them, the columns that are no padding, for a method that asks; None: all

    def __post_init__(self):
        super().__post_init__()
        frames.check_frames(self.frames)

    def build(self, encoder):
        super().build(encoder)
        chosen = "correspondence" in {
            field.name for field in dataclasses.fields(self)
        }  # pixel methods go by positions instead
        if chosen and self.correspondence == "geometry" and encoder.grid[0] > 1:
            raise UserError(
                "correspondence 'geometry' follows the columns of a line: of pictures take correspondence=index"
            )

    def windows(self) -> int:
        """Instances of an image."""
        image = tf.zeros((1, self.encoder.height, self.encoder.width, 3), tf.uint8)
        return len(frames.windows(self.frames, self.encoder(image, layer=self.layer)[0].shape[1]))

    def window_counts(self) -> np.ndarray:
        """How many windows the records have that `filled` is of, `int [records]`."""
        return frames.count(self.frames, -(-np.array(self.filled) // self.encoder.STRIDE))

    def encode(self, batch: dict[str, tf.Tensor], training: bool):
        """Frame features of all views in one pass, so that batch norm sees all: `[VB, T, D]`, mask `[VB, T]` or None.

        The rows of the first view come first.
        """
        views = batch["views"].shape[1]
        widths = tf.tile(batch["width"], [views]) if "width" in batch else None  # there only where lines are padded
        return self.encoder(stacked(batch["views"]), widths, training=training, layer=self.layer)

    def pool(self, x: tf.Tensor, batch: dict[str, tf.Tensor], mask):
        """Instances `float32 [VB, N, D]` of frames, and which of them their view shows, `[VB, N]` or None."""
        geometry = stacked(batch["geometry"]) if self.correspondence == "geometry" else None
        return frames.pool(tf.cast(x, tf.float32), self.frames, mask, geometry)


@dataclasses.dataclass
class TwoViewMethod(FrameMethod):
    """Two views of every image."""

    transform = TwoViews

    def embed(self, batch: dict[str, tf.Tensor], training: bool):
        """Features and mask as `encode` gives them, and their projections; a subclass builds the projector."""
        features, mask = self.encode(batch, training)
        return features, mask, self.projector(features, mask, training=training)

    def instances(self, x: tf.Tensor, batch: dict[str, tf.Tensor], mask) -> Instances:
        """The instances of both views, those that either view does not show left out."""
        pooled, valid = self.pool(x, batch, mask)
        count = pooled.shape[1]
        image = tf.repeat(batch["index"], count)
        position = tf.tile(tf.range(count), tf.shape(batch["index"]))
        rows = [*(tf.reshape(half, [-1, x.shape[-1]]) for half in tf.split(pooled, 2)), image, position]
        if valid is not None:
            shown = tf.reshape(tf.logical_and(*tf.split(valid, 2)), [-1])
            rows = [tf.boolean_mask(row, shown) for row in rows]
        return Instances(*map(gather, rows))


def stacked(views: tf.Tensor) -> tf.Tensor:
    """`[B, V, ...]` as `[V * B, ...]`, the first views first."""
    return tf.concat(tf.unstack(views, axis=1), axis=0)
