"""Translation: the losses by hand, and that translated images get the look of the run's images."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny


def made(name, **keys):
    """The method, built for images of 16x64 pixels, and a batch of three."""
    keras.utils.set_random_seed(0)
    method = METHODS[name](**{**tiny.SMALL[name], **keys})
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    transform = method.make_transform("none")
    rows = [transform(record, np.random.default_rng(i)) for i, record in enumerate(tiny.pages(3))]
    return method, {key: tf.constant(np.stack([row[key] for row in rows])) for key in rows[0]}


def squares(method, images, target):
    return float(tf.reduce_mean(tf.square(method.discriminator(tf.cast(images, tf.float32))[0] - target)))


def nce(method, images, translated, positions):
    """The mean over layers, images and positions, in NumPy on the maps of the networks."""
    both = [method.compared(*method.encode(x, None, training=False)) for x in (translated, images)]
    each = []
    for head, (queries, _), (keys, _) in zip(method.projectors.heads, *both):
        height, width = queries.shape[1:3]
        for query, key, position in zip(queries, keys, positions.numpy()):
            row, column = (position * [height, width]).astype(int).T
            unit = [tf.math.l2_normalize(head(x.numpy()[row, column]), -1).numpy() for x in (query, key)]
            logits = unit[0] @ unit[1].T / method.temperature
            same = (row[:, None] == row) & (column[:, None] == column) & ~np.eye(len(row), dtype=bool)
            logits[same] = -np.inf
            each.append(np.log(np.exp(logits).sum(1)) - np.diag(logits))
    return np.mean(each)


@pytest.mark.parametrize("identity", [True, False])
def test_the_losses_of_cut(identity):
    method, batch = made("cut", identity=identity, nce=2.0)
    found = {name: float(value) for name, value in method.loss(batch, training=False).items()}
    source, real = batch["generated"][:, 0], batch["image"]
    translated, same = (method.translate(images, None) for images in (source, real))
    expected = nce(method, source, translated, batch["positions"])
    if identity:
        expected = (expected + nce(method, real, same, batch["positions"])) / 2
    assert found["nce"] == pytest.approx(expected, rel=1e-4)
    assert found["generator_loss"] == pytest.approx(squares(method, translated, 1), rel=1e-4)
    wrong = squares(method, real, 1) + squares(method, translated, 0)
    assert found["adversary_loss"] == pytest.approx(wrong / 2, rel=1e-4)
    assert found["loss"] == pytest.approx(found["generator_loss"] + 2 * found["nce"], rel=1e-5)


def test_previews_show_texts_and_translations():
    method, batch = made("cut")
    batch = {name: value.numpy() for name, value in batch.items()} | {"generated_width": np.int32([[64], [40], [9]])}
    columns = {**method.preview_inputs(batch), **method.preview_outputs(batch)}
    assert list(columns) == ["generated", "text", "image", "translated"]
    assert [len(text) for text in columns["text"]] == [(ids >= 0).sum() for ids in batch["label"][:, 0]]
    assert (columns["translated"][1, :, 40:] == 255).all() and (columns["translated"][1, :, :40] != 255).any()


def test_only_cyclegan_translates_back():
    with pytest.raises(UserError, match="CUT translates in one direction only: leave --back out"):
        made("cut")[0].generator_of(back=True)


@pytest.mark.slow
def test_translated_images_get_the_colours_of_the_run(tmp_path):
    """Red ones here: they come at least half the way from those of generated images."""
    job = tiny.trainer(tmp_path / "run", "cut", steps=120, learning_rate=2e-3, dropout=0.0)
    for record in job.loader.records:
        record["image"] //= np.uint8([1, 4, 4])
    job.fit()
    batch = next(job.loader)
    source, real = batch["generated"][:, 0], batch["image"]
    translated = job.method.shown(source, None, job.method.generator)
    before, after = (np.abs(x.mean((0, 1, 2)) - real.mean((0, 1, 2))).max() for x in (source, translated))
    assert after < before / 2
