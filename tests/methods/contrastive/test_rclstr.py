"""Contrast at three levels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


def test_the_loss_is_the_contrast_of_each_level_and_the_relations_within_and_between():
    keras.utils.set_random_seed(0)
    method = METHODS["rclstr"](frames="none", queue_size=12, relations=0.5)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    batch = {name: tf.constant(value) for name, value in tiny.seeded(4).items()}
    logs = method.loss(batch, training=False)
    x = np.split(method.encode(batch, training=False)[0].numpy(), 2)
    windows = [[half.reshape(4, count, -1, half.shape[-1]).mean(2) for half in x] for count in (16, 4, 1)]
    heads = method.projector, method.segment_projector, method.line_projector
    (fq, fk), (sq, sk), (lq, lk) = (
        [head(half, training=False).numpy().reshape(-1, method.projection_dim) for half in level]
        for head, level in zip(heads, windows)
    )
    frames, segments, lines = (q.keys.value for q in (method.queue, method.segment_queue, method.line_queue))
    contrast = sum(losses.info_nce_queue(*rows) for rows in ((fq, fk, frames), (sq, sk, segments), (lq, lk, lines)))
    relations = sum(
        losses.relational(*rows)
        for rows in ((fq, fk, frames), (sq, sk, segments), (lq, lk, lines),
                     (fq, sk.repeat(4, 0), segments), (sq, lk.repeat(4, 0), lines))
    )  # fmt: skip
    assert float(logs["contrast"]) == pytest.approx(float(contrast), rel=1e-4)
    assert float(logs["relations"]) == pytest.approx(float(relations), rel=1e-3)
    assert float(logs["loss"]) == pytest.approx(float(contrast + 0.5 * relations), rel=1e-3)


def test_each_level_has_a_queue_of_its_own_keys():
    method = METHODS["rclstr"](frames="windows:8", queue_size=64)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    method.loss({name: tf.constant(value) for name, value in tiny.seeded(4).items()}, training=True)
    queues = method.queue, method.segment_queue, method.line_queue
    assert [int(queue.oldest.value) for queue in queues] == [4 * 8, 4 * 4, 4]
