"""Prediction of masked strips."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.reconstruction.masked import reconstruction_loss
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


def test_the_loss_is_the_weighted_error_of_the_columns():
    """Against loops: hidden columns with weight 1, others with `visible`, padding with none; pages standardised."""
    rng = np.random.default_rng(0)
    pages = rng.integers(0, 256, (2, 3, 10)).astype(np.uint8)
    hidden = rng.random((2, 10)) < 0.5
    drawn = rng.normal(size=(2, 3, 10)).astype(np.float32)
    for widths in ([10, 10], [10, 7]):
        means = []
        for page, columns, found, width in zip(pages.astype(float), hidden, drawn, widths):
            page = (page - page[:, :width].mean()) / np.sqrt(page[:, :width].var() + 25)
            total = weights = 0.0
            for column in range(width):
                weight = 1.0 if columns[column] else 0.3
                total += weight * np.mean((found[:, column] - page[:, column]) ** 2)
                weights += weight
            means.append(total / weights)
        loss = reconstruction_loss(*map(tf.constant, (drawn, pages, hidden)), 0.3, tf.constant(widths))
        assert float(loss) == pytest.approx(np.mean(means), rel=1e-5)


@pytest.mark.slow
def test_masked_learns_to_reconstruct(tmp_path):
    job = tiny.trainer(tmp_path / "run", "masked", encoder="tiny", steps=60, learning_rate=3e-3)
    held = {key: tf.constant(value) for key, value in next(job.loader).items()}
    before = float(job.method.loss(held, training=False)["loss"])
    job.fit()
    assert float(job.method.loss(held, training=False)["loss"]) < 0.7 * before


@pytest.mark.parametrize("weight", [0.0, 1.0])
def test_masked_simclr_adds_the_two(weight):
    keras.utils.set_random_seed(0)
    method = METHODS["masked_simclr"](reconstruction=weight, layer="cnn")
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    batch = {key: tf.constant(value) for key, value in tiny.seeded(4).items()}
    with tf.GradientTape() as tape:
        logs = method.loss(batch, training=False)
    assert float(logs["loss"]) == pytest.approx(float(logs["contrast"] + weight * logs["reconstruction"]), rel=1e-5)
    _, mask, z = method.embed(batch, training=False)
    alone = method.compare(method.instances(z, batch, mask))
    assert float(logs["contrast"]) == pytest.approx(float(alone), rel=1e-4)
    block = method.encoder.transformer[0].expand.kernel
    gradient = tape.gradient(logs["loss"], block)  # contrast before the Transformer leaves it alone
    assert (gradient is None or float(tf.reduce_max(tf.abs(gradient))) == 0) == (weight == 0)


def test_no_span_is_refused():
    with pytest.raises(UserError, match="spans 0"):
        METHODS["masked"](spans=0)
