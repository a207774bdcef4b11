"""BYOL, MoCo, NNCLR, Barlow Twins, VICReg and W-MSE: what is compared with what, and where gradients stop."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny

SMALL = {
    "byol": {"hidden_dim": 32, "projection_dim": 16},
    "moco": {"queue_size": 40, "projection_dim": 16},
    "moco_v2": {"queue_size": 40, "projection_dim": 16, "hidden_dim": 32},
    "moco_v3": {"hidden_dim": 32, "projection_dim": 16},
    "nnclr": {"queue_size": 40, "projection_dim": 16, "hidden_dim": 32},
    "barlow_twins": {"projection_dim": 16},
    "vicreg": {"projection_dim": 16},
    "w_mse": {"projection_dim": 8, "hidden_dim": 32, "whitening_size": 16},
}
FOLLOWED = ["byol", "moco", "moco_v2", "moco_v3"]


def made(name, batch_size=0, dropout=0.0, total_steps=0, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](frames="windows:4", **SMALL[name], **keys)
    method.build(build_encoder("least", 16, 64, "none", dropout), RunInfo(batch_size, total_steps))
    return method


def batch():
    return {name: tf.constant(value) for name, value in tiny.seeded(8).items()}


def projections(method, through=None):
    """Unit instances of both views, computed apart from the loss."""
    _, mask, z = method.embed(batch(), training=True)
    z = z if through is None else through(z, training=True)
    return [x.numpy() for x in method.instances(z, batch(), mask)[:2]]


def alone(method, i):
    """Instances of one view of two, which has gone through the network by itself."""
    of = {**batch(), "views": batch()["views"][:, i : i + 1]}
    z = method.embed(of, training=True)[2]
    return method.instances(tf.tile(z, [2, 1, 1]), batch(), None).first.numpy()


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def test_byol_adds_both_directions_of_a_prediction_and_the_other_view():
    method = made("byol")
    (p1, p2), (z1, z2) = projections(method, method.predictor), projections(method)
    expected = sum((2 - 2 * (unit(p) * unit(z)).sum(1)).mean() for p, z in ((p1, z2), (p2, z1)))
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["moco", "moco_v2"])
def test_moco_compares_the_first_view_with_the_second_and_the_queue_before_it(name):
    method = made(name)
    q, k = alone(method, 0), alone(method, 1)
    queue = method.queue.keys.numpy()
    logits = np.concatenate([(unit(q) * unit(k)).sum(1, keepdims=True), unit(q) @ queue.T], 1) / method.temperature
    expected = np.mean(np.log(np.exp(logits).sum(1)) - logits[:, 0])
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(method.queue.keys.numpy()[:32], unit(k), atol=1e-5)
    np.testing.assert_array_equal(method.queue.keys.numpy()[32:], queue[32:])
    before = method.queue.keys.numpy()
    method.loss(batch(), training=False)
    np.testing.assert_array_equal(method.queue.keys.numpy(), before)


@pytest.mark.parametrize(("name", "views"), [("moco", [1, 1]), ("moco_v3", [2, 2])])
def test_a_view_goes_through_no_network_in_vain(monkeypatch, name, views):
    method, seen = made(name), []
    encode = method.encode
    monkeypatch.setattr(
        method, "encode", lambda of, training: seen.append(of["views"].shape[1]) or encode(of, training)
    )
    method.loss(batch(), training=True)
    assert seen == views


def test_moco_v3_compares_queries_with_the_keys_of_the_other_view():
    method = made("moco_v3")
    (q1, q2), (k1, k2) = projections(method, method.predictor), projections(method)
    expected = 0
    for query, key in ((q1, k2), (q2, k1)):
        logits = unit(query) @ unit(key).T / 0.2
        expected += 2 * 0.2 * np.mean(np.log(np.exp(logits).sum(1)) - np.diag(logits))
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-4)


def test_nnclr_compares_the_nearest_instances_of_other_images_with_the_other_view():
    method = made("nnclr")
    for _ in range(2):  # what the first call leaves in the queue is of the same images as the second call's
        queue, images = method.queue.keys.numpy(), method.queue.images.numpy()
        (z1, z2), (p1, p2) = projections(method), projections(method, method.predictor)
        own, expected = np.repeat(batch()["index"], 4), 0
        for z, p in ((z1, p2), (z2, p1)):
            near = queue[np.where(images != own[:, None], unit(z) @ queue.T, -2).argmax(1)]
            logits = near @ unit(p).T / 0.1
            expected += np.mean(np.log(np.exp(logits).sum(1)) - np.diag(logits)) / 2
        assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-4)
    np.testing.assert_allclose(method.queue.keys.numpy()[32:], unit(z1)[:8], atol=1e-5)
    np.testing.assert_array_equal(method.queue.images.numpy()[32:], own[:8])
    assert len(set(images[:32])) == 8 and (images[32:] == -1).all()


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_target_starts_equal_follows_slowly_and_gets_no_gradient(name):
    method = made(name, total_steps=10, target_momentum=0.9)
    copies = [v for v in method.target.weights if "updates" not in v.path]
    followed = [v for net in (method.encoder, method.projector) for v in net.variables if "seed" not in v.path]
    start = [v.numpy() for v in followed]
    for copy, value in zip(copies, start, strict=True):
        np.testing.assert_array_equal(copy.numpy(), value)
    with tf.GradientTape() as tape:
        tape.watch([v.value for v in copies])
        loss = method.loss(batch(), training=True)["loss"]
    gradients = tape.gradient(loss, [v.value for v in copies])
    assert all(g is None for g in gradients) and method.target.trainable_variables == []
    for v in followed:
        v.assign(v + 1)
    now = [v.numpy() for v in followed]
    method.target.updates.assign(5)  # half of the way
    method.after_step()
    kept = 0.9 if name in ("moco", "moco_v2") else 0.95
    for copy, old, new in zip(copies, start, now):
        np.testing.assert_allclose(copy.numpy(), kept * old + (1 - kept) * new, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", FOLLOWED)
def test_the_target_has_no_dropout_and_goes_by_its_batch(name):
    method = made(name, dropout=0.5)
    one, two = (method.embed_target(batch(), training=True)[2].numpy() for _ in range(2))
    np.testing.assert_array_equal(one, two)
    other = method.embed_target(batch(), training=False)[2].numpy()
    assert np.abs(one - other).max() > 0.1  # by the moving statistics, which are those of nothing yet
    student = [method.embed(batch(), training=True)[2].numpy() for _ in range(2)]
    assert np.abs(student[0] - student[1]).max() > 0.1


@pytest.mark.parametrize("name", ["byol", "moco_v3"])
def test_nothing_is_learned_from_the_targets(monkeypatch, name):
    """With the prediction cut off, there is no other way for a gradient."""
    method = made(name)
    monkeypatch.setattr(method, "predictor", lambda z, mask, training: tf.stop_gradient(z))
    with tf.GradientTape() as tape:
        loss = method.loss(batch(), training=True)["loss"]
    assert all(g is None for g in tape.gradient(loss, method.encoder.trainable_variables))


@pytest.mark.parametrize("name", ["barlow_twins", "vicreg"])
def test_redundancy_is_taken_of_the_projections(name):
    method = made(name)
    z1, z2 = projections(method)
    other = ~np.eye(z1.shape[1], dtype=bool)
    if name == "barlow_twins":
        a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (z1, z2))
        correlation = a.T @ b / len(a)
        expected = ((1 - np.diag(correlation)) ** 2).sum() + 5.1e-3 * (correlation[other] ** 2).sum()
    else:
        hinge = sum(np.maximum(0, 1 - np.sqrt(z.var(0, ddof=1) + 1e-4)).mean() for z in (z1, z2)) / 2
        redundancy = sum((np.cov(z.T)[other] ** 2).sum() for z in (z1, z2)) / z1.shape[1]
        expected = 25 * ((z1 - z2) ** 2).mean() + 25 * hinge + redundancy
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-3)


def test_w_mse_deals_by_chance_alike_for_both_views():
    method = made("w_mse", whitenings=3)
    rows = np.arange(2 * 35).reshape(2, 35, 1).repeat(8, 2).astype(np.float32)
    first, second = np.reshape(method.shuffled(tf.constant(rows))[..., 0], (2, 3, 32))
    np.testing.assert_array_equal(second - first, 35)
    assert all(len(set(order)) == 32 and list(order) != sorted(order) for order in first)
    assert len({tuple(order) for order in first}) == 3
    z1, z2 = (tf.constant(z) for z in projections(method))
    orders = (
        method.shuffled(tf.tile(tf.range(32.0)[None, :, None], (2, 1, 1)))[0, :, 0].numpy().astype(int).reshape(3, 32)
    )
    expected = np.mean([losses.w_mse(tf.stack([tf.gather(z1, o), tf.gather(z2, o)]), 16) for o in orders])
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-3)
    assert (np.reshape(method.shuffled(tf.constant(rows))[0, :, 0], (3, 32)) != first).any()  # of the next step


def test_sizes_that_cannot_be_are_refused():
    with pytest.raises(UserError, match="whitening_size 100 is too few for 64 dimensions: at least 128"):
        METHODS["w_mse"](whitening_size=100)
    with pytest.raises(UserError, match="queue_size 0: at least 1"):
        METHODS["moco"](queue_size=0)
    for name, batch_size, message in (
        ("moco", 16, "queue_size 40: take a multiple of batch_size, which is 16"),
        ("w_mse", 3, "whitening_size 16: a batch has 12 instances"),
        ("byol", 1, "batch_size 1: the statistics of a batch need at least 2 images"),
    ):
        with pytest.raises(UserError, match=message):
            made(name, batch_size=batch_size)
