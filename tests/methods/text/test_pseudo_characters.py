"""Contrast of characters that a teacher predicts in real images, beside generated ones."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.loader import as_batch
from seqclr.methods import METHODS
from seqclr.methods.base import stacked
from seqclr.methods.text.characters import alike, character_contrast
from seqclr.methods.text.ctc import ctc_loss
from seqclr.methods.text.self_training import teacher_logits, teacher_texts
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


@pytest.mark.parametrize(("least", "accepted"), [(0.0, 1), (1.0, 0)])
def test_real_images_count_where_the_teacher_is_sure(least, accepted):
    keras.utils.set_random_seed(0)
    method = METHODS["pseudo_characters"](characters="0123456789", length="2:3", contrast=0.5, confidence=least)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    transform, rng = method.make_transform("none"), np.random.default_rng(0)
    batch = {name: tf.constant(rows) for name, rows in as_batch([transform(p, rng) for p in tiny.pages(4)]).items()}
    transform.close()
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
