"""Generators, and the positions of patches."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.discriminators import PatchDiscriminator
from seqclr.nn.encoders import build_encoder
from seqclr.nn.generators import Generator, patch_indices


@pytest.mark.parametrize("skips", [False, True])
@pytest.mark.parametrize("size", [(16, 32), (15, 27)])
@pytest.mark.usefixtures("least_networks")
def test_an_image_of_any_size_keeps_it_and_every_layer_counts(size, skips):
    encoder = build_encoder("least", *size, "none", dropout=0.0)
    generator = Generator(encoder, 4, 2, skips)
    images = np.random.default_rng(0).integers(0, 256, (2, *size, 3)).astype(np.uint8)
    with tf.GradientTape() as tape:
        found = generator(images, encoder(images)[0])
        loss = tf.reduce_mean(tf.square(found - 99))
    assert found.shape == images.shape and 0 <= float(tf.reduce_min(found)) <= float(tf.reduce_max(found)) <= 255
    for variable, gradient in zip(generator.trainable_variables, tape.gradient(loss, generator.trainable_variables)):
        assert float(tf.reduce_max(tf.abs(gradient))) > 0, variable.path
    maps = generator.encode(images, encoder(images)[0])
    assert [(layer, -(-size[1] // maps[layer].shape[2])) for layer, _ in generator.compared()] == generator.compared()


def test_positions_of_patches_are_rows_and_columns_of_the_content():
    """Four rows; of eight columns at half the size, all are filled in one image and three in the other."""
    positions = np.float32([[[0, 0], [0.5, 0.5], [1 - 2**-24, 1 - 2**-24]]] * 2)
    assert patch_indices(positions, (4, 8), None, 2).numpy().tolist() == [[0, 20, 31]] * 2
    assert patch_indices(positions, (4, 8), np.int32([16, 5]), 2).numpy().tolist() == [[0, 20, 31], [0, 17, 26]]


def test_a_score_of_the_discriminator_depends_on_34_by_34_pixels():
    """Without the instance norm, through which every pixel changes all scores a little."""
    discriminator = PatchDiscriminator(64, 96)
    image = tf.Variable(np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3)).astype(np.float32))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("seqclr.nn.discriminators.instance_norm", lambda x, valid: x)
        with tf.GradientTape() as tape:
            score = discriminator(image)[0][0, 8, 12]
    seen = np.argwhere(np.abs(tape.gradient(score, image)[0]).sum(-1) > 0)
    assert (seen.max(0) - seen.min(0) + 1).tolist() == [34, 34]
