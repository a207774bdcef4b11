"""Each method learns something that can be checked, and is what its paper says."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS, find_method
from seqclr.methods.text.ctc import ctc_head, ctc_loss
from seqclr.nn.encoders import build_encoder
from seqclr.nn.heads import mlp
from tests.engine import tiny


def projections(method, batch):
    _, mask, z = method.embed(batch, training=False)
    return [tf.math.l2_normalize(z, -1) for z in method.instances(z, batch, mask)[:2]]


def matched(z1, z2):
    """The share of instances whose nearest instance of the other view is their partner."""
    return float(np.mean(np.argmax(z1 @ tf.transpose(z2), 1) == np.arange(len(z1))))


def agreement(z1, z2):
    """The mean cosine of partners above that of all pairs: collapsed instances have none."""
    return float(tf.reduce_mean(tf.reduce_sum(z1 * z2, -1)) - tf.reduce_mean(z1 @ tf.transpose(z2)))


@pytest.mark.parametrize(
    ("name", "measure", "keys"),
    [
        ("simclr", matched, {"encoder": "least"}),
        ("simsiam", agreement, {"encoder": "least"}),
        pytest.param("byol", agreement, {}, marks=pytest.mark.slow),
        pytest.param("moco", matched, {"queue_size": 64}, marks=pytest.mark.slow),
        pytest.param("moco_v2", matched, {"queue_size": 64}, marks=pytest.mark.slow),
        pytest.param("moco_v3", matched, {}, marks=pytest.mark.slow),
        pytest.param("nnclr", agreement, {"queue_size": 64}, marks=pytest.mark.slow),
        pytest.param("barlow_twins", matched, {"projection_dim": 64}, marks=pytest.mark.slow),
        pytest.param("vicreg", matched, {"projection_dim": 64}, marks=pytest.mark.slow),
        pytest.param("inva_spread", matched, {}, marks=pytest.mark.slow),
        pytest.param("curl", matched, {"steps": 80, "learning_rate": 3e-3}, marks=pytest.mark.slow),
        pytest.param("cmc", matched, {"views": "none", "encoder": "tiny_lab"}, marks=pytest.mark.slow),
        pytest.param("pix_contrast", agreement, {}, marks=pytest.mark.slow),
        pytest.param("pix_pro", agreement, {}, marks=pytest.mark.slow),
        pytest.param("simclr_v2", matched, {}, marks=pytest.mark.slow),
        pytest.param("swav", matched, {"prototypes": 24}, marks=pytest.mark.slow),
        pytest.param("dino", agreement, {"prototypes": 64, "steps": 60}, marks=pytest.mark.slow),
        pytest.param("ccd", agreement, {"prototypes": 64, "steps": 60}, marks=pytest.mark.slow),
        pytest.param("rclstr", matched, {"queue_size": 64}, marks=pytest.mark.slow),
        pytest.param("w_mse", matched, {"projection_dim": 8, "whitening_size": 16}, marks=pytest.mark.slow),
    ],
)
def test_pretraining_does_what_the_method_is_for(tmp_path, name, measure, keys):
    keys = {"steps": 40, "learning_rate": 2e-3, "encoder": "tiny", **keys}
    job = tiny.trainer(tmp_path / "run", name, dropout=0.0, **keys)
    batches = [next(job.loader) for _ in range(2)]
    held = {key: tf.constant(np.concatenate([batch[key] for batch in batches])) for key in batches[0]}
    loss, before = job.method.loss(held, training=True)["loss"], measure(*projections(job.method, held))
    job.fit()
    if "queue_size" not in keys:  # what is in a queue at first is no match for any
        assert float(job.method.loss(held, training=True)["loss"]) < float(loss) - 0.1
    after = measure(*projections(job.method, held))
    assert after > before + 0.1, (before, after)


@pytest.mark.slow  # as the labelled images of tests/methods/text/test_self_training.py
def test_ctc_learns_to_read(tmp_path):
    job = tiny.trainer(tmp_path / "run", "ctc", encoder="tiny", steps=150, learning_rate=3e-3)
    first = job.method.loss({k: tf.constant(v) for k, v in next(job.loader).items()}, training=False)["loss"]
    logs = job.fit()
    assert logs["loss"] < 0.3 * float(first)


@pytest.fixture(scope="module")
def encoder():
    keras.utils.set_random_seed(0)
    return build_encoder("least", 16, 64, "none", dropout=0.0)


@pytest.mark.parametrize("correspondence", ["index", "geometry"])
@pytest.mark.parametrize("frames", ["frames:5", "windows:4", "all", "none"])
def test_instances_of_padding_are_left_out(encoder, correspondence, frames):
    """A line padded further gives the same loss, where the windows do not depend on the padding."""
    keras.utils.set_random_seed(0)
    method = METHODS["simclr"](frames=frames, correspondence=correspondence)
    method.build(encoder)
    batch = tiny.seeded(4)
    batch["width"] = np.array([64, 32, 12, 64], np.int32)
    loss = method.loss({k: tf.constant(v) for k, v in batch.items()}, training=False)["loss"]
    spoilt = batch["views"].copy()
    spoilt[1, :, :, 32:], spoilt[2, :, :, 12:] = 0, 255
    batch["views"] = spoilt
    again = method.loss({k: tf.constant(v) for k, v in batch.items()}, training=False)["loss"]
    assert float(loss) == pytest.approx(float(again), abs=1e-5) and np.isfinite(float(loss))


def test_simsiam_stops_the_gradient_of_the_projection(monkeypatch):
    """With the predictor's output cut off, nothing is left to learn: the other way is stopped."""
    method = METHODS["simsiam"]()
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    monkeypatch.setattr(method, "predictor", lambda z, mask, training: tf.stop_gradient(z))
    with tf.GradientTape() as tape:
        loss = method.loss({k: tf.constant(v) for k, v in tiny.seeded(4).items()}, training=True)["loss"]
    assert all(g is None for g in tape.gradient(loss, method.encoder.trainable_variables))


