"""Characters that a teacher predicts too seldom are made likelier to it."""

from __future__ import annotations

import keras
import tensorflow as tf

from seqclr.nn.replicas import gather

MEMORY = 0.98  # decay of the average of the frequencies, for each batch
RATE = 0.1  # step of the bonus, in logits, for a missing character that should be as frequent as others


class CharacterBalance(keras.layers.Layer):
    """A bonus for the logit of each character, such that none is rarer in the teacher's texts than a least frequency.

    Self-training makes a wrong pair of characters sure: once every 0 is predicted as o, no pseudo-label says 0. The
    bonus is the Lagrange multiplier of the constraint `frequency >= least / characters`, found by dual ascent: it rises
    while a character is too rare, falls again when it is not, and is never negative. Unlike the distribution alignment
    of ReMixMatch (Berthelot et al. 2020, arXiv:1911.09785), it leaves all frequencies above the least one alone.

    characters: number of classes without the blank, which is last. least: relative to equal frequencies.
    """

    def __init__(self, characters: int, least: float, name: str = "balance"):
        super().__init__(name=name)
        self.characters, self.least = characters, least
        equal = keras.initializers.Constant(1 / characters)
        self.frequency = self.add_weight(shape=(characters,), initializer=equal, trainable=False, name="frequency")
        self.bonus = self.add_weight(shape=(characters,), initializer="zeros", trainable=False, name="bonus")
        self.built = True

    def call(self, logits: tf.Tensor) -> tf.Tensor:
        """Logits `[B, T, characters + 1]` with the bonus."""
        return logits + tf.cast(tf.pad(self.bonus.value, [[0, 1]]), logits.dtype)

    def count(self, texts: tf.Tensor) -> None:
        """Updates the frequencies and the bonus, in a step. texts: `int32 [B, L]` of this replica, filled with -1."""
        seen = tf.reduce_sum(gather(tf.reduce_sum(tf.one_hot(texts, self.characters), axis=1)), axis=0)
        frequency = tf.math.divide_no_nan(seen, tf.reduce_sum(seen))
        frequency = MEMORY * self.frequency.value + (1 - MEMORY) * frequency
        self.frequency.assign(frequency)
        self.bonus.assign(tf.maximum(self.bonus.value + RATE * (self.least - self.characters * frequency), 0.0))
