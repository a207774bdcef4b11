"""Split-brain autoencoders: what each half is asked, and that it alone learns from it."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqclr import cli
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.methods import METHODS
from seqclr.methods.pretext.split_brain import LEVELS
from seqclr.nn import colours
from seqclr.nn.encoders import build_encoder
from tests.methods.pictures import SIDE, batch, made, striped, train
from tests.small_runs import run

pytestmark = pytest.mark.usefixtures("least_networks")


def test_the_loss_is_the_sum_of_both_entropies():
    method, data = made("split_brain", "least_picture_lab"), batch()
    images = data["views"][:, 0]
    truth = colours.lab(images).numpy().reshape(8, SIDE // 2, 2, SIDE // 2, 2, 3).mean((2, 4))
    said = method.predict(images, training=False)
    colour, light = (tf.nn.log_softmax(said[name]).numpy() for name in ("colour", "light"))
    level = np.minimum(truth[..., 0], 99).astype(int)
    first = -(colours.soft(truth[..., 1:]) * colour).numpy().sum(-1).mean()
    second = -np.take_along_axis(light, level[..., None], -1).mean()
    found = {name: float(value) for name, value in method.loss(data, training=False).items()}
    assert found["loss"] == pytest.approx(first + second, rel=1e-3)
    decoded = colours.annealed_mean(light, LEVELS).numpy()[..., 0]
    assert found["light_error"] == pytest.approx(((decoded - truth[..., 0]) ** 2).mean(), rel=1e-3)
    mean = colours.lab(method.pixels).numpy().mean(0)
    assert found["trivial_light_error"] == pytest.approx(((truth[..., 0] - mean[0]) ** 2).mean(), rel=1e-3)
    assert found["trivial_error"] == pytest.approx(((truth[..., 1:] - mean[1:]) ** 2).sum(-1).mean(), rel=1e-3)


def test_each_half_learns_from_its_own_answer_alone():
    method, data = made("split_brain", "least_picture_lab"), batch()
    with tf.GradientTape(persistent=True) as tape:
        said = [tf.reduce_sum(tf.square(x)) for x in method.predict(data["views"][:, 0], training=True).values()]
    for i, value in enumerate(said):
        own, other = method.encoder.halves[i], method.encoder.halves[1 - i]
        assert all(g is not None for g in tape.gradient(value, own.trainable_variables))
        assert all(g is None for g in tape.gradient(value, other.trainable_variables))


@pytest.mark.slow
def test_each_half_learns_what_the_other_sees():
    method, data = made("split_brain", "least_picture_lab"), batch()
    after = train(method, data, 30)
    for name in ("error", "light_error"):
        trivial = float(after[f"trivial_{name}"])
        assert float(after[name]) < 0.6 * trivial, name


def test_what_is_drawn_is_what_is_asked():
    method, data = made("split_brain", "least_picture_lab"), {"views": batch()["views"].numpy()}
    drawn = {**method.preview_inputs(data), **method.preview_outputs(data)}
    assert np.ptp(drawn["lightness input"], axis=-1).max() == 0 == np.ptp(drawn["predicted lightness"], axis=-1).max()
    assert np.ptp(colours.lab(drawn["colour input"])[..., 0]) < 12  # some colours are of no such lightness
    assert drawn["predicted colour"].shape == data["views"][:, 0].shape


def with_depth(folder, count):
    """Stripes, of which the blue ones are near and the red ones far, as colour files and 16 bits of depth."""
    folder.mkdir()
    for i, image in enumerate(striped(count).astype(np.uint8)):
        Image.fromarray(image).save(folder / f"{i}.png")
        depth = np.where(image[..., 2] > image[..., 0], 900, 4000).astype(np.uint16)
        Image.fromarray(depth).save(folder / f"{i}_depth.png")
    return folder


@pytest.fixture
def deep(tmp_path):
    """The method with depth, built, and a batch of 16 images."""
    dataset = ImageDataset(find_unlabelled([with_depth(tmp_path / "data", 16)]), SIDE, SIDE, "stretch", channels=4)
    keras.utils.set_random_seed(0)
    method = METHODS["split_brain"]()
    records = method.records(dataset)
    method.prepare(records.samples)
    method.build(build_encoder("least_picture_lab", SIDE, SIDE, "none", channels=4))
    transform = method.make_transform("none")
    examples = [transform(record, np.random.default_rng(0)) for record in records]
    return method, {"views": tf.constant(np.stack([example["views"] for example in examples]))}


def test_with_depth_the_loss_has_three_entropies(deep):
    method, data = deep
    images = data["views"][:, 0]
    assert images.shape == (16, SIDE, SIDE, 4)
    depth = images[..., 3].numpy().reshape(16, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4)) * 100 / 255
    said = {name: tf.nn.log_softmax(x).numpy() for name, x in method.predict(images, training=False).items()}
    level = np.minimum(depth, 99).astype(int)
    third = -np.take_along_axis(said["depth"], level[..., None], -1).mean()
    rgb = method.encoder.halves[0](images, layer="cnn")[0]
    np.testing.assert_allclose(method.depth_head(rgb), method.predict(images, training=False)["depth"], atol=1e-5)
    truth = colours.lab(images[..., :3]).numpy().reshape(16, SIDE // 2, 2, SIDE // 2, 2, 3).mean((2, 4))
    first = -(colours.soft(truth[..., 1:]) * said["colour"]).numpy().sum(-1).mean()
    light = np.minimum(truth[..., 0], 99).astype(int)
    second = -np.take_along_axis(said["light"], light[..., None], -1).mean()
    assert float(method.loss(data, training=False)["loss"]) == pytest.approx(first + second + third, rel=1e-3)


@pytest.mark.slow
def test_depth_is_learned_from_colour_and_colour_from_depth(deep):
    method, data = deep
    after = train(method, data, 25)
    for name in ("error", "depth_error"):
        assert float(after[name]) < 0.6 * float(after[f"trivial_{name}"]), name
    drawn = {**method.preview_inputs({"views": data["views"].numpy()}), **method.preview_outputs(data)}
    assert set(drawn) == {"colour input", "depth input", "predicted colour", "predicted lightness", "predicted depth"}
    assert all(images.shape[-1] == 3 for images in drawn.values())


@pytest.mark.slow
def test_a_run_with_depth_is_probed_and_other_methods_refuse_depth(tmp_path, capsys):
    data = with_depth(tmp_path / "data", 8)
    words = ["--data", data, "--steps", 2, "--batch-size", 4, "--processes", 0, "encoder=resnet9_lab", "channels=4"]
    words += ["height=16", "width=16", "resize=stretch"]
    run("pretrain", "--method", "split_brain", *words, "--output", tmp_path / "run")
    assert "depth_error" in (tmp_path / "run" / "metrics.csv").read_text()
    refused = ["pretrain", "--method", "simclr", *words, "--output", tmp_path / "other"]
    assert cli.main([str(word) for word in refused]) == 2
    assert "channels 4: .* takes 1 or 3" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()
