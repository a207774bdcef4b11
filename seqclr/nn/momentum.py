"""Exponential moving averages (EMA) of weights: target networks, key encoders and teachers."""

from __future__ import annotations

import contextlib

import keras
import tensorflow as tf


class Momentum(keras.layers.Layer):
    """The moving average of all weights of built networks, equal to them at first; `update` moves it.

    Batch norm's statistics are averaged too. There is no second network: inside `weights_in_use` the networks compute
    with the average. As a part of a method it is in every checkpoint, and it never gets a gradient.

    Mean Teacher (Tarvainen & Valpola 2017, arXiv:1703.01780); also the target of BYOL, MoCo and DINO.
    """

    def __init__(self, *networks: keras.Layer, name: str = "momentum"):
        super().__init__(name=name)
        followed = [v for net in networks for v in net.variables if keras.backend.is_float_dtype(v.dtype)]
        self.updates = self.add_weight(shape=(), dtype="int64", initializer="zeros", trainable=False, name="updates")
        copies = [
            self.add_weight(shape=v.shape, dtype=v.dtype, trainable=False, name=v.path.replace("/", "_"))
            for v in followed
        ]
        for copy, variable in zip(copies, followed):
            copy.assign(variable)
        # averages and weights; a function, as Keras would track variables in an attribute as weights of this layer
        self.pairs = lambda: zip(copies, followed)
        self.built = True

    def ramped(self, decay: float) -> tf.Tensor:
        """The decay after n updates, at most `(1 + n) / (10 + n)`, so that the average soon forgets its start."""
        n = tf.cast(self.updates.value, tf.float32)
        return tf.minimum(decay, (1 + n) / (10 + n))

    def update(self, decay: float | tf.Tensor) -> None:
        """Sets `average = decay * average + (1 - decay) * weight`, in a step, after the weights were updated."""
        for copy, variable in self.pairs():
            copy.assign(decay * copy.value + (1 - decay) * variable.value)
        self.updates.assign(self.updates.value + 1)

    def weights_in_use(self) -> keras.StatelessScope:
        """`with momentum.weights_in_use():` the networks compute with the average; assignments to it are dropped."""
        return keras.StatelessScope([(variable, copy) for copy, variable in self.pairs()])

    @contextlib.contextmanager
    def exchanged(self):
        """A context in which the networks hold the average, for use outside of a step."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for copy, variable in self.pairs():
            held = copy.numpy()
            copy.assign(variable.numpy())
            variable.assign(held)


def in_place(copy: Momentum | None) -> contextlib.AbstractContextManager:
    """`with in_place(method.result()):` the networks hold the weights that are the run's result."""
    return contextlib.nullcontext() if copy is None else copy.exchanged()
