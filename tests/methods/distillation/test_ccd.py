"""Distillation of characters."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


def test_the_loss_is_that_of_dino_on_the_means_of_characters():
    """Two characters in the first three images, of 4 and of 8 frames; none in the last."""
    keras.utils.set_random_seed(0)
    method = METHODS["ccd"](prototypes=8)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    characters = np.tile(np.float32([[0, 0.25], [0.5, 1], [0, 0]]), (4, 1, 1))
    characters[3] = 0
    batch = {name: tf.constant(value) for name, value in {**tiny.seeded(4), "characters": characters}.items()}
    loss = method.loss(batch, training=False)["loss"]
    x = method.encode(batch, training=False)[0].numpy()
    views = [np.concatenate([half[:3, :4].mean(1), half[:3, 8:].mean(1)]) for half in np.split(x, 2)]
    logits = [method.logits(method.projector(rows[None], training=False)[0]) for rows in views]
    expected = losses.dino(logits, logits, np.zeros(8), method.temperature, method.first_teacher_temperature)
    assert float(loss) == pytest.approx(float(expected), rel=1e-4)


def test_without_any_character_there_is_nothing_to_learn():
    method = METHODS["ccd"](prototypes=8)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    batch = {**tiny.seeded(4), "characters": np.zeros((4, 3, 2), np.float32)}
    assert float(method.loss({name: tf.constant(value) for name, value in batch.items()}, training=True)["loss"]) == 0
