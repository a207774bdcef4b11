"""Batch norm in one kernel is Keras' own: values, gradients, moving statistics."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.norm import batch_norm, instance_norm


def trained(layer, x, weights):
    """Output, gradients of the input, scale and offset, and moving statistics after a step in training."""

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = layer(x, training=True)
            loss = tf.reduce_mean(weights * tf.cast(y, tf.float32))
        return y, *tape.gradient(loss, [x, *layer.trainable_variables])

    seen = [*step(tf.cast(x, layer.compute_dtype)), layer.moving_mean, layer.moving_variance]
    return seen[0].dtype, [tf.cast(value, tf.float32).numpy() for value in seen]


@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(6, 4, 9, 8), (6, 9, 8), (6, 8)])
def test_it_is_keras_own(shape, affine, precision):
    keras.mixed_precision.set_global_policy(precision)
    rng = np.random.default_rng(0)
    x, weights = rng.normal(2, 3, shape).astype(np.float32), rng.normal(size=shape).astype(np.float32)
    ours = batch_norm("bn", center=affine, scale=affine)
    theirs = keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, center=affine, scale=affine)
    for layer in (ours, theirs):
        layer.build(shape)
        if affine:
            layer.gamma.assign(np.linspace(0.5, 2, 8))
            layer.beta.assign(np.linspace(-1, 1, 8))
    (kind, found), (wanted_kind, wanted) = trained(ours, x, weights), trained(theirs, x, weights)
    assert kind == wanted_kind
    rounding = {"float32": 0.0, "mixed_bfloat16": 2**-7, "mixed_float16": 2**-10}[precision]  # of output and gradient
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-5 + rounding)


def test_one_row_has_no_variance():
    layer = batch_norm("bn")
    layer.build((1, 4))
    np.testing.assert_array_equal(layer(np.full((1, 4), 3.0, np.float32), training=True), np.zeros((1, 4)))
    np.testing.assert_allclose(layer.moving_variance, 0.9)


def test_a_frozen_layer_uses_the_statistics_it_has():
    layer = batch_norm("bn")
    layer.build((8, 4))
    layer.trainable = False
    x = np.random.default_rng(0).normal(5, 2, (8, 4)).astype(np.float32)
    np.testing.assert_allclose(layer(x, training=True), x, rtol=1e-4)
    np.testing.assert_array_equal(layer.moving_mean, np.zeros(4))


@pytest.mark.parametrize("widths", [None, [9, 4]])
def test_instance_norm_takes_the_pixels_of_each_image_and_channel(widths):
    x = np.random.default_rng(0).normal(3, 2, (2, 4, 9, 3)).astype(np.float32)
    valid = None if widths is None else tf.constant(np.arange(9) < np.array(widths)[:, None])
    found = instance_norm(tf.constant(x), valid).numpy()
    for image, before, width in zip(found, x, widths or [9, 9]):
        content = before[:, :width]
        expected = (content - content.mean((0, 1))) / np.sqrt(content.var((0, 1)) + 1e-5)
        np.testing.assert_allclose(image[:, :width], expected, atol=1e-5)
