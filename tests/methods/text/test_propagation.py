"""Similar characters of other images correct the texts of a teacher."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.methods.text import propagation
from seqclr.methods.text.propagation import (
    average_views,
    neighbours,
    occurring,
    propagate,
    propagated_texts,
    seeds,
    with_equal_priors,
)
from seqclr.methods.text.self_training import teacher_logits, teacher_texts
from tests.methods.text.test_adaptation import made

WITHOUT = np.zeros(1, bool), 0.0, 10  # no seeds, and ten neighbours


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
    np.testing.assert_allclose(propagate(features, images, probabilities, known, 10), expected, atol=5e-3)


def test_neighbours_are_found_alike_in_parts_and_of_few_characters(monkeypatch):
    features, images, *_ = drawn(50)
    whole = neighbours(features, images, 10)
    monkeypatch.setattr(propagation, "ROWS", 7)
    for a, b in zip(whole, neighbours(features, images, 10)):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    places, weights = neighbours(features[:4], np.array([0, 1, 1, 2]), 10)
    assert places.shape == (4, 4)
    assert weights[1][places[1] == 2] < 1e-3  # of the same image


def test_few_images_that_are_not_alike_keep_their_predictions():
    features, images, probabilities, known = drawn(12)
    certain = np.where(known[:, None], np.eye(3)[0], 0.98 * np.eye(3)[probabilities.argmax(1)] + 0.01)
    spread = propagate(np.eye(12, dtype=np.float32), np.arange(12), certain, known, 10)
    np.testing.assert_array_equal(spread.argmax(1), certain.argmax(1))


def test_labels_spread_to_characters_that_look_alike():
    """Two characters, both predicted as the first: two images with labels name them."""
    rng = np.random.default_rng(0)
    groups = np.arange(60) % 2
    features = np.eye(4)[groups] + 0.1 * rng.normal(size=(60, 4))
    known = np.isin(np.arange(60), (0, 1, 2, 3))
    predicted = np.tile([0.6, 0.4], (60, 1))
    spread = propagate(features, np.arange(60), np.where(known[:, None], np.eye(2)[groups], predicted), known, 10)
    np.testing.assert_array_equal(spread.argmax(1), groups)
    np.testing.assert_array_equal(spread[known], np.eye(2)[groups[known]])


def test_a_corrected_text_must_fit_the_frames():
    """Images of 01, but for the last two: one is predicted as 10 and looks like 11, the other has no text."""
    texts = np.array([[0, 1]] * 20 + [[1, 0], [-1, -1]], np.int32)
    features = np.eye(4, dtype=np.float32)[np.where(texts < 0, 3, texts)]
    features[20, 1] = features[0, 1]
    predicted = np.where(np.eye(4)[np.maximum(texts, 0)], 0.6, 0.4 / 3).astype(np.float32)
    for frames, expected in ((3, [1, 1]), (2, [-1, -1])):
        known, sources = np.arange(22) < 10, ["site"] * 22
        found, confidence = propagated_texts(texts, features, predicted, np.full(22, frames), known, sources, *WITHOUT)
        np.testing.assert_array_equal(found, [[0, 1]] * 20 + [expected, [-1, -1]])
        assert (confidence[:10] == 1).all() and confidence[21] == 0
        assert (confidence[20] > 0.5) == (frames == 3)


def test_sources_do_not_correct_each_other():
    texts = np.zeros((20, 1), np.int32)
    texts[10:] = 1
    features, predicted = np.ones((20, 1, 2), np.float32), np.full((20, 1, 2), 0.5, np.float32)
    features[::2, :, 1] = 0
    known = np.array(([True] * 5 + [False] * 5) * 2)
    sources = ["first"] * 10 + ["second"] * 10
    found, _ = propagated_texts(texts, features, predicted, np.full(20, 9), known, sources, *WITHOUT)
    np.testing.assert_array_equal(found, texts)


def test_equally_many_of_each_class_are_seeds_but_for_those_that_hardly_occur():
    """Most of the second class are predicted as the third; two classes do not occur, and one is not counted."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 4, 4000)
    scores = 6.0 * np.eye(7)[truth] + rng.normal(size=(4000, 7))
    scores[:, 4:6] -= 4
    ones = truth == 1
    scores[ones] = 6.0 * np.eye(7)[2] + rng.normal(size=(ones.sum(), 7))
    scores[ones, 1] += 5.4
    probabilities = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    predicted = probabilities.argmax(1)
    assert (predicted[ones] == 2).mean() > 0.6
    occurs = occurring(probabilities, np.arange(7) < 6)
    np.testing.assert_array_equal(occurs, np.arange(7) < 4)
    found = seeds(probabilities, occurs, 0.35)
    np.testing.assert_array_equal(np.bincount(found[found >= 0], minlength=7), [350] * 4 + [0] * 3)
    assert (found == truth)[found >= 0].mean() > 0.95 > (predicted == truth).mean() + 0.1
    assert (seeds(probabilities, occurs, 0.0) == -1).all()


def test_equal_priors_undo_the_bias_of_a_reader():
    """Of two equally frequent classes, the reader gives the first one the odds 3 that its features do not."""
    rng = np.random.default_rng(0)
    truth = np.arange(4000) % 2
    odds = np.exp(np.where(truth, -1.5, 1.5) + rng.normal(size=4000))
    biased = np.stack([3 * odds / (1 + 3 * odds), 1 / (1 + 3 * odds), np.zeros(4000)], 1)
    occurs = np.array([True, True, False])
    adjusted = with_equal_priors(biased, occurs)
    np.testing.assert_allclose(adjusted.sum(1), 1)
    ratio = (adjusted[:, 0] / adjusted[:, 1]) / (biased[:, 0] / biased[:, 1])
    np.testing.assert_allclose(ratio, biased[:, 1].mean() / biased[:, 0].mean())
    assert (adjusted.argmax(1) == truth).mean() > (biased.argmax(1) == truth).mean() + 0.02
    certain = np.eye(3)[[0, 1, 0]]
    np.testing.assert_allclose(with_equal_priors(certain, occurs), certain)


