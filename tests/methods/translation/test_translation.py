"""Translation: the losses by hand, and that translated images get the colours of the run's images."""

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


def squares(discriminator, images, target):
    return float(tf.reduce_mean(tf.square(discriminator(tf.cast(images, tf.float32))[0] - target)))


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
    assert found["generator_loss"] == pytest.approx(squares(method.discriminator, translated, 1), rel=1e-4)
    wrong = squares(method.discriminator, real, 1) + squares(method.discriminator, translated, 0)
    assert found["adversary_loss"] == pytest.approx(wrong / 2, rel=1e-4)
    assert found["loss"] == pytest.approx(found["generator_loss"] + 2 * found["nce"], rel=1e-5)


def apart(a, b):
    return float(np.abs(tf.cast(a, tf.float32).numpy() - tf.cast(b, tf.float32).numpy()).mean() / 127.5)


def test_the_losses_of_cyclegan():
    method, batch = made("cyclegan", cycle=3.0, identity=0.25)
    found = {name: float(value) for name, value in method.loss(batch, training=False).items()}
    to, back = (
        lambda x, g=g: method.translate(x, None, generator=g) for g in (method.generator, method.back_generator)
    )
    x, y = batch["generated"][:, 0], batch["image"]
    assert found["cycle"] == pytest.approx(apart(back(to(x)), x) + apart(to(back(y)), y), rel=1e-4)
    assert found["identity"] == pytest.approx(apart(to(y), y) + apart(back(x), x), rel=1e-4)
    sides = [(method.discriminator, y, to(x)), (method.back_discriminator, x, back(y))]
    assert found["generator_loss"] == pytest.approx(sum(squares(d, fake, 1) for d, _, fake in sides), rel=1e-4)
    wrong = sum(squares(d, real, 1) + squares(d, fake, 0) for d, real, fake in sides)
    assert found["adversary_loss"] == pytest.approx(wrong / 2, rel=1e-4)
    expected = found["generator_loss"] + 3 * found["cycle"] + 3 * 0.25 * found["identity"]
    assert found["loss"] == pytest.approx(expected, rel=1e-5)
    assert method.generator_of(back=True) is method.back_generator


def test_the_discriminator_of_cyclegan_sees_earlier_translations():
    method, batch = made("cyclegan", pool=3)
    first = method.loss(batch, training=True)
    pooled = method.images.images.numpy()
    method.images.images.assign(1 - pooled)
    second = method.loss(batch, training=False), method.loss(batch, training=True)
    assert float(second[1]["adversary_loss"]) != pytest.approx(float(second[0]["adversary_loss"]), rel=1e-4)
    assert np.isfinite(float(first["loss"])) and pooled.std() > 0


@pytest.mark.parametrize("to", ["clean", "cluttered"])
def test_the_losses_of_pix2pix(to):
    method, batch = made("pix2pix", to=to, l1=7.0)
    found = {name: float(value) for name, value in method.loss(batch, training=False).items()}
    x, y = batch["generated"][:, 0], batch["clean"][:, 0]
    x, y = (tf.cast(image, tf.float32) for image in ((x, y) if to == "clean" else (y, x)))
    translated = method.translate(x, None)
    assert found["error"] == pytest.approx(apart(translated, y), rel=1e-4)
    assert found["trivial_error"] == pytest.approx(apart(x, y), rel=1e-4)
    real, fake = (tf.concat([x, z], axis=-1) for z in (y, translated))
    expected = squares(method.discriminator, fake, 1)
    assert found["loss"] == pytest.approx(expected + 7 * found["error"], rel=1e-4)
    wrong = squares(method.discriminator, real, 1) + squares(method.discriminator, fake, 0)
    assert found["adversary_loss"] == pytest.approx(wrong / 2, rel=1e-4)
    columns = {**method.preview_inputs(batch), **method.preview_outputs(batch)}
    assert list(columns) == ["input", "text", "target", "translated"]


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


def test_a_text_that_fits_no_image_is_refused():
    with pytest.raises(UserError, match="length 17 needs 17 frames, and width 64 gives 16"):
        made("cut", length="17")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cut", "cyclegan"])
def test_translated_images_get_the_colours_of_the_run(tmp_path, name):
    """Red ones here, to which they come nearer from those of generated images by at least a quarter."""
    job = tiny.trainer(tmp_path / "run", name, steps=120, learning_rate=2e-3, dropout=0.0, **tiny.SMALL[name])
    for record in job.loader.records:
        record["image"] //= np.uint8([1, 4, 4])
    job.fit()
    batch = next(job.loader)
    source, real = batch["generated"][:, 0], batch["image"]
    translated = job.method.shown(source, None, job.method.generator)
    before, after = (np.abs(x.mean((0, 1, 2)) - real.mean((0, 1, 2))).max() for x in (source, translated))
    assert after < 0.75 * before


@pytest.mark.slow
def test_clutter_is_removed(tmp_path):
    job = tiny.trainer(
        tmp_path / "run", "pix2pix", steps=150, learning_rate=2e-3, dropout=0.0, generator_channels=8, blocks=1
    )
    logs = job.fit()
    assert logs["error"] < 0.5 * logs["trivial_error"], logs
