"""Characters that a teacher predicts too seldom are made likelier to it."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from seqclr.nn.replicas import gather

FIRST = 50  # batches that say which characters occur
OCCURS = 0.25  # frequency in these, relative to that of a typical character, from which one is taken to occur
MEMORY = 0.98  # decay of the average of the frequencies, for each batch
RATE = 0.1  # step of the bonus, in logits, for a missing character that should be as frequent as others


class CharacterBalance(keras.layers.Layer):
    """A bonus for the logit of each character, such that none is rarer in the teacher's texts than a least frequency.

    Self-training makes a wrong pair of characters sure: once every 0 is predicted as o, no pseudo-label says 0. The
    bonus is the Lagrange multiplier of the constraint `frequency >= least / characters`, found by dual ascent: it rises
    while a character is too rare, falls again when it is not, and is never negative. Unlike the distribution alignment
    of ReMixMatch (Berthelot et al. 2020, arXiv:1911.09785), it leaves all frequencies above the least one alone.
    Characters that hardly occur in the first batches are left out: the site may not have them.

    counted: for each class without the blank, which is last, whether it is to be as frequent as others. least: relative
    to equal frequencies of the counted characters that occur.
    """

    def __init__(self, counted: Sequence[bool], least: float, name: str = "balance"):
        super().__init__(name=name)
        self.counted, self.least = tf.constant(counted, tf.float32), least
        shape, zeros = (len(counted),), {"initializer": "zeros", "trainable": False}
        self.updates = self.add_weight(shape=(), dtype="int32", name="updates", **zeros)
        self.first = self.add_weight(shape=shape, name="first", **zeros)  # mean frequencies of the first batches
        self.frequency = self.add_weight(shape=shape, name="frequency", **zeros)
        self.bonus = self.add_weight(shape=shape, name="bonus", **zeros)
        self.built = True

    def call(self, logits: tf.Tensor) -> tf.Tensor:
        """Logits `[B, T, classes]` with the bonus."""
        return logits + tf.cast(tf.pad(self.bonus.value, [[0, 1]]), logits.dtype)

    def count(self, texts: tf.Tensor) -> None:
        """Updates the frequencies and the bonus, in a step. texts: `int32 [B, L]` of this replica, filled with -1."""
        seen = gather(tf.reduce_sum(tf.one_hot(texts, self.counted.shape[0]), axis=1))
        frequency = shares(tf.reduce_sum(seen, axis=0) * self.counted)
        early, batches = self.updates.value < FIRST, tf.cast(self.updates.value, tf.float32)
        first = tf.where(early, (batches * self.first.value + frequency) / (batches + 1), self.first.value)
        average = tf.where(early, first, MEMORY * self.frequency.value + (1 - MEMORY) * frequency)
        # the mean over the characters of the texts is that of a typical one, however many never occur
        occurs = tf.cast(first >= OCCURS * tf.reduce_sum(first**2), tf.float32) * self.counted
        relative = tf.reduce_sum(occurs) * shares(average * occurs)
        bonus = tf.maximum(self.bonus.value + RATE * (self.least - relative), 0.0) * occurs
        self.bonus.assign(tf.where(early, tf.zeros_like(bonus), bonus))
        self.first.assign(first)
        self.frequency.assign(average)
        self.updates.assign(self.updates.value + 1)


def shares(counts: tf.Tensor) -> tf.Tensor:
    """Counts as shares of their sum; all 0 if the sum is 0."""
    return tf.math.divide_no_nan(counts, tf.reduce_sum(counts))
