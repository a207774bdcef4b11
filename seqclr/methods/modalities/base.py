"""Base of the methods that distil the network of another modality into the encoder of colour frames."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import tensorflow as tf
from keras import layers

from seqclr import losses
from seqclr.config import WIDEST, key
from seqclr.data.sequences import Sequences
from seqclr.methods.base import Method, stacked
from seqclr.methods.facts import Facts
from seqclr.nn.modalities import ModalityNetwork
from seqclr.nn.replicas import gather

PAPER = "Piergiovanni et al. 2020, arXiv:2002.12177"


@dataclass
class ModalityDistillation(Method):
    """The network of a modality learns a contrast in time, and the encoder predicts its embedding of the same time.

    Two times of a sequence are positives, the other sequences of the batch negatives. The embedding is the target of a
    linear layer of the encoder's features, by the squared distance of unit vectors; no gradient flows into the network
    of the modality, which is not part of the result. The paper trains it by more tasks, and distils several layers.
    """

    facts = Facts(
        negatives="other sequences of the batch",
        needs_images="a line of text is not a sequence in time",
        needs_whole_batch="the other sequences of it are the negatives",
    )
    animated = True
    defaults: ClassVar[dict] = {"views": "none"}

    temperature: float = key(0.1, "temperature of the softmax of the modality's contrast in time", least=1e-3)
    embedding_dim: int = key(128, "size of the modality's embedding", least=1, most=WIDEST)

    def records(self, dataset):
        return Sequences(dataset, self.transform.shortest)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.network = ModalityNetwork(self.embedding_dim, name="network")
        self.network(tf.zeros((1, 8, 8, self.transform.channels), tf.uint8))  # makes its weights
        self.predictor = layers.Dense(self.embedding_dim, name="predictor")
        self.predictor.build((None, encoder.dim))

    def loss(self, batch, training):
        embedding = tf.cast(self.network(stacked(batch["modality"]), training=training), tf.float32)
        index = gather(batch["index"])
        first, second = map(gather, tf.split(embedding, 2))
        contrast = losses.info_nce(
            first, second, self.temperature, lambda rows: tf.gather(index, rows)[:, None] != index
        )
        features, _ = self.encoder(stacked(batch["views"]), training=training, layer=self.layer)
        predicted = self.predictor(tf.reduce_mean(tf.cast(features, tf.float32), axis=1))
        distillation = losses.byol(predicted, embedding)
        return {"loss": contrast + distillation, "contrast": contrast, "distillation": distillation}

    def preview_inputs(self, batch):
        shown = {}
        for i in range(2):
            image = batch["modality"][:, i]
            shown[f"frame {i + 1}"] = batch["views"][:, i]
            shown[f"{self.transform.modality} {i + 1}"] = np.repeat(image, 3 // image.shape[-1], axis=-1)
        return shown