def test_seeds_bring_back_a_character_that_is_taken_for_another_one():
    """Ones and l look different, but nearly all are predicted as l: the surest ones spread to those that look alike."""
    rng = np.random.default_rng(0)
    truth = np.arange(400) % 2
    features = (np.eye(4)[truth] + 0.1 * rng.normal(size=(400, 4))).astype("float32")[:, None]
    scores = np.stack([-1.0 + 0.8 * (truth == 0) + 0.3 * rng.normal(size=400), np.zeros(400)], 1)
    predicted = tf.nn.softmax(scores[:, None].astype("float32")).numpy()
    texts = predicted.argmax(-1).astype("int32")
    rest = np.full(400, 9), np.zeros(400, bool), ["site"] * 400, np.ones(2, bool)
    without, _ = propagated_texts(texts, features, predicted, *rest, 0.0, 10)
    found, confidence = propagated_texts(texts, features, predicted, *rest, 0.35, 10)
    assert (texts[:, 0] == truth).mean() < 0.75 and (without[:, 0] == truth).mean() < 0.75
    assert (found[:, 0] == truth).mean() > 0.98
    assert (confidence == 1).sum() == 140
    alone, _ = propagated_texts(texts, features, predicted, *rest, 0.35, 0)
    assert (alone[:, 0] != texts[:, 0]).sum() == (alone[:, 0] == 0).sum() - (texts[:, 0] == 0).sum() > 0


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_the_surest_predicted_texts_are_labels_and_all_from_a_step_on(resize):
    method, batch, records = made(resize, with_records=True)
    assert method.times() == [0, 2, 4, 6]
    assert [step for step in range(10) if method.relabels(step)] == [0, 2, 4, 6]
    assert [method.phase(step)[1] for step in range(10)] == [1, 1, 2, 2, 3, 3, 4, 4, 4, 4]
    assert float(method.loss(batch, training=False)["accepted"]) == 1 / 4  # the label
    weights = method.encoder.get_weights()
    own, _ = teacher_texts(method, *teacher_logits(method, records["image"], records.get("width")))
    method.relabel([records])
    for a, b in zip(weights, method.encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    texts, confidence = method.propagated.texts.numpy(), method.propagated.confidence.numpy()
    np.testing.assert_array_equal(texts[1], [1, 2, -1])
    assert confidence[1] == 1 and (0 < confidence[[0, 2, 3]]).all()
    np.testing.assert_array_equal((own >= 0).numpy().sum(1)[[0, 2, 3]], (texts >= 0).sum(1)[[0, 2, 3]])

    accepted = []
    for step in (0, 5, 6):
        method.averaged.updates.assign(step)
        accepted.append(float(method.loss(batch, training=False)["accepted"]))
    assert accepted == [3 / 4, 3 / 4, 1]


def test_characters_are_the_mean_of_the_views_with_the_usual_length():
    texts = np.array([[[0, 1, -1]], [[0, -1, -1]], [[1, 1, -1]], [[0, 1, 1]]], np.int32)
    features = np.arange(4 * 3 * 2, dtype=np.float32).reshape(4, 1, 3, 2)
    probabilities = np.full((4, 1, 3, 2), 0.5, np.float32)
    probabilities[0, 0, :2], probabilities[2, 0, :2] = [[0.6, 0.4], [0.1, 0.9]], [[0.3, 0.7], [0.2, 0.8]]
    found, pooled, mean = average_views(texts, features, probabilities)
    np.testing.assert_array_equal(found, [[1, 1, -1]])  # the first view alone says 0
    np.testing.assert_allclose(mean[0, :2], [[0.45, 0.55], [0.15, 0.85]], rtol=1e-6)
    np.testing.assert_allclose(pooled, (features[0] + features[2]) / 2)


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_predicted_texts_are_averaged_over_views(resize):
    given = np.full((4, 3), -1, np.int32)
    one, several = (made(resize, with_records=True, test_time_augmentations=count) for count in (0, 8))
    (method, _, records), rng = one, np.random.default_rng(0)
    alone = method.mean_characters(records, given, rng)
    widths = tf.constant(records["width"]) if resize == "pad" else None
    for found, expected in zip(alone[1:], method.characters(records["image"], widths, given)[1:], strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)
    method, _, records = several
    first, again, other = (method.mean_characters(records, given, np.random.default_rng(seed)) for seed in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    difference = [np.abs(first[2] - of).mean() for of in (alone[2], other[2])]
    assert difference[0] > difference[1] > 0  # another draw of the views is closer than none


@pytest.mark.parametrize(("images", "weight"), [(4, 0.3), (50, 0.2), (100, 0.05)])
def test_generated_images_count_less_once_all_texts_are_fixed(images, weight):
    method, batch, _ = made(labels=[()] * images, with_records=True)
    figures = method.loss(batch, training=False)
    assert float(figures["loss"]) == pytest.approx(float(figures["site"] + 0.3 * figures["generated"]), rel=1e-5)
    method.averaged.updates.assign(6)
    figures = method.loss(batch, training=False)
    assert float(figures["loss"]) == pytest.approx(float(figures["site"] + weight * figures["generated"]), rel=1e-5)
