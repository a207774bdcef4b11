"""Methods that reconstruct images: their losses, inputs and learning."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.engine import setup
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny

rng = np.random.default_rng(0)
SIZES = {"least": (16, 64), "resnet9": (16, 16), "least_vit": (16, 16)}


@functools.cache
def encoder_of(name):
    keras.utils.set_random_seed(0)
    return build_encoder(name, *SIZES[name], "none", dropout=0.0)


def made(name, encoder, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](**keys)
    method.build(encoder)
    return method


def with_output(method):
    """The same with an output of the decoder that is not 0."""
    kernel = method.decoder.get_layer("pixels").kernel
    kernel.assign(np.random.default_rng(0).normal(0, 0.05, kernel.shape))
    return method


def batch_of(method, encoder, width=None, count=3):
    transform, size = method.make_transform("none"), (encoder.height, encoder.width)
    records = [
        {"image": rng.integers(0, 256, (*size, 3)).astype(np.uint8), "index": np.int32(i)}
        | ({"width": np.int32(width)} if width else {})
        for i in range(count)
    ]
    rows = [transform(record, np.random.default_rng(i)) for i, record in enumerate(records)]
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def logs(method, batch):
    found = method.loss({name: tf.constant(array) for name, array in batch.items()}, training=False)
    return {name: float(value) for name, value in found.items()}


def test_the_trivial_predictors_are_the_best_predictions_without_a_network():
    """Against NumPy: of images that are all of one colour, noisy or with a hole, and of others."""
    encoder = encoder_of("resnet9")
    method = made("autoencoder", encoder)
    batch = batch_of(method, encoder)
    image = batch["image"] / 255
    assert logs(method, batch)["trivial_error"] == pytest.approx(image.var((1, 2)).mean(), rel=1e-5)
    for amount, better in ((0.02, "shown"), (0.9, "mean")):
        method = made("denoising", encoder, corruption="gaussian", amount=amount)
        batch = batch_of(method, encoder)
        image, shown = batch["image"] / 255, batch["input"] / 255
        errors = {"shown": ((image - shown) ** 2).mean()}
        errors["mean"] = ((image - shown.mean((1, 2), keepdims=True)) ** 2).mean()
        assert min(errors, key=errors.get) == better
        assert logs(method, batch)["trivial_error"] == pytest.approx(errors[better], rel=1e-5)
    method = made("inpainting", encoder)
    batch = batch_of(method, encoder)
    errors = [np.mean((i[h] - i[~h].mean(0)) ** 2) for i, h in zip(batch["image"] / 255, batch["hidden"])]
    assert logs(method, batch)["trivial_error"] == pytest.approx(np.mean(errors), rel=0.01)


@pytest.mark.parametrize("name", ["autoencoder", "denoising", "inpainting", "super_resolution"])
def test_padding_is_not_scored_and_not_seen(name):
    method = with_output(made(name, encoder_of("least")))
    batch = batch_of(method, encoder_of("least"), width=40)
    found = logs(method, batch)
    for array in (batch["image"], batch.get("input", batch["image"])):
        array[:, :, 40:] = rng.integers(0, 256, array[:, :, 40:].shape)
    assert logs(method, batch) == pytest.approx(found, rel=1e-4)
    drawn = method.preview_outputs(batch)["reconstruction"]
    np.testing.assert_array_equal(drawn[:, :, 40:], batch["image"][:, :, 40:])
    batch["image"][:, :, 20] = 255 - batch["image"][:, :, 20]  # in the hole too
    assert logs(method, batch)["error"] != pytest.approx(found["error"], rel=1e-4)


def test_the_hole_counts_once_its_rim_ten_times_and_the_rest_not():
    encoder = encoder_of("resnet9")
    method = with_output(made("inpainting", encoder, adversarial=0.0))
    batch = batch_of(method, encoder)
    drawn = method.reconstruct({name: tf.constant(array) for name, array in batch.items()}, training=False).numpy()
    squares = ((drawn - batch["image"] / 255) ** 2).mean(-1)
    weights = np.zeros((16, 16))
    weights[4:12, 4:12], weights[5:11, 5:11] = 10, 1
    found = logs(method, batch)
    assert found["loss"] == pytest.approx((squares * weights).sum() / (3 * 64), rel=1e-4)
    assert found["error"] == pytest.approx(squares[:, 5:11, 5:11].mean(), rel=1e-4)
    outside = {**batch, "image": np.where(batch["block"][..., None], batch["image"], 7)}
    assert logs(method, outside) == pytest.approx(found, rel=1e-5)
    np.testing.assert_array_equal(
        method.preview_outputs(batch)["reconstruction"][~batch["hidden"]], batch["image"][~batch["hidden"]]
    )


def test_the_losses_of_discriminator_and_generator():
    """A discriminator whose output is 2 for real and 1 for reconstructed images; gradients stay on their side."""
    method = made("inpainting", encoder_of("resnet9"), adversarial=0.25)
    batch = {name: tf.constant(array) for name, array in batch_of(method, encoder_of("resnet9")).items()}
    outputs = iter((2.0, 1.0))
    discriminator, method.discriminator = method.discriminator, lambda x, widths: tf.fill([3, 1], next(outputs))
    found = method.loss(batch, training=False)
    sigmoid = 1 / (1 + np.exp(-np.array([2.0, 1.0])))
    assert float(found["adversary_loss"]) == pytest.approx(-np.log(sigmoid[0]) - np.log(1 - sigmoid[1]), rel=1e-5)
    assert float(found["generator_loss"]) == pytest.approx(-np.log(sigmoid[1]), rel=1e-5)
    method.discriminator = discriminator
    with tf.GradientTape() as tape:
        found = method.loss(batch, training=False)
    gradients = tape.gradient(found["generator_loss"], method.decoder.trainable_variables)
    assert max(float(tf.reduce_max(tf.abs(g))) for g in gradients) > 0


def test_the_initial_reconstruction_is_the_coarse_image():
    encoder = encoder_of("resnet9")
    method = made("super_resolution", encoder)
    batch = batch_of(method, encoder)
    errors = ((batch["image"] / 255 - batch["input"] / 255) ** 2).mean()
    found = logs(method, batch)
    assert found["trivial_error"] == found["error"] == pytest.approx(errors, rel=1e-5)
    np.testing.assert_array_equal(method.preview_outputs(batch)["reconstruction"], batch["input"])


def test_the_adversarial_loss_begins_later():
    encoder = encoder_of("resnet9")
    method = with_output(made("super_resolution", encoder, adversarial_start=0.25, adversarial=0.5))
    method.run = RunInfo(total_steps=8)
    assert [bool(method.frozen(step)) for step in range(4)] == [True, True, False, False]
    batch = batch_of(method, encoder)
    late = logs(method, batch)
    assert late["loss"] == pytest.approx(late["error"] + 0.5 * late["generator_loss"], rel=1e-5)
    method.perceptual_encoder = lambda images, widths: (images[:, :, ::2] / 51, None)
    by_features = logs(method, batch)
    drawn = method.reconstruct({name: tf.constant(array) for name, array in batch.items()}, training=False).numpy()
    squares = 25 * (drawn - batch["image"] / 255)[:, :, ::2] ** 2
    assert by_features["loss"] == pytest.approx(squares.mean() + 0.5 * late["generator_loss"], rel=1e-4)
    method.discriminator.trainable = False
    early = logs(method, batch)
    assert early["loss"] == early["error"] == pytest.approx(late["error"]) and early["adversary_loss"] == 0


@pytest.mark.slow
def test_super_resolution_trains_through_its_two_parts(tmp_path, eagerly):
    perceptual_encoder = tiny.trainer(tmp_path / "critic", "autoencoder", steps=1, views="none")
    perceptual_encoder.save()
    keys = {"steps": 6, "views": "none", "warmup": 0.0, "perceptual": str(tmp_path / "critic")}
    job = tiny.trainer(tmp_path / "run", "super_resolution", **keys)
    rows, before = [], [v.numpy() for v in job.method.discriminator.variables]
    job.callbacks.append(
        keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: rows.append(float(logs["adversary_loss"])))
    )
    job.fit()
    assert [row > 0 for row in rows] == [False] * 3 + [True] * 3
    assert any((a != v.numpy()).any() for a, v in zip(before, job.method.discriminator.variables))
    with pytest.raises(UserError, match="critic has width 64: set it here too, or take another run"):
        setup.make_perceptual_encoder(job.method.perceptual, 16, 80)


def test_the_transformer_sees_exactly_the_visible_patches():
    encoder = encoder_of("least_vit")
    batch = batch_of(made("mae", encoder), encoder)
    kept = np.stack([np.flatnonzero(~hidden) for hidden in batch["hidden"]]).astype(np.int32)
    features = encoder.visible(batch["image"], kept).numpy()
    mask = batch["hidden"].reshape(-1, 4, 4).repeat(4, axis=1).repeat(4, axis=2)[..., None]
    other = np.where(mask, 255 - batch["image"], batch["image"])
    np.testing.assert_array_equal(encoder.visible(other, kept), features)
    other = np.where(mask, batch["image"], 255 - batch["image"])
    assert (np.abs(encoder.visible(other, kept) - features).max(-1) > 1e-3).all()
    everything = np.tile(np.arange(16, dtype=np.int32), (3, 1))
    np.testing.assert_allclose(
        encoder.visible(batch["image"], everything), encoder(batch["image"], layer="cnn")[0], atol=1e-5
    )


@pytest.mark.parametrize("normalize", [True, False])
def test_the_masked_patches_are_scored_and_no_others(normalize):
    encoder = encoder_of("least_vit")
    method = made("mae", encoder, normalize=normalize)
    batch = batch_of(method, encoder)
    found, image = logs(method, batch), batch["image"] / 255
    drawn = method.reconstruct({name: tf.constant(array) for name, array in batch.items()}, training=False).numpy()
    errors, trivial = [], []
    for i, hidden in enumerate(batch["hidden"]):
        patches = [image[i, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].reshape(-1) for r in range(4) for c in range(4)]
        visible = np.concatenate([patches[j] for j in np.flatnonzero(~hidden)]).reshape(-1, 3).mean(0)
        for j in np.flatnonzero(hidden):
            wanted, guess = patches[j], np.tile(visible, 16)
            if normalize:
                wanted, guess = (wanted - wanted.mean()) / np.sqrt(wanted.var(ddof=1) + 1e-6), 0.0
            errors.append(((drawn[i, j] - wanted) ** 2).mean())
            trivial.append(((guess - wanted) ** 2).mean())
    assert found["loss"] == found["error"] == pytest.approx(np.mean(errors), rel=1e-4)
    assert found["trivial_error"] == pytest.approx(np.mean(trivial), rel=1e-4)
    mask = batch["hidden"].reshape(-1, 4, 4).repeat(4, axis=1).repeat(4, axis=2)
    answer, shown = method.preview_outputs(batch)["reconstruction"], method.preview_inputs(batch)["input"]
    np.testing.assert_array_equal(answer[~mask], batch["image"][~mask])
    np.testing.assert_array_equal(shown[~mask], batch["image"][~mask])
    assert (shown[mask] == 128).all() and (answer[mask] != batch["image"][mask]).any()


def test_the_target_of_a_visible_patch_changes_no_loss(monkeypatch):
    method = made("mae", encoder_of("least_vit"))
    batch = batch_of(method, method.encoder)
    drawn = method.reconstruct({name: tf.constant(array) for name, array in batch.items()}, training=False)
    monkeypatch.setattr(method, "reconstruct", lambda batch, training: drawn)
    found = logs(method, batch)["loss"]
    for hidden, same in ((False, True), (True, False)):
        other = batch["image"].copy()
        row, column = np.argwhere(batch["hidden"][0].reshape(4, 4) == hidden)[0]
        other[0, 4 * row, 4 * column] = 255 - other[0, 4 * row, 4 * column]
        assert (logs(method, {**batch, "image": other})["loss"] == found) == same


def test_mae_refuses_encoders_without_patches_and_other_sizes(monkeypatch):
    for name in ("least", "resnet9"):
        with pytest.raises(UserError, match="mae takes encoder=vit_tiny, .* for text lines use method=masked"):
            made("mae", encoder_of(name))
    with pytest.raises(UserError, match="width 18: take a multiple of 4, the side of a patch in pixels"):
        encoder = encoder_of("least_vit")
        monkeypatch.setattr(encoder, "width", 18)
        made("mae", encoder)


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        pytest.param("autoencoder", {}, marks=pytest.mark.slow),
        pytest.param("denoising", {"encoder": "resnet9", "corruption": "gaussian"}, marks=pytest.mark.slow),
        pytest.param("inpainting", {}, marks=pytest.mark.slow),
        pytest.param("super_resolution", {"adversarial_start": 0.9}, marks=pytest.mark.slow),
        pytest.param(
            "mae", {"encoder": "least_vit", "normalize": False, "masked": 0.5, "steps": 250}, marks=pytest.mark.slow
        ),
    ],
)
def test_it_learns_more_than_the_trivial_prediction(tmp_path, name, keys):
    keys = {"steps": 80, "learning_rate": 5e-3, "dropout": 0.0, "views": "none", **keys}
    job = tiny.trainer(tmp_path / "run", name, **keys)
    logs = job.fit()
    assert logs["error"] < 0.8 * logs["trivial_error"], logs


def test_what_is_not_known_is_refused():
    with pytest.raises(UserError, match="corruption 'salt' is not known: masking, gaussian"):
        METHODS["denoising"](corruption="salt")
    with pytest.raises(UserError, match="hole 'left' is not known: centre, random"):
        METHODS["inpainting"](hole="left")
