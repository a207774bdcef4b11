"""Encoders of other channels than three."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.methods.pictures import SIDE, train

pytestmark = pytest.mark.usefixtures("least_networks")


def test_an_encoder_of_one_channel_learns():
    """Which way is up of images that are light above, in any colour."""
    keras.utils.set_random_seed(0)
    rng = np.random.default_rng(0)
    light = np.linspace(1, 0.1, SIDE)[:, None, None] * rng.uniform(100, 255, (16, 1, 1, 3))
    images = (light + rng.normal(0, 10, (16, SIDE, SIDE, 3))).clip(0, 255).astype(np.uint8)
    method = METHODS["rotation"]()
    method.build(build_encoder("least_picture", SIDE, SIDE, "none", channels=1))
    batch = {"views": tf.constant(images[:, None])}
    before = float(method.loss(batch, training=True)["accuracy"])
    assert before < 0.6 and float(train(method, batch, 20)["accuracy"]) > 0.9
