"""Losses of characters that a teacher predicts in real images, beside generated ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.loader import as_batch
from seqclr.methods import METHODS
from seqclr.methods.base import stacked
from seqclr.methods.text.characters import alike, character_contrast, pool_characters
from seqclr.methods.text.ctc import ctc_loss
from seqclr.methods.text.self_training import teacher_logits, teacher_texts
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


def made(name, **keys):
    """The method, and a batch of four images."""
    keras.utils.set_random_seed(0)
    method = METHODS[name](characters="0123456789", length="2:3", **keys)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    transform, rng = method.make_transform("none"), np.random.default_rng(0)
    batch = as_batch([transform(page, rng) for page in tiny.pages(4)])
    transform.close()
    return method, {name: tf.constant(rows) for name, rows in batch.items()}


@pytest.mark.parametrize(("least", "accepted"), [(0.0, 1), (1.0, 0)])
def test_real_images_count_where_the_teacher_is_sure(least, accepted):
    method, batch = made("pseudo_characters", contrast=0.5, confidence=least)
    images, texts = stacked(batch["generated"]), stacked(batch["label"])
    predicted, _ = teacher_texts(method, *teacher_logits(method, batch["weak"], None))
    features, _ = method.encoder(tf.concat([images, batch["strong"]], 0), training=False)
    logits, rows = method.head(features, training=False), method.projector(features, training=False)
    used = tf.constant([True] * 4 + [bool(accepted)] * 4)
    contrast = character_contrast(rows, logits, tf.concat(alike(texts, predicted), 0), used)
    logs = method.loss(batch, training=False)
    assert float(logs["accepted"]) == accepted and (predicted[:, 0] >= 0).numpy().all()
    assert float(logs["contrast"]) == pytest.approx(float(contrast), rel=1e-4)
    expected = float(tf.reduce_mean(ctc_loss(texts, logits[:4])) + 0.5 * contrast)
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-4)


def test_codes_use_all_characters_equally_and_are_predicted_in_the_strong_view():
    method, batch = made("character_clusters", assignment=0.5, epsilon=1.0)
    logits, _ = teacher_logits(method, batch["weak"], None)
    texts, _ = teacher_texts(method, logits, None)
    other = method.head(method.encoder(batch["strong"], training=False)[0], training=False)
    weak, strong = (pool_characters(x, x, texts)[texts >= 0].numpy()[:, :-1] for x in (logits, other))
    codes = np.exp(weak)
    for _ in range(3):
        codes /= codes.sum(0)
        codes /= codes.sum(1, keepdims=True)
    expected = -np.mean(np.sum(codes * tf.nn.log_softmax(strong).numpy(), axis=1))
    logs = method.loss(batch, training=False)
    assert float(logs["assignment"]) == pytest.approx(expected, rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(float(logs["ctc"] + 0.5 * logs["assignment"]), rel=1e-5)
