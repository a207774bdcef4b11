"""SwAV and DINO: which crops are compared where, what is a code or an answer, and what follows."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.errors import UserError
from seqclr.losses.common import normalize
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny
from tests.losses.reference import softmax, unit

SMALL = {
    "swav": {"prototypes": 12, "hidden_dim": 32, "projection_dim": 16, "epsilon": 0.05},
    "dino": {"prototypes": 12, "hidden_dim": 32, "projection_dim": 16},
}
every = pytest.mark.parametrize("name", SMALL)


def made(name, positions="none", views="none", batch_size=8, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](**{"frames": "windows:4", **SMALL[name], **keys})
    run = RunInfo(batch_size, total_steps=100, views=views)
    method.build(build_encoder("least", 16, 64, positions, dropout=0.0), run)
    return method


def batch(small=False):
    """Small views, where wanted, show the left and the right half of the page."""
    seen = tiny.seeded(8)
    if small:
        page = seen["views"][:, 0]
        seen["small"] = np.stack([page[:, :, :32], page[:, :, 32:]], 1)
        seen["small_geometry"] = np.tile(np.float32([[2, 0, 1, 0], [2, -1, 1, 0]]), (8, 1, 1))
    return {name: tf.constant(value) for name, value in seen.items()}


def instances(method):
    """Unit instances of the full views, computed apart from the loss."""
    _, mask, z = method.embed(batch(), training=True)
    return [unit(x.numpy()) for x in method.instances(z, batch(), mask)[:2]]


def loss_and_slope(method, seen):
    with tf.GradientTape() as tape:
        loss = method.loss(seen, training=True)["loss"]
    return float(loss), tape.gradient(loss, method.last.kernel).numpy()


def cross_entropy(targets, logits):
    return -np.sum(targets * np.log(softmax(logits)), axis=1)


def test_swav_of_two_views_is_the_loss_of_that_name():
    """Its gradient too, so that none flows into the codes."""
    method = made("swav")
    first, second = instances(method)
    with tf.GradientTape() as tape:
        scores = [tf.matmul(z, method.last.kernel.value) for z in (first, second)]
        expected = losses.swav(*scores)
    slope = tape.gradient(expected, method.last.kernel).numpy()
    found, of_prototypes = loss_and_slope(method, batch())
    assert found == pytest.approx(float(expected), rel=1e-4)
    np.testing.assert_allclose(of_prototypes, slope, rtol=1e-2, atol=1e-4 * np.abs(slope).max())


def test_dino_of_two_views_is_the_loss_of_that_name():
    method = made("dino")
    method.center.assign(np.linspace(-0.1, 0.1, 12))
    method.target.updates.assign(5)
    answers = [z @ unit(method.last.kernel.numpy().T).T for z in instances(method)]
    expected = losses.dino(answers, answers, method.center.numpy(), 0.1, 0.055)
    assert loss_and_slope(method, batch())[0] == pytest.approx(float(expected), rel=1e-4)


@every
def test_small_views_are_compared_in_the_windows_that_they_show(name):
    method = made(name, correspondence="geometry")
    crops = method.crops(batch(small=True), training=True)
    shown = [crop.visible.numpy().reshape(8, 4) for crop in crops]
    for found, expected in zip(shown, ([1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 0, 0], [0, 0, 1, 1]), strict=True):
        np.testing.assert_array_equal(found, np.tile(np.bool_(expected), (8, 1)))
    scores = [normalize(crop.rows).numpy() @ unit(method.last.kernel.numpy().T).T for crop in crops]
    coded = [losses.sinkhorn(s).numpy() if name == "swav" else softmax(s / 0.04) for s in scores[:2]]
    terms = [
        cross_entropy(coded[i], scores[j] / 0.1)[shown[i].ravel() & shown[j].ravel()].mean()
        for i in range(2)
        for j in range(4)
        if i != j
    ]
    assert loss_and_slope(method, batch(small=True))[0] == pytest.approx(np.mean(terms), rel=1e-4)


def test_what_a_full_view_does_not_show_has_no_code():
    method, seen = made("swav", correspondence="geometry"), batch()
    seen["geometry"] = tf.constant(np.tile(np.float32([[1, 0, 1, 0], [1, 0.5, 1, 0]]), (8, 1, 1)))
    crops = method.crops(seen, training=True)
    moved = crops[1].visible.numpy()
    np.testing.assert_array_equal(moved.reshape(8, 4), np.tile([True, True, False, False], (8, 1)))
    first, second = (normalize(crop.rows).numpy() @ method.last.kernel.numpy() for crop in crops)
    terms = [
        cross_entropy(losses.sinkhorn(first).numpy(), second / 0.1)[moved].mean(),
        cross_entropy(losses.sinkhorn(second[moved]).numpy(), first[moved] / 0.1).mean(),
    ]
    assert loss_and_slope(method, seen)[0] == pytest.approx(np.mean(terms), rel=1e-4)


def test_the_queue_helps_to_assign_codes_once_it_is_due():
    method = made("swav", queue_size=80, queue_start=0.01)
    queue, rows = method.queue.keys.numpy(), instances(method)
    kernel = method.last.kernel.numpy()
    first, second = (z @ kernel for z in rows)
    assert loss_and_slope(method, batch())[0] == pytest.approx(float(losses.swav(first, second)), rel=1e-4)
    np.testing.assert_allclose(method.queue.keys.numpy()[:64], np.concatenate(rows), atol=1e-4)
    np.testing.assert_array_equal(method.queue.keys.numpy()[64:], queue[64:])
    earlier = method.queue.keys.numpy() @ kernel
    codes = [losses.sinkhorn(np.concatenate([earlier, s])).numpy()[80:] for s in (first, second)]
    expected = (cross_entropy(codes[0], second / 0.1).mean() + cross_entropy(codes[1], first / 0.1).mean()) / 2
    assert loss_and_slope(method, batch())[0] == pytest.approx(expected, rel=1e-3)


def test_the_centre_and_the_teacher_follow_slowly():
    method = made("dino", target_momentum=0.9)
    answers = np.concatenate(instances(method)) @ unit(method.last.kernel.numpy().T).T
    method.loss(batch(), training=True)
    np.testing.assert_allclose(method.center.numpy(), 0.1 * answers.mean(0), atol=1e-5)
    method.loss(batch(), training=False)
    np.testing.assert_allclose(method.center.numpy(), 0.1 * answers.mean(0), atol=1e-5)
    kernel = method.last.kernel.numpy()
    method.last.kernel.assign(kernel + 1)
    method.target.updates.assign(50)  # half of the way
    method.after_step()
    copy = next(v for v in method.target.weights if "last" in v.path)
    np.testing.assert_allclose(copy.numpy(), kernel + 0.05, atol=1e-5)


def test_the_teacher_warms_up():
    method = made("dino")
    for step, expected in ((0, 0.04), (5, 0.055), (10, 0.07), (90, 0.07)):
        method.target.updates.assign(step)
        assert float(method.warm_temperature()) == pytest.approx(expected, rel=1e-5)


def test_nothing_is_learned_from_the_teacher():
    method = made("dino")
    copies = [v.value for v in method.target.weights if "updates" not in v.path]
    with tf.GradientTape() as tape:
        tape.watch(copies)
        loss = method.loss(batch(), training=True)["loss"]
    assert all(g is None for g in tape.gradient(loss, copies))


@every
def test_prototypes_stay_as_they_are_at_first_and_swav_keeps_them_unit(tmp_path, eagerly, name):
    job = tiny.trainer(tmp_path / "run", name, steps=2, freeze=0.5, **SMALL[name], optimizer="sgd", learning_rate=1.0)
    start = job.method.last.kernel.numpy()
    seen = []
    for _ in range(2):
        job._execute()
        job.step += 1
        seen.append(job.method.last.kernel.numpy())
    np.testing.assert_allclose(seen[0], start, atol=1e-6)
    assert np.abs(seen[1] - start).max() > 1e-4
    if name == "swav":
        np.testing.assert_allclose(np.linalg.norm(seen[1], axis=0), 1, rtol=1e-5)


@every
@pytest.mark.parametrize(
    "keys",
    [
        pytest.param({"views": "multicrop", "correspondence": "geometry"}, marks=pytest.mark.slow),
        {"views": "multicrop", "correspondence": "geometry", "resize": "pad"},
        {"views": "images_multicrop", "encoder": "resnet9"},
    ],
    ids=["lines", "padded", "images"],
)
def test_a_run_trains_all_of_the_encoder(tmp_path, eagerly, name, keys):
    assert not tiny.unmoved(tiny.trainer(tmp_path / "run", name, steps=2, **{**SMALL[name], "prototypes": 8}, **keys))


def test_what_cannot_be_is_refused():
    with pytest.raises(
        UserError, match="correspondence 'index': a small view shows a part of the windows; set correspondence=geometry"
    ):
        made("dino", views="multicrop")
    made("dino", views="multicrop", frames="all")
    with pytest.raises(UserError, match="does not accept small views of 16x32: use positions=none"):
        made("dino", views="multicrop", correspondence="geometry", positions="learned")
    with pytest.raises(UserError, match="prototypes 12: codes are assigned over 8 instances, so take at most as many"):
        made("swav", batch_size=2)
    made("swav", batch_size=2, queue_size=4)
    with pytest.raises(UserError, match="queue_size -1: at least 0"):
        made("swav", queue_size=-1)
