"""Split-brain autoencoders: what each half is asked, and that it alone learns from it."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.methods.pretext.split_brain import LEVELS
from seqclr.nn import colours
from tests.methods.pictures import SIDE, batch, made, train


def test_the_loss_is_the_sum_of_both_entropies():
    method, data = made("split_brain", "least_picture_lab"), batch()
    images = data["views"][:, 0]
    truth = colours.lab(images).numpy().reshape(8, SIDE // 2, 2, SIDE // 2, 2, 3).mean((2, 4))
    colour, light = (tf.nn.log_softmax(said).numpy() for said in method.predict(images, training=False))
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
        said = [tf.reduce_sum(tf.square(x)) for x in method.predict(data["views"][:, 0], training=True)]
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
