"""PixContrast on frames, and the base class that it shares with PixPro."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.base import Instances
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.registry import register
from seqclr.nn.encoders import LAYERS
from seqclr.nn.heads import mlp
from seqclr.nn.positives import same_position
from seqclr.nn.replicas import gather


@dataclass
class PixelMethod(MomentumMethod):
    """Frames of a line, or positions of an image; positives are the target network's frames of the other view that
    show the same position of the image.

    The paper's head is 4096 wide for 2048 features. Frames are compared within an image only, so replicas and parts of
    a batch are independent of each other.
    """

    frames: ClassVar[str] = "none"
    correspondence: ClassVar[str] = "geometry"
    line_defaults: ClassVar[dict] = {}  # frames correspond by geometry anyway, and PixPro learns more from weak views
    image_defaults: ClassVar[dict] = {"views": "images"}

    layer: str = key("cnn", "layer whose frames are compared: transformer, or cnn, before it", choices=LAYERS)
    reach: float = key(0.7, "largest distance of positives, in diagonals of a frame", least=0)
    hidden_dim: int = key(512, "width of the head's hidden layer", least=1, most=WIDEST)
    projection_dim: int = key(256, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        if self.layer == "transformer" and encoder.grid[0] > 1:
            raise UserError("layer 'transformer' has one frame per image, and positions are compared: set layer=cnn")
        super().build(encoder, run)
        self.projector = mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=encoder.dim)
        self.make_target()

    def positives(self, batch: dict[str, tf.Tensor], mask) -> tf.Tensor:
        """`bool [B, T, T]`: the pairs of frames of the two views that show the same position and no padding."""
        filled = tf.cast(batch["width"], tf.float32) / self.encoder.width if "width" in batch else None
        near = same_position(batch["geometry"], self.encoder.grid, self.reach, filled)
        return near if mask is None else near & valid_pairs(mask)

    def instances(self, x, batch, mask):
        """The pairs of frames that show the same position."""
        image, *positions = tf.unstack(tf.where(self.positives(batch, mask)), axis=1)
        pairs = (tf.gather_nd(half, tf.stack([image, t], 1)) for half, t in zip(tf.split(x, 2), positions))
        rows = [*(tf.cast(pair, tf.float32) for pair in pairs), tf.gather(batch["index"], image), positions[0]]
        return Instances(*map(gather, rows))


@register(
    "pix_contrast",
    paper="Xie et al. 2021, arXiv:2011.10043",
    negatives="other frames of the image",
    ema_network="target network",
)
@dataclass
class PixContrast(PixelMethod):
    """Contrast of a frame with all frames of the image's other view (Xie et al. 2021, arXiv:2011.10043).

    The trained network's frames of each view are contrasted with the target network's frames of the other, in both
    directions.
    """

    temperature: float = key(0.3, "temperature of the softmax", least=1e-3)

    def loss(self, batch, training):
        _, mask, z = self.embed(batch, training)
        _, _, target = self.embed_target(batch, training)
        (z1, z2), (t1, t2) = tf.split(z, 2), tf.split(tf.stop_gradient(target), 2)
        near, valid = self.positives(batch, mask), None if mask is None else valid_pairs(mask)
        first = losses.pix_contrast(z1, t2, near, self.temperature, valid)
        second = losses.pix_contrast(t1, z2, near, self.temperature, valid)
        return {"loss": (first + second) / 2}


def valid_pairs(mask: tf.Tensor) -> tf.Tensor:
    """Frame mask `[2B, T]` of two views as `bool [B, T, T]`: the pairs of frames without padding."""
    first, second = tf.split(mask, 2)
    return first[:, :, None] & second[:, None, :]