def test_simsiam_penalty_is_of_both_heads():
    method = METHODS["simsiam"](l2=1e-3)
    method.build(build_encoder("least", 16, 64, "none"))
    kernels = [v for v in (*method.projector.weights, *method.predictor.weights) if v.path.endswith("kernel")]
    expected = 1e-3 * sum(np.square(kernel).sum() for kernel in kernels)
    assert len(kernels) == 5
    assert sum(map(float, (*method.projector.losses, *method.predictor.losses))) == pytest.approx(expected, rel=1e-4)


def test_heads_are_leaky_by_018():
    head = mlp((1, 1), "head", input_dim=1)
    for layer in (head.layers[0], head.layers[-1]):
        layer.kernel.assign([[1.0]])
    np.testing.assert_allclose(
        head(np.array([[[-1.0], [2.0]]], np.float32))[0, :, 0], [-0.18, 2.0], atol=1e-4
    )  # batch norm is near 1


def brute_force(label, log_probabilities):
    """-log of the sum over all paths that collapse to the label."""
    frames, classes = log_probabilities.shape
    total = -np.inf
    for path in itertools.product(range(classes), repeat=frames):
        collapsed = [c for i, c in enumerate(path) if (i == 0 or c != path[i - 1]) and c != classes - 1]
        if collapsed == label:
            total = np.logaddexp(total, sum(log_probabilities[t, c] for t, c in enumerate(path)))
    return -total


def test_ctc_loss_is_the_sum_over_all_paths_and_masks_frames():
    logits = np.random.default_rng(0).normal(size=(3, 5, 3)).astype(np.float32)
    labels = np.array([[0, 1, -1], [0, 0, -1], [1, -1, -1]], np.int32)
    mask = np.arange(5)[None] < np.array([[5], [4], [2]])
    log_probabilities = tf.nn.log_softmax(logits).numpy().astype(np.float64)
    found = ctc_loss(tf.constant(labels), tf.constant(logits), tf.constant(mask))
    for i, (label, frames) in enumerate((([0, 1], 5), ([0, 0], 4), ([1], 2))):
        assert float(found[i]) == pytest.approx(brute_force(label, log_probabilities[i, :frames]), rel=1e-4)
    whole = ctc_loss(tf.constant(labels[:1]), tf.constant(logits[:1]))
    assert float(whole[0]) == pytest.approx(float(found[0]), rel=1e-6)


def test_the_blank_starts_unlikely():
    head = ctc_head(8, 5, 0.0)
    assert head.layers[-1].bias.numpy().tolist() == [0, 0, 0, 0, -2]


def test_unknown_names_list_the_known():
    known = "rclstr, rotation, sela, simclr, simclr_v2, simsiam, sound_distillation, split_brain"
    with pytest.raises(UserError, match=f"pix_pro, pseudo_characters, {known}"):
        find_method("simklr")
    with pytest.raises(UserError, match="info_nce, margin_contrastive, n_pair, nt_xent, triplet"):
        METHODS["simclr"](loss_name="ntxent")
    for key in ("correspondence", "layer", "negatives", "frames"):
        with pytest.raises(UserError, match=f"{key} 'x'"):
            METHODS["simclr"](**{key: "x"})


def test_geometry_is_for_lines():
    with pytest.raises(UserError, match="with images take correspondence=index"):
        METHODS["simclr"](correspondence="geometry").build(build_encoder("resnet9", 16, 16, "none"))
    METHODS["pix_pro"]().build(build_encoder("resnet9", 16, 16, "none"))
