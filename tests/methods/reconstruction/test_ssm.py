"""Separation of superimposed lines."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.data.loader import as_batch
from seqclr.methods import METHODS
from seqclr.methods.base import one_view
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


@pytest.fixture(scope="module")
def made():
    """The method and a batch of lines."""
    keras.utils.set_random_seed(0)
    method = METHODS["ssm"](hidden_dim=32, decoder_depth=1, contrast=0.5, correspondence="geometry")
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    transform = method.make_transform("none")
    rows = [transform(page, np.random.default_rng(i)) for i, page in enumerate(tiny.pages(8))]
    return method, {name: tf.constant(value) for name, value in as_batch(rows).items()}


def test_the_loss_is_of_both_reconstructions_and_of_both_contrasts(made):
    """In whole views, where the segments of a mirrored inversion come from the other end."""
    method, batch = made
    logs = method.loss(batch, training=False)
    x, _ = method.separated(one_view(batch, 0), training=False)
    pages = np.concatenate(batch["originals"].numpy().swapaxes(0, 1)).astype(float)
    pages = [(page - page.mean()) / np.sqrt(page.var() + 25) for page in pages]
    errors = np.square(method.pixels(x)[..., 0].numpy() - pages)
    assert float(logs["error"]) == pytest.approx(np.mean(errors), rel=1e-4)
    z = method.projector(x, training=False)
    q, k = (rows.numpy().reshape(16, 4, 4, -1).mean(2) for rows in (method.predictor(z, training=False), z))
    mirrored = np.isin(batch["inversion"], [0, 2])
    for rows in (q, k):
        rows[8:][mirrored] = rows[8:][mirrored, ::-1]
    (q1, q2), (k1, k2) = (rows.reshape(2, 32, -1) for rows in (q, k))  # both views are the same
    contrast = losses.moco_v3(q1, k1, q2, k2, 0.2)
    assert float(logs["contrast"]) == pytest.approx(float(contrast), rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(float(2 * logs["error"] + 0.5 * contrast), rel=1e-4)


def test_the_prompt_decides_what_is_decoded(made):
    method, batch = made
    x, _ = method.separated(one_view(batch, 0), training=False)
    line, inversion = np.split(x.numpy(), 2)
    assert np.abs(line - inversion).max() > 1e-3


@pytest.mark.slow
def test_lines_are_separated_better_than_by_an_empty_image(tmp_path):
    job = tiny.trainer(tmp_path / "run", "ssm", encoder="tiny", steps=60, learning_rate=3e-3, hidden_dim=64)
    held = {name: tf.constant(value) for name, value in next(job.loader).items()}
    job.fit()
    logs = job.method.loss(held, training=False)
    assert float(logs["error"]) < 0.7 * float(logs["trivial_error"])
