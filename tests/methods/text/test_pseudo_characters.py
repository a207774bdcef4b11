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


TEXTS = np.int32([(first, second) for first in range(4) for second in range(4)])


def bars(seed, ink, paper, noise):
    """An image of each of TEXTS, whose characters are bars at four heights, `uint8 [16, 16, 64, 3]`."""
    images = np.full((len(TEXTS), 16, 64, 3), paper, float)
    for image, text in zip(images, TEXTS):
        for place, character in enumerate(text):
            image[1 + 3 * character : 5 + 3 * character, 6 + 30 * place : 26 + 30 * place] = ink
    return np.clip(images + np.random.default_rng(seed).normal(0, noise, images.shape), 0, 255).astype(np.uint8)


def clear(seed, noise):
    return bars(seed, 0, 230, noise)


def faint(seed):
    return bars(seed, 110, 150, 30)


def together(method, images):
    """The mean cosine of equal characters of different images less that of different characters, of the encoder."""
    frames = method.encoder(tf.constant(images), training=False)[0].numpy()
    rows = np.concatenate([frames[:, 2:6].mean(1), frames[:, 9:13].mean(1)])  # the frames of either bar
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    characters, image, cosines = TEXTS.T.ravel(), np.tile(np.arange(len(TEXTS)), 2), rows @ rows.T
    equal, other = characters[:, None] == characters, image[:, None] != image
    return cosines[other & equal].mean() - cosines[other & ~equal].mean()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "weight", "keys"),
    [("pseudo_characters", "contrast", {"confidence": 0.5}), ("character_clusters", "assignment", {})],
)
def test_equal_characters_of_different_images_come_together(name, weight, keys):
    """Of faint bars, of which the teacher sees the clear ones that it reads: more than without the loss, and than with
    texts of other images."""
    keras.utils.set_random_seed(0)
    method, share = METHODS[name](characters="0123", length="2", average=0.9, **keys), tf.Variable(0.0)
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    setattr(method, weight, share)
    parts = [part for part in method.parts().values() if isinstance(part, keras.Layer)]
    learned = [variable for part in parts for variable in part.trainable_variables]
    optimizer = keras.optimizers.Adam(5e-3)
    optimizer.build(learned)

    @tf.function
    def step(batch):
        with tf.GradientTape() as tape:
            loss = method.loss(batch, training=True)["loss"]
        optimizer.apply(tape.gradient(loss, learned), learned)
        method.after_step()

    def train(views, steps, shift=0):
        for number in range(steps):
            seed = number % 4
            batch = {
                "generated": clear(seed, 10)[:, None],
                "label": TEXTS[:, None],
                "weak": clear(10 + seed, 30),
                "strong": np.roll(views(20 + seed), shift, axis=0),
            }
            step({key: tf.constant(rows) for key, rows in batch.items()})

    train(lambda seed: clear(seed, 10), 40)
    optimizer.learning_rate.assign(1e-3)
    variables = [variable for part in (*parts, method.averaged, optimizer) for variable in part.variables]
    start = [variable.numpy() for variable in variables]
    found = {"before": together(method, faint(30))}
    for case, value, shift in (("without", 0.0, 0), ("with", 1.0, 0), ("texts of others", 1.0, 5)):
        for variable, values in zip(variables, start):
            variable.assign(values)
        share.assign(value)
        train(faint, 60, shift)
        found[case] = together(method, faint(30))
    assert found["with"] > max(found[case] for case in ("before", "without", "texts of others")) + 0.15, found
