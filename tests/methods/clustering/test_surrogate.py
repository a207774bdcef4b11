"""Methods that classify by classes which nobody named."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import RunInfo
from seqclr.nn import clusters
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny

SMALL = {
    "deep_cluster": {"clusters": 4},
    "sela": {"clusters": 4, "relabellings": 4, "heads": 2},
    "clique_cnn": {"cliques": 6, "clique_size": 4},
    "inst_disc": {"noise": 16, "projection_dim": 16},
    "classifier": {},
    "exemplar": {"patch": 16},
}


def made(name, records=16, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](**{**SMALL[name], **keys})
    method.prepare([Sample("bars", f"{i}.png", f"class {i % 2}") for i in range(records)])
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0), RunInfo(total_steps=20))
    return method


def batch(rows=8):
    return {name: tf.constant(value[:, :1] if name in ("views", "geometry") else value)
            for name, value in tiny.seeded(rows).items()}  # fmt: skip


def records(rows=16):
    images = tiny.seeded(rows)["views"][:, 0]
    for start in range(0, rows, 6):
        part = images[start : start + 6]
        yield {"image": part, "index": np.arange(start, start + len(part), dtype=np.int32)}


def test_the_loss_is_the_cross_entropy_of_the_labels_of_the_records():
    method = made("classifier", frames="windows:2")
    method.labels.assign(np.where(np.arange(16)[:, None] == 3, -1, method.labels.numpy()))
    features, _ = method.encode(batch(), training=True)
    pooled = features.numpy().reshape(8, 2, 8, -1).mean(2)
    pooled = (pooled - pooled.mean((0, 1))) / np.sqrt(pooled.var((0, 1)) + 1e-5)
    logits = pooled @ method.head.kernel.numpy() + method.head.bias.numpy()
    scores = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    rows = [scores[i, :, i % 2] for i in range(8) if i != 3]  # of the fourth there is no class
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(-np.mean(rows), rel=1e-4)


def test_deep_cluster_names_clusters_starts_its_top_layer_anew_and_weighs_classes_alike():
    method = made("deep_cluster", frames="windows:2")
    assert method.relabels(0) and not made("sela").relabels(0)
    before = method.head.kernel.numpy()
    method.relabel(records())
    labels, kernel = method.labels.numpy(), method.head.kernel.numpy()
    assert labels.shape == (16, 2) and set(labels.reshape(-1)) == set(range(4))
    assert not np.array_equal(before, kernel) and kernel.std() == pytest.approx(0.01, rel=0.2)
    assert np.bincount(labels.reshape(-1)) * method.shares.numpy() == pytest.approx(np.full(4, 8.0))
    features, present = method.pooled_features(records())
    assert present.shape == (16, 2) and present.all() and np.abs(features.reshape(16, 2, 64).mean(axis=0)).max() < 1e-4
    method.relabel(records())
    expected = clusters.agreement(labels.reshape(-1), method.labels.numpy().reshape(-1))
    assert float(method.agreement) == pytest.approx(expected, abs=1e-6) and int(method.rounds) == 2


def test_sela_labels_are_equal_in_size_and_solved_more_often_at_first():
    method = made("sela", frames="none", relabellings=5)
    assert (np.bincount(method.labels.numpy()[..., 0].reshape(-1)) == 64).all()
    assert method.times() == [1, 3, 7, 13]
    assert [method.phase(step)[1] for step in (0, 1, 6, 7, 19)] == [0, 1, 2, 3, 4]
    method.relabel(records())
    for head in range(2):
        assert np.bincount(method.labels.numpy()[..., head].reshape(-1), minlength=4).min() > 30
    scores = np.concatenate([method.classify({"views": tf.constant(b["image"][:, None])}, False)[0] for b in records()])
    chosen = np.take_along_axis(scores, method.labels.numpy()[..., None], -1).mean()
    assert chosen > scores.mean()


def test_sela_has_classes_of_the_given_sizes_or_estimates_them():
    method = made("sela", frames="none", relabellings=5, marginals="1,5,2,2")
    assert np.bincount(method.labels.numpy()[..., 0].reshape(-1)).tolist() in ([26, 128, 51, 51], [25, 128, 52, 51])
    method.relabel(records())
    sizes = np.sort(np.bincount(method.labels.numpy()[..., 0].reshape(-1), minlength=4))
    assert np.abs(sizes - [26, 51, 51, 128]).max() < 20
    scores = np.log(np.repeat([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1]], [40, 10], axis=0))
    method = made("sela", frames="none", relabellings=5, marginals="estimated", balance=0.01)
    first = method.solve(scores)
    method.rounds.assign(4)
    assert np.bincount(method.solve(scores)).tolist() == [40, 10]
    assert len(set(first)) >= 2


@pytest.mark.parametrize(
    ("marginals", "told"),
    [
        ("even", "marginals 'even': equal, estimated, or numbers such as 60,30,10"),
        ("1,2", "marginals has 2 sizes: clusters is 4, so give as many"),
        ("1,2,0,4", "the sizes must be above 0"),
        ("1,2,nan,4", "the sizes must be above 0"),
    ],
)
def test_sizes_of_classes_that_cannot_be(marginals, told):
    with pytest.raises(UserError, match=told):
        METHODS["sela"](clusters=4, marginals=marginals)


def test_cliques_leave_the_rest_out():
    method = made("clique_cnn", frames="windows:2")
    method.relabel(records())
    labels = method.labels.numpy()
    assert set(np.bincount(labels[labels >= 0])) == {4} and (labels == -1).any()


def test_inst_disc_keeps_the_z_of_the_first_batch_and_moves_its_own_rows():
    method = made("inst_disc", frames="windows:2")
    before = method.bank.vectors.numpy()
    assert before.shape == (32, 16)
    first = float(method.loss(batch(), training=True)["loss"])
    z = float(method.partition)
    np.testing.assert_array_equal(method.bank.vectors.numpy()[16:], before[16:])
    assert np.abs(method.bank.vectors.numpy()[:16] - before[:16]).max() > 0.1
    second = float(method.loss(batch(), training=True)["loss"])
    assert float(method.partition) == z > 0 and second < first  # half of its own answer is in the bank by now
    with tf.GradientTape() as tape:
        tape.watch(method.bank.vectors.value)
        loss = method.loss(batch(), training=False)["loss"]
    assert (
        tape.gradient(loss, method.projector.trainable_variables)[0] is not None
        and method.bank.trainable_variables == []
    )


def test_inst_disc_without_noise_is_a_softmax_over_the_bank():
    method = made("inst_disc", frames="all", noise=0)
    features, _ = method.encode(batch(), training=True)
    z = tf.reduce_mean(method.projector(features, training=True), 1).numpy()
    logits = z / np.linalg.norm(z, axis=1, keepdims=True) @ method.bank.vectors.numpy().T / 0.07
    expected = np.mean(np.log(np.exp(logits).sum(1)) - logits[np.arange(8), np.arange(8)])
    assert float(method.loss(batch(), training=True)["loss"]) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "chance", "keys"),
    [("classifier", 0.5, {}), ("sela", 0.25, {"heads": 1}), ("clique_cnn", 1 / 6, {}), ("deep_cluster", 0.25, {})],
)
def test_classes_are_learned(tmp_path, name, chance, keys):
    job = tiny.trainer(tmp_path / "run", name, steps=60, dropout=0.0, learning_rate=3e-3, frames="windows:2",
                       **{**SMALL[name], "views": "none", **keys})  # fmt: skip
    job.method.run = dataclasses.replace(
        job.method.run, steps_per_epoch=60
    )  # of the few pages, one pass is too short to learn in
    assert job.fit()["accuracy"] > chance + 0.2


def test_some_images_are_exemplars_and_counted_anew(tmp_path):
    for i, page in enumerate(tiny.pages(12)):
        Image.fromarray(page["image"]).save(tmp_path / f"{i}.png")
    dataset = ImageDataset(find_unlabelled([str(tmp_path)]), 16, 64, "stretch")
    drawn = METHODS["exemplar"](exemplars=5).records(dataset)
    assert len(drawn) == len(drawn.samples) == 5 and METHODS["exemplar"]().records(dataset) is dataset
    assert [int(record["index"]) for record in drawn] == [0, 1, 2, 3, 4]
    assert all(np.array_equal(record["image"], dataset[place]["image"]) for record, place in zip(drawn, drawn.indices))
    assert len(set(drawn.indices)) == 5 and drawn.indices.max() > 4
    with pytest.raises(UserError, match="exemplars 13: 2 to 12"):
        METHODS["exemplar"](exemplars=13).records(dataset)


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="clusters 40: 2 to 16, the number of instances"):
        made("deep_cluster", frames="all", clusters=40)
    with pytest.raises(UserError, match="6 cliques of 4 are more than the 16 instances"):
        made("clique_cnn", frames="all")
    with pytest.raises(UserError, match="clique_size 1: at least 2"):
        METHODS["clique_cnn"](clique_size=1)
    with pytest.raises(UserError, match="7.png has no label"):
        METHODS["classifier"]().prepare([Sample("a", "1.png", "x"), Sample("a", "7.png")])
    with pytest.raises(UserError, match="all labels are 'x'"):
        METHODS["classifier"]().prepare([Sample("a", "1.png", "x")])
    with pytest.raises(UserError, match="frames 'none' is not known: all"):
        METHODS["exemplar"](frames="none")
    with pytest.raises(UserError, match="32001 images are as many classes"):
        METHODS["exemplar"]().prepare([Sample("a", "1.png")] * 32001)
    method = METHODS["exemplar"](patch=8)
    method.prepare([Sample("a", "1.png")] * 4)
    with pytest.raises(UserError, match="does not accept patches of 8x8: use positions=none"):
        method.build(build_encoder("least", 16, 64, "learned"))
