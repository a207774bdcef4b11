"""Methods that draw: what counts, what is seen, what is learned."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny

rng = np.random.default_rng(0)
SIZES = {"least": (16, 64), "resnet9": (16, 16), "vit_tiny": (16, 16)}


@functools.cache
def encoder_of(name):
    keras.utils.set_random_seed(0)
    return build_encoder(name, *SIZES[name], "none", dropout=0.0)


def made(name, encoder, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](**keys)
    method.build(encoder)
    return method


def batch_of(method, encoder, width=None, count=3):
    recipe, size = method.make_recipe("none"), (encoder.height, encoder.width)
    records = [
        {"image": rng.integers(0, 256, (*size, 3)).astype(np.uint8), "index": np.int32(i)}
        | ({"width": np.int32(width)} if width else {})
        for i in range(count)
    ]
    rows = [recipe(record, np.random.default_rng(i)) for i, record in enumerate(records)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def logs(method, batch):
    found = method.loss({name: tf.constant(array) for name, array in batch.items()}, training=False)
    return {name: float(value) for name, value in found.items()}


def test_the_trivial_predictors_are_the_best_that_is_drawn_without_looking():
    """Against NumPy: of images that are all of one colour, noisy or with a hole, and of others."""
    encoder = encoder_of("resnet9")
    method = made("autoencoder", encoder)
    batch = batch_of(method, encoder)
    image = batch["image"] / 255
    assert logs(method, batch)["trivial_error"] == pytest.approx(image.var((1, 2)).mean(), rel=1e-5)
    for amount, better in ((0.02, "shown"), (0.9, "mean")):
        method = made("denoising", encoder, corruption="gaussian", amount=amount)
        batch = batch_of(method, encoder)
        image, shown = batch["image"] / 255, batch["shown"] / 255
        errors = {"shown": ((image - shown) ** 2).mean()}
        errors["mean"] = ((image - shown.mean((1, 2), keepdims=True)) ** 2).mean()
        assert min(errors, key=errors.get) == better
        assert logs(method, batch)["trivial_error"] == pytest.approx(errors[better], rel=1e-5)
    method = made("inpainting", encoder)
    batch = batch_of(method, encoder)
    errors = [np.mean((i[h] - i[~h].mean(0)) ** 2) for i, h in zip(batch["image"] / 255, batch["hidden"])]
    assert logs(method, batch)["trivial_error"] == pytest.approx(np.mean(errors), rel=0.01)


@pytest.mark.parametrize("name", ["autoencoder", "denoising", "inpainting"])
def test_padding_is_not_scored_and_not_seen(name):
    method = made(name, encoder_of("least"))
    batch = batch_of(method, encoder_of("least"), width=40)
    found = logs(method, batch)
    for array in (batch["image"], batch.get("shown", batch["image"])):
        array[:, :, 40:] = rng.integers(0, 256, array[:, :, 40:].shape)
    assert logs(method, batch) == pytest.approx(found, rel=1e-4)
    drawn = method.answers(batch)["drawn"]
    np.testing.assert_array_equal(drawn[:, :, 40:], batch["image"][:, :, 40:])
    batch["image"][:, :, 20] = 255 - batch["image"][:, :, 20]  # in the hole too
    assert logs(method, batch)["error"] != pytest.approx(found["error"], rel=1e-4)


def test_the_hole_counts_once_its_rim_ten_times_and_the_rest_not():
    encoder = encoder_of("resnet9")
    method = made("inpainting", encoder, adversarial=0.0)
    batch = batch_of(method, encoder)
    drawn = method.draw({name: tf.constant(array) for name, array in batch.items()}, training=False).numpy()
    squares = ((drawn - batch["image"] / 255) ** 2).mean(-1)
    weights = np.zeros((16, 16))
    weights[4:12, 4:12], weights[5:11, 5:11] = 10, 1
    found = logs(method, batch)
    assert found["loss"] == pytest.approx((squares * weights).sum() / (3 * 64), rel=1e-4)
    assert found["error"] == pytest.approx(squares[:, 5:11, 5:11].mean(), rel=1e-4)
    outside = {**batch, "image": np.where(batch["block"][..., None], batch["image"], 7)}
    assert logs(method, outside) == pytest.approx(found, rel=1e-5)
    np.testing.assert_array_equal(method.answers(batch)["drawn"][~batch["hidden"]], batch["image"][~batch["hidden"]])


def test_the_discriminator_wants_to_tell_and_the_drawing_to_pass():
    """A discriminator that says 2 of whatever is true and 1 of what is drawn; gradients stay on their side."""
    method = made("inpainting", encoder_of("resnet9"), adversarial=0.25)
    batch = {name: tf.constant(array) for name, array in batch_of(method, encoder_of("resnet9")).items()}
    said = iter((2.0, 1.0))
    judge, method.discriminator = method.discriminator, lambda x, training: tf.fill([3, 1], next(said))
    found = method.loss(batch, training=False)
    sigmoid = 1 / (1 + np.exp(-np.array([2.0, 1.0])))
    assert float(found["opponent_loss"]) == pytest.approx(-np.log(sigmoid[0]) - np.log(1 - sigmoid[1]), rel=1e-5)
    assert float(found["passing"]) == pytest.approx(-np.log(sigmoid[1]), rel=1e-5)
    method.discriminator = judge
    with tf.GradientTape() as tape:
        found = method.loss(batch, training=False)
    gradients = tape.gradient(found["passing"], method.decoder.trainable_variables)
    assert max(float(tf.reduce_max(tf.abs(g))) for g in gradients) > 0


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("autoencoder", {}),
        pytest.param("denoising", {"encoder": "resnet9", "corruption": "gaussian"}, marks=pytest.mark.slow),
        pytest.param("inpainting", {}, marks=pytest.mark.slow),
    ],
)
def test_it_draws_better_than_what_needs_no_network(tmp_path, name, keys):
    job = tiny.trainer(tmp_path / "run", name, views="none", steps=80, dropout=0.0, learning_rate=5e-3, **keys)
    logs = job.fit()
    assert logs["error"] < 0.8 * logs["trivial_error"], logs


def test_what_is_not_known_is_refused():
    with pytest.raises(UserError, match="corruption 'salt' is not known: masking, gaussian"):
        METHODS["denoising"](corruption="salt")
    with pytest.raises(UserError, match="hole 'left' is not known: centre, random"):
        METHODS["inpainting"](hole="left")
