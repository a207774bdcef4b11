"""Symmetric superimposition modeling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from seqclr import losses
from seqclr.config import DEEPEST, WIDEST, key
from seqclr.methods.base import one_view, stacked
from seqclr.methods.momentum import MomentumMethod
from seqclr.methods.reconstruction.masked import in_gray, reconstruction_loss
from seqclr.methods.registry import register
from seqclr.nn.decoders import PromptedDecoder, strip_decoder
from seqclr.nn.heads import mlp
from seqclr.nn.momentum import Momentum
from seqclr.nn.norm import by_batch
from seqclr.nn.replicas import gather
from seqclr.transforms.superimposed import INVERSIONS, SuperimposedViews


@register(
    "ssm",
    paper="Gao et al. 2024, arXiv:2405.05841",
    negatives="other instances of the batch",
    ema_network="target network",
    needs_lines="each frame of a line reconstructs its strip",
    needs_whole_batch="the other images of it are the negatives",
)
@dataclass
class SSM(MomentumMethod):
    """Separation of a line from its inversion, flipped or turned by half, that is laid over it (Gao et al. 2024,
    arXiv:2405.05841).

    A decoder with a prompt gives the frames of the line or those of its inversion. They reconstruct the pixels, and are
    contrasted with those of the target network for another view with the same inversion. The targets of pixels are
    those of `masked`. In the authors' code the decoder has 4 blocks, and `contrast` rises to 0.25 in the second half of
    the run.
    """

    transform = SuperimposedViews
    layer: ClassVar[str] = "transformer"
    line_defaults: ClassVar[dict] = {"views": "roaming", "correspondence": "geometry"}

    frames: str = key(
        "windows:4", "instance mapping of the contrast: frames:5, windows:4, all or none, as elsewhere", free=True
    )
    target_momentum: float = key(
        0.995, "EMA decay of the target network at the start; it rises to 1 by a half cosine", least=0, most=1
    )
    contrast: float = key(0.25, "weight of the contrastive loss, relative to the reconstruction loss", least=0)
    temperature: float = key(0.2, "temperature of the contrastive softmax", least=1e-3)
    decoder_depth: int = key(2, "Transformer blocks of the decoder", least=1, most=DEEPEST)
    hidden_dim: int = key(512, "width of the heads' hidden layers; 4096 in the paper", least=1, most=WIDEST)
    projection_dim: int = key(256, "output size of the projection head", least=1, most=WIDEST)

    def make_transform(self, views):
        return SuperimposedViews(views)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.decoder = PromptedDecoder(encoder.dim, self.decoder_depth, 4, 1 + len(INVERSIONS), name="decoder")
        self.decoder(tf.zeros((1, encoder.grid[1], encoder.dim)), tf.zeros(1, tf.int32))
        self.pixels = strip_decoder(encoder, channels=1)
        dims = (self.hidden_dim, self.projection_dim)
        self.projector = mlp((self.hidden_dim, *dims), "projector", input_dim=encoder.dim, output_norm=True)
        self.predictor = mlp(dims, "predictor", input_dim=self.projection_dim, output_norm=True)
        self.target = Momentum(self.encoder, self.decoder, self.projector, name="target")

    def embed(self, batch, training):
        """Of views that need not be superimposed."""
        features, mask = self.encode(batch, training)
        x = self.decoder(features, tf.zeros(tf.shape(features)[0], tf.int32), mask, training=training)
        return features, mask, self.projector(x, mask, training=training)

    def separated(self, batch: dict[str, tf.Tensor], training: bool):
        """Decoded frames of the lines of one view, followed by those of their inversions, `[2B, T, D]`, and the mask of
        both, `[2B, T]` or None."""
        features, mask = self.encode(batch, training)
        prompts = tf.concat([tf.zeros_like(batch["inversion"]), 1 + batch["inversion"]], axis=0)
        mask = None if mask is None else tf.tile(mask, [2, 1])
        return self.decoder(tf.tile(features, [2, 1, 1]), prompts, mask, training=training), mask

    def loss(self, batch, training):
        first, second = one_view(batch, 0), one_view(batch, 1)
        x, mask = self.separated(first, training)
        queries = self.predictor(self.projector(x, mask, training=training), mask, training=training)
        with self.target.weights_in_use(), by_batch(training):
            y, _ = self.separated(second, training=False)
            keys = self.projector(y, mask, training=False)
        contrast = self.contrast_loss(queries, keys, mask, batch)
        error, trivial = (self.pixel_error(images, batch) for images in (self.pixels(x)[..., 0], None))
        loss = 2 * error + self.contrast * contrast  # the sum over the line and its inversion
        return {"loss": loss, "error": error, "trivial_error": trivial, "contrast": contrast}

    def pixel_error(self, images: tf.Tensor | None, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """Mean squared error of reconstructions `[2B, H, W]`; None: of an empty image, the trivial prediction."""
        originals = stacked(batch["originals"])
        images = tf.zeros(tf.shape(originals)) if images is None else images
        widths = tf.tile(batch["width"], [2]) if "width" in batch else None
        columns = tf.ones([tf.shape(originals)[0], originals.shape[2]], tf.bool)
        return reconstruction_loss(images, originals, columns, 1.0, widths)

    def contrast_loss(self, queries: tf.Tensor, keys: tf.Tensor, mask, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """MoCo v3's loss of lines and of inversions, from their frames `[2B, T, D]` in each view."""
        pooled = []
        for i, z in enumerate((queries, keys)):
            both = tf.stack([batch[name][:, i] for name in ("geometry", "inverted_geometry")], axis=1)
            pooled.append(self.pool(z, {"geometry": both}, mask))
        (queries, visible), (keys, key_visible) = pooled
        visible = tf.ones(tf.shape(queries)[:2], tf.bool) if visible is None else visible & key_visible
        rows = [
            gather(tf.boolean_mask(z, seen))
            for z, seen in zip([*tf.split(queries, 2), *tf.split(keys, 2)], tf.split(visible, 2) * 2)
        ]
        return losses.moco_v3(rows[0], rows[2], rows[1], rows[3], self.temperature)

    def preview_inputs(self, batch):
        line, inversion = (in_gray(batch["originals"][:, i]) for i in range(2))
        return {"view": batch["views"][:, 0], "line": line, "inversion": inversion}

    def preview_outputs(self, batch):
        batch = {name: tf.constant(array) for name, array in batch.items()}
        x, _ = self.separated(one_view(batch, 0), training=False)
        levels = 128 + 64 * self.pixels(x)[..., 0].numpy()  # the output is standardised
        images = in_gray(np.clip(levels, 0, 255).astype(np.uint8))
        return dict(zip(("line, reconstructed", "inversion, reconstructed"), np.split(images, 2)))
