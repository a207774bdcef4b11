"""Jigsaw Clustering: montages of tiles from several images."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import tensorflow as tf

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.methods.registry import register
from seqclr.nn.heads import mlp
from seqclr.nn.maps import shrunk
from seqclr.nn.replicas import gather
from seqclr.transforms.tiles import Tiles, tiling


@register(
    "jigsaw_clustering",
    paper="Chen et al. 2021, arXiv:2104.00323",
    negatives="tiles of other images",
    needs_whole_batch="the tiles of the other images of it are the negatives",
)
@dataclass
class JigsawClustering(Method):
    """Clustering and location of the tiles of montages (Chen et al. 2021, arXiv:2104.00323).

    A montage has tiles of four images. The tiles of one image are a cluster, contrasted with all others as in SupCon,
    and each tile is classified by its position among the four. The feature of a tile is a mean over its part of the
    feature map or, for a line, over its frames.
    """

    transform = Tiles

    temperature: float = key(0.07, "temperature of the softmax over tiles", least=1e-3)
    hidden_dim: int = key(256, "width of the head's hidden layer", least=1, most=WIDEST)
    projection_dim: int = key(128, "output size of the projection head", least=1, most=WIDEST)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.tiling = tiling(encoder.height, encoder.width)
        for name, length, count in zip(("height", "width"), (encoder.height, encoder.width), self.tiling):
            if length % count:
                raise UserError(f"{name} {length} is cut into {count} tiles: take a multiple of {count}")
        if any(frames < count for frames, count in zip(encoder.grid, self.tiling)):
            raise UserError(
                f"{self.tiling[0]}x{self.tiling[1]} tiles need as many frames, and there are {encoder.grid[0]}x"
                f"{encoder.grid[1]}: take larger images, or lines more than twice as wide as high"
            )
        self.projector = mlp((self.hidden_dim, self.projection_dim), "projector", input_dim=encoder.dim)
        self.head = keras.layers.Dense(4, dtype="float32", name="head")
        self.head.build((None, None, encoder.dim))

    def loss(self, batch, training):
        montages, image, position = self.shuffled(batch)
        features = self.split(montages, training)
        z = tf.cast(self.projector(features, training=training), tf.float32)
        rows = [tf.reshape(x, [-1, x.shape[-1]]) for x in (z, self.head(features))]
        z, scores, image, position = map(gather, (*rows, image, position))
        clustering = losses.sup_con(z, image, self.temperature)
        location = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=position, logits=scores))
        return {"loss": clustering + location, "clustering": clustering, "location": location}

    def preview_inputs(self, batch):
        montages, image, position = self.shuffled({name: tf.constant(batch[name]) for name in ("tiles", "index")})
        rows = {number: row for row, number in enumerate(batch["index"].tolist(), 1)}
        tiles = [f"{rows[i]}.{p + 1}" for i, p in zip(image.numpy().tolist(), position.numpy().tolist())]
        targets = [", ".join(tiles[start : start + 4]) for start in range(0, len(tiles), 4)]
        return {"montage": montages.numpy(), "target: row.tile of each": targets}

    def shuffled(self, batch: dict[str, tf.Tensor]):
        """Montages of a replica's tiles, `uint8 [B, H, W, 3]`, and each tile's image and position in it, `int32 [4B]`.

        The order is seeded by the images' indices, so that a resumed run draws it again.
        """
        _, _, height, width, channels = batch["tiles"].shape
        rows, columns = self.tiling
        tiles = tf.reshape(batch["tiles"], [-1, height, width, channels])
        order = self.order(batch["index"])
        laid = tf.reshape(tf.gather(tiles, order), [-1, rows, columns, height, width, channels])
        montages = tf.reshape(tf.transpose(laid, (0, 1, 3, 2, 4, 5)), [-1, rows * height, columns * width, channels])
        return montages, tf.gather(batch["index"], order // 4), order % 4

    def order(self, index: tf.Tensor) -> tf.Tensor:
        """A random order `int32 [4B]` of the tiles of images with these indices, `int32 [B]`."""
        seed = tf.stack([tf.reduce_sum(index), index[0]])
        return tf.argsort(tf.random.stateless_uniform([4 * tf.shape(index)[0]], seed))

    def split(self, montages: tf.Tensor, training: bool) -> tf.Tensor:
        """The mean feature of each tile, `float32 [B, 4, D]`."""
        layer = "cnn" if self.encoder.grid[0] > 1 else self.layer
        features, _ = self.encoder(montages, training=training, layer=layer)
        x = tf.reshape(tf.cast(features, tf.float32), [-1, *self.encoder.grid, features.shape[-1]])
        return tf.reshape(shrunk(x, self.tiling), [-1, 4, x.shape[-1]])
