"""Methods that look at parts of an image: Context Prediction, Jigsaw, Counting."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from tests.engine import tiny

NAMES = ("context_prediction", "jigsaw", "counting")


@pytest.fixture(scope="module")
def encoders():
    keras.utils.set_random_seed(0)
    return {
        "line": build_encoder("least", 16, 64, "none", dropout=0.0),
        "learned": build_encoder("least", 16, 64, "learned"),
        "page": build_encoder("least", 32, 64, "none"),
        "picture": build_encoder("resnet9", 28, 28, "none"),
        "small": build_encoder("resnet9", 12, 12, "none"),
    }


def made(name, encoder, **keys):
    keras.utils.set_random_seed(0)
    method = METHODS[name](hidden_dim=32, **keys)
    method.build(encoder)
    return method


def batch(method, height, width, rows=6, **rest):
    rng = np.random.default_rng(0)
    transform = method.make_transform("none")
    images = rng.integers(0, 256, (rows, height, width, 3)).astype(np.uint8)
    made = [transform({"image": image, "index": np.int32(i), **rest}, rng) for i, image in enumerate(images)]
    return {name: np.stack([row[name] for row in made]) for name in made[0]}


def dense(head, features):
    """A head of one hidden layer, in NumPy and in inference mode, before its first step."""
    first, _, _, last = head.layers
    hidden = features @ first.kernel.numpy() / np.sqrt(1 + head.layers[1].epsilon)
    return np.where(hidden > 0, hidden, 0.18 * hidden) @ last.kernel.numpy() + last.bias.numpy()


@pytest.mark.parametrize(("kind", "size"), [("line", (16, 64)), ("picture", (28, 28))])
@pytest.mark.parametrize(("name", "chances"), [("context_prediction", (4, 8)), ("jigsaw", (24, 100))])
def test_the_arrangement_is_a_class_of_the_features_side_by_side(encoders, kind, size, name, chances):
    method = made(name, encoders[kind])
    assert method.chance == 1 / chances[kind == "picture"]
    example = batch(method, *size)
    parts = [encoders[kind](tile)[0].numpy().mean(1) for tile in example["tiles"].swapaxes(0, 1)]
    scores = dense(method.head, np.concatenate(parts, axis=1))
    scores -= np.log(np.exp(scores).sum(1, keepdims=True))
    found = method.loss({key: tf.constant(value) for key, value in example.items()}, training=False)
    assert float(found["loss"]) == pytest.approx(-scores[np.arange(6), example["label"]].mean(), rel=2e-3)
    assert float(found["accuracy"]) == pytest.approx((scores.argmax(1) == example["label"]).mean())


@pytest.mark.parametrize(("kind", "size"), [("line", (16, 64)), ("picture", (28, 28))])
def test_counts_of_parts_add_up_to_those_of_the_whole_and_not_of_another(encoders, kind, size):
    method = made("counting", encoders[kind], counts=8)
    example = batch(method, *size)
    parts = [encoders[kind](tile)[0].numpy().mean(1) for tile in example["tiles"].swapaxes(0, 1)]
    whole, *parts = np.maximum([dense(method.counter, part) for part in parts], 0)
    own = ((whole - sum(parts)) ** 2).sum(1)
    other = ((whole[[5, 0, 1, 2, 3, 4]] - sum(parts)) ** 2).sum(1)
    method.margin = float(np.median(other))  # half of the others are far enough
    found = method.loss({key: tf.constant(value) for key, value in example.items()}, training=False)
    assert float(found["loss"]) == pytest.approx((own + np.maximum(0, method.margin - other)).mean(), rel=2e-3)
    assert float(found["accuracy"]) == pytest.approx((own < other).mean())


def test_to_count_nothing_costs_the_margin_and_finds_no_image(encoders):
    method = made("counting", encoders["picture"])
    method.counter.layers[-1].kernel.assign(tf.zeros_like(method.counter.layers[-1].kernel))
    found = method.loss({k: tf.constant(v) for k, v in batch(method, 28, 28).items()}, training=True)
    assert float(found["loss"]) == method.margin and float(found["accuracy"]) == 0


def test_a_run_on_padded_lines_trains_all_of_the_encoder(tmp_path, eagerly):
    assert not tiny.unmoved(tiny.trainer(tmp_path / "run", "jigsaw", steps=2, resize="pad"))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_learns_how_parts_lie(tmp_path, name):
    job = tiny.trainer(tmp_path / "run", name, steps=120, dropout=0.0, learning_rate=3e-3)
    batches = [next(job.loader) for _ in range(4)]
    held = {key: tf.constant(np.concatenate([part[key] for part in batches])) for key in batches[0]}
    job.fit()
    found = job.method.loss(held, training=True)
    assert float(found["accuracy"]) > job.method.chance + 0.15


def test_what_is_shown_says_what_is_asked(encoders):
    method = made("jigsaw", encoders["line"])
    example = batch(method, 16, 64, rows=2)
    shown = method.preview_inputs(example)
    assert [*shown] == ["tile 1", "tile 2", "tile 3", "tile 4", "target"]
    np.testing.assert_array_equal(shown["tile 3"], example["tiles"][:, 2])
    label, words = example["label"][1], shown["target"][1].split(": ")
    assert words[0] == f"permutation {label}"
    assert [int(word) - 1 for word in words[1].split()] == method.orders[label].tolist()
    method = made("context_prediction", encoders["picture"])
    shown = method.preview_inputs({**batch(method, 28, 28, rows=2), "label": np.array([0, 4])})
    assert shown["target"] == ["above left", "right"] and shown["first"].shape == (2, 8, 8, 3)
    method = made("counting", encoders["picture"])
    shown = method.preview_inputs(batch(method, 28, 28, rows=2))
    assert [*shown] == ["image at half size", "part 1", "part 2", "part 3", "part 4"]


@pytest.mark.parametrize("name", NAMES)
def test_encoders_that_take_no_parts_are_refused(encoders, name):
    with pytest.raises(UserError, match="this encoder does not accept .* of .* use positions=none"):
        made(name, encoders["learned"])
    with pytest.raises(UserError, match=r"for lines \(more than twice as wide as high\) parts of full height"):
        made(name, encoders["page"])


@pytest.mark.parametrize("name", NAMES)
def test_images_smaller_than_the_parts_are_refused(encoders, name):
    with pytest.raises(UserError, match="height 12 and width 12"):
        made(name, encoders["small"])
