"""Colorization: the loss from what the head says, and pictures whose colour can be told from their shape."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.nn import colours
from tests.methods.pictures import SIDE, batch, made, striped, train


def test_the_loss_is_the_weighted_entropy_of_soft_codes():
    method, data = made("colorization", "least_picture"), batch()
    images = data["views"][:, 0]
    said = method.predict(images, training=False).numpy().astype(float)
    assert said.shape == (8, SIDE // 2, SIDE // 2, 309)  # the map is finer than a quarter
    lab = colours.lab(images).numpy()
    truth = lab.reshape(8, SIDE // 2, 2, SIDE // 2, 2, 3).mean((2, 4))[..., 1:]
    logs = said - np.log(np.exp(said).sum(-1, keepdims=True))
    shares = colours.soft(truth).numpy()
    nearest = ((truth[..., None, :] - colours.bins()) ** 2).sum(-1).argmin(-1)
    costs = -(shares * logs).sum(-1) * method.weights[nearest]
    found = method.loss(data, training=False)
    assert float(found["loss"]) == pytest.approx(costs.mean(), rel=1e-3)
    mean = colours.lab(striped(64).reshape(-1, 3)).numpy().mean(0)[1:]
    assert float(found["trivial_error"]) == pytest.approx(((truth - mean) ** 2).sum(-1).mean(), rel=1e-2)
    decoded = colours.annealed_mean(said, colours.bins()).numpy()
    assert float(found["error"]) == pytest.approx(((truth - decoded) ** 2).sum(-1).mean(), rel=1e-3)
    pixels = colours.soft(colours.lab(method.pixels)[..., 1:]).numpy().mean(0)
    assert pixels @ method.weights == pytest.approx(1, rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["bins", "ab"])
def test_it_learns_the_colours_of_shapes(target):
    method, data = made("colorization", "least_picture", target=target), batch()
    before = method.loss(data, training=True)
    after = train(method, data, 30)
    assert float(before["error"]) > 0.8 * float(before["trivial_error"])
    assert float(after["error"]) < 0.5 * float(after["trivial_error"])
    assert float(after["loss"]) < 0.7 * float(before["loss"])


def test_the_network_is_shown_no_colour():
    method, data = made("colorization", "least_picture"), batch()
    images = data["views"][:, 0]
    np.testing.assert_allclose(
        method.predict(images, training=False), method.predict(colours.gray(images), training=False), atol=1e-5
    )
    shown = {
        **method.preview_inputs({"views": data["views"].numpy()}),
        **method.preview_outputs({"views": data["views"].numpy()}),
    }
    assert np.ptp(shown["input"], axis=-1).max() == 0 < np.ptp(shown["target"], axis=-1).min(axis=(1, 2)).max()
    for name in ("target", "prediction"):
        light = colours.lightness(shown[name]).numpy()
        assert np.abs(light - colours.lightness(images)).mean() < 0.1


def test_an_unknown_target_is_refused():
    with pytest.raises(UserError, match="target 'rgb' is not known: bins, ab"):
        METHODS["colorization"](target="rgb")


def test_half_precision_gives_nearly_the_same():
    found = {}
    for policy in ("float32", "mixed_bfloat16"):
        keras.mixed_precision.set_global_policy(policy)
        found[policy] = made("colorization", "least_picture").loss(batch(), training=True)
        assert found[policy]["loss"].dtype == tf.float32
    assert float(found["mixed_bfloat16"]["loss"]) == pytest.approx(float(found["float32"]["loss"]), rel=0.05)
