"""Similar characters of other images correct the texts of a teacher."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.methods.text import adaptation, propagation
from seqclr.methods.text.propagation import neighbours, propagate, propagated_texts
from seqclr.methods.text.self_training import teacher_logits, teacher_texts
from tests.methods.text.test_adaptation import made


def drawn(count: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    features, images = rng.normal(size=(count, 4)).astype("float32"), rng.integers(0, count // 3, count)
    return features, images, rng.dirichlet([1, 1, 1], count).astype("float32"), rng.random(count) < 0.2


def test_propagation_is_the_solution_of_its_equation():
    features, images, probabilities, known = drawn(60)
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    unit -= unit.mean(0)
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    cosines = unit @ unit.T
    w = np.zeros((60, 60))
    for i in range(60):
        others = [k for k in np.argsort(-cosines[i]) if images[k] != images[i]][:10]
        cosines[i, i] = 0.9
        nearest = sorted([*others, i], key=lambda k: -cosines[i, k])[:10]
        w[i, nearest] = np.exp(cosines[i, nearest] / 0.1)
    w /= w.sum(1, keepdims=True)
    w[known] = 0
    rest = np.where(known, 1.0, 0.1)[:, None] * probabilities
    expected = np.linalg.solve(np.eye(60) - 0.9 * w, rest)
    np.testing.assert_allclose(propagate(features, images, probabilities, known), expected, atol=5e-3)


def test_neighbours_are_found_alike_in_parts_and_of_few_characters(monkeypatch):
    features, images, *_ = drawn(50)
    whole = neighbours(features, images)
    monkeypatch.setattr(propagation, "ROWS", 7)
    for a, b in zip(whole, neighbours(features, images)):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    places, weights = neighbours(features[:4], np.array([0, 1, 1, 2]))
    assert places.shape == (4, 4)
    assert weights[1][places[1] == 2] < 1e-3  # of the same image


def test_few_images_that_are_not_alike_keep_their_predictions():
    features, images, probabilities, known = drawn(12)
    certain = np.where(known[:, None], np.eye(3)[0], 0.98 * np.eye(3)[probabilities.argmax(1)] + 0.01)
    spread = propagate(np.eye(12, dtype=np.float32), np.arange(12), certain, known)
    np.testing.assert_array_equal(spread.argmax(1), certain.argmax(1))


def test_labels_spread_to_characters_that_look_alike():
    """Two characters, both predicted as the first: two images with labels name them."""
    rng = np.random.default_rng(0)
    groups = np.arange(60) % 2
    features = np.eye(4)[groups] + 0.1 * rng.normal(size=(60, 4))
    known = np.isin(np.arange(60), (0, 1, 2, 3))
    predicted = np.tile([0.6, 0.4], (60, 1))
    spread = propagate(features, np.arange(60), np.where(known[:, None], np.eye(2)[groups], predicted), known)
    np.testing.assert_array_equal(spread.argmax(1), groups)
    np.testing.assert_array_equal(spread[known], np.eye(2)[groups[known]])


def test_a_corrected_text_must_fit_the_frames():
    """Images of 01, but for the last two: one is predicted as 10 and looks like 11, the other has no text."""
    texts = np.array([[0, 1]] * 20 + [[1, 0], [-1, -1]], np.int32)
    features = np.eye(4, dtype=np.float32)[np.where(texts < 0, 3, texts)]
    features[20, 1] = features[0, 1]
    scores = np.log(np.where(np.eye(4)[np.maximum(texts, 0)], 0.6, 0.4 / 3)).astype(np.float32)
    for frames, expected in ((3, [1, 1]), (2, [-1, -1])):
        known, sources = np.arange(22) < 10, ["site"] * 22
        found, confidence = propagated_texts(texts, features, scores, np.full(22, frames), known, sources)
        np.testing.assert_array_equal(found, [[0, 1]] * 20 + [expected, [-1, -1]])
        assert (confidence[:10] == 1).all() and confidence[21] == 0
        assert (confidence[20] > 0.5) == (frames == 3)


def test_sources_do_not_correct_each_other():
    texts = np.zeros((20, 1), np.int32)
    texts[10:] = 1
    features, scores = np.ones((20, 1, 2), np.float32), np.log(np.full((20, 1, 2), 0.5, np.float32))
    features[::2, :, 1] = 0
    known = np.array(([True] * 5 + [False] * 5) * 2)
    sources = ["first"] * 10 + ["second"] * 10
    found, _ = propagated_texts(texts, features, scores, np.full(20, 9), known, sources)
    np.testing.assert_array_equal(found, texts)


def test_of_many_images_only_some_without_a_label_are_taken(monkeypatch):
    monkeypatch.setattr(adaptation, "MOST", 2)
    method, batch, records = made(labels=((), (1, 2), (), ()), with_records=True)
    method.relabel([records])
    taken = method.propagated.confidence.numpy() >= 0
    assert taken[1] and 2 <= taken.sum() <= 3
    texts = method.propagated(tf.fill([4, 3], 5), batch["index"]).numpy()
    np.testing.assert_array_equal((texts[:, :3] == 5).all(1), ~taken)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_propagated_texts_are_labels_from_a_step_on(resize):
    method, batch, records = made(resize, propagation=0.6, with_records=True)
    assert [step for step in range(10) if method.relabels(step)] == [6, 7, 8, 9]
    before = method.loss(batch, training=False)
    weights = method.encoder.get_weights()
    own, _ = teacher_texts(method, *teacher_logits(method, records["image"], records.get("width")))
    method.relabel([records])
    assert not any(method.relabels(step) for step in range(10))
    for a, b in zip(weights, method.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    texts, confidence = method.propagated.texts.numpy(), method.propagated.confidence.numpy()
    np.testing.assert_array_equal(texts[1], [1, 2, -1])
    assert confidence[1] == 1 and (0 < confidence[[0, 2, 3]]).all() and (confidence[[0, 2, 3]] < 1).all()
    np.testing.assert_array_equal((own >= 0).numpy().sum(1)[[0, 2, 3]], (texts >= 0).sum(1)[[0, 2, 3]])

    changed = texts.copy()
    changed[:, 0] = 9
    method.propagated.texts.assign(changed)
    after = method.loss(batch, training=False)
    assert float(after["accepted"]) == 1 > float(before["accepted"])
    assert float(after["site"]) > float(before["site"])  # texts that the reader finds less likely


@pytest.mark.parametrize(("images", "weight"), [(4, 0.3), (50, 0.2), (100, 0.05)])
def test_generated_images_count_less_once_all_texts_are_fixed(images, weight):
    method, batch, records = made(labels=[()] * images, with_records=True)
    figures = method.loss(batch, training=False)
    assert float(figures["loss"]) == pytest.approx(float(figures["site"] + 0.3 * figures["generated"]), rel=1e-5)
    method.propagated.done.assign(True)
    figures = method.loss(batch, training=False)
    assert float(figures["loss"]) == pytest.approx(float(figures["site"] + weight * figures["generated"]), rel=1e-5)
