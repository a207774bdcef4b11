"""Character-to-character distillation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import stacked
from seqclr.methods.distillation.dino import DINO
from seqclr.methods.multicrop import gathered
from seqclr.methods.registry import register
from seqclr.nn import frames
from seqclr.nn.encoders import LAYERS
from seqclr.transforms.characters import CharacterViews

RED, BLUE = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)  # of characters in the preview


@register("ccd", paper="Guan et al. 2023, arXiv:2211.00288", needs_lines="its instances are characters of a line")
@dataclass
class CCD(DINO):
    """DINO on characters (Guan et al. 2023, arXiv:2211.00288): the student predicts the teacher's distribution over
    prototypes for the same character in the other view.

    Characters are found by their ink, and in the views by the known geometry. The authors also train a segmentation
    head on the ink, whose masks replace it later, and average over pixels; here a frame has the full height. Their EMA
    decay is 0.9995.
    """

    transform = CharacterViews
    frames: ClassVar[str] = "frames:2"  # of the monitor's instances
    correspondence: ClassVar[str] = "geometry"
    line_defaults: ClassVar[dict] = {"views": "roaming"}
    image_defaults: ClassVar[dict] = {"views": "images"}

    layer: str = key("cnn", "layer whose frames are averaged: transformer, or cnn, before it", choices=LAYERS)
    characters: int = key(26, "most characters of a line; of more, a random part is used", least=1, most=1000)
    teacher_temperature: float = key(0.04, "temperature of the teacher's softmax after its warm-up", least=1e-3)

    def make_transform(self, views):
        return CharacterViews(views, self.characters)

    def crops(self, batch, training, small=True):
        features, mask = self.encode(batch, training)
        spans = tf.tile(batch["characters"], [2, 1, 1])
        pooled, visible = frames.pool_spans(tf.cast(features, tf.float32), spans, mask, stacked(batch["geometry"]))
        return gathered(self.projector(pooled, visible, training=training), visible, views=2)

    def preview_inputs(self, batch):
        """The views, in which characters are tinted blue and red by turns."""
        views = {}
        for i in range(2):
            images = batch["views"][:, i].copy()
            factor, offset = batch["geometry"][:, i, :2].T[..., None, None]
            edges = np.sort((batch["characters"] * factor + offset) * images.shape[2], axis=-1)
            for image, spans in zip(images, edges.round().astype(int).clip(0)):
                for n, (first, last) in enumerate(spans):
                    image[:, first:last] = image[:, first:last] // 2 + (RED if n % 2 else BLUE) // 2
            views[f"view {i + 1}"] = images
        return views
