"""DeepCluster on frames."""

from __future__ import annotations

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from seqclr.config import MANY, key
from seqclr.methods.clustering.surrogate import NONE, Relabelled, check_classes
from seqclr.methods.registry import register
from seqclr.nn import clusters


@register(
    "deep_cluster",
    paper="Caron et al. 2018, arXiv:1807.05520",
    needs_whole_batch="the weights of its classes are normalised over the batch",
)
@dataclass
class DeepCluster(Relabelled):
    """Classification of instances into the k-means clusters of their features, found before each pass over the data
    (Caron et al. 2018, arXiv:1807.05520).

    Each clustering reinitialises the classifier. Classes have equal weights in the loss, where the paper samples images
    uniformly over classes. There is no Sobel filter before the encoder. `agreement` is the normalised mutual
    information with the previous clusters.
    """

    clusters: int = key(
        100, "number of clusters, the classes; 10,000 in the paper, for 1.3 million images", least=2, most=MANY
    )

    def build(self, encoder, run=None):
        super().build(encoder, run)
        present = self.present()
        check_classes("clusters", self.clusters, int(present.sum()))
        self.make_head(self.clusters)
        self.make_labels(np.where(present, 0, NONE))
        self.shares = keras.Variable(tf.ones(self.clusters), trainable=False, name="shares")
        self.agreement = keras.Variable(0.0, trainable=False, name="agreement")

    def relabel(self, batches):
        rounds = int(self.rounds.numpy())
        features, present = self.pooled_features(batches)
        found = clusters.k_means(features, self.clusters, seed=rounds)
        self.agreement.assign(clusters.agreement(self.labels.numpy()[present], found))
        self.assign_labels(found, present)
        counts = np.bincount(found, minlength=self.clusters)
        self.shares.assign(len(found) / (self.clusters * np.maximum(counts, 1)))
        self.restart_head()
        self.rounds.assign(rounds + 1)

    def weights(self, labels):
        return tf.gather(self.shares.value, tf.maximum(labels, 0))  # rows of class NONE are masked elsewhere

    def loss(self, batch, training):
        return {**super().loss(batch, training), "agreement": self.agreement.value}
