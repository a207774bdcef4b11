"""Several methods that train one encoder: each computes what it computes alone, and its keys and states are kept."""

import signal
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from seqclr.config import PretrainConfig, fields_of, resolve
from seqclr.data.loader import InOrder, as_batch
from seqclr.data.sequences import Sequences
from seqclr.engine import setup
from seqclr.engine.trainer import Interrupted
from seqclr.errors import UserError
from seqclr.methods import find_method
from seqclr.methods.combination import read_weights
from seqclr.nn.encoders import build_encoder
from seqclr.transforms.together import columns_of
from tests.engine import tiny
from tests.engine.test_step import STATES
from tests.engine.test_trainer import Signal, assert_equal, measured


def resolved(name, *values):
    return resolve(PretrainConfig, find_method(name), [{"method": name}, *values])


def made(name, **keys):
    cls = find_method(name)
    return cls(**fields_of(cls, resolved(name, keys)))


def test_the_loss_is_the_weighted_sum_of_what_each_gives_alone(eagerly):
    method = made("simsiam+rotation", weights="rotation:0.5")
    method.build(build_encoder("least", 16, 64, "none", dropout=0.0))
    transform, rng = method.make_transform("ignored"), np.random.default_rng(0)
    batch = {key: tf.constant(rows) for key, rows in as_batch([transform(page, rng) for page in tiny.pages(4)]).items()}
    logs, total = method.loss(batch, training=False), 0.0
    for name, weight in {"simsiam": 1, "rotation": 0.5}.items():
        for figure, value in method.methods[name].loss(columns_of(name, batch), training=False).items():
            assert float(logs[f"{name}.{figure}"]) == pytest.approx(float(value), rel=1e-5)
        total += weight * float(logs[f"{name}.loss"])
    assert float(logs["loss"]) == pytest.approx(total, rel=1e-5)


def test_each_has_its_own_views_of_the_same_images(eagerly):
    method = made("simclr+rotation+masked", **{"rotation.views": "none"})
    record = {**tiny.pages(1)[0], "index": np.int32(7)}
    example = method.make_transform("ignored")(record, np.random.default_rng(0))
    np.testing.assert_array_equal(example["rotation.views"][0], record["image"])
    assert (example["simclr.views"] != record["image"]).any()
    assert all(example[f"{name}.index"] == 7 for name in method.methods)
    method.build(build_encoder("least", 16, 64, "none"))
    assert [*method.preview_inputs(as_batch([example, example]))] == [
        "simclr: view 1", "simclr: view 2", "rotation: rotated by 0 degrees", "rotation: rotated by 180 degrees",
        "masked: view", "masked: original",
    ]  # fmt: skip


@pytest.mark.slow
def test_resumed_is_uninterrupted(tmp_path, eagerly):
    """With a queue, target networks, and clusters of steps 0 and 4."""
    keys = {"steps": 5, **tiny.lines(STATES)}
    whole = measured(tmp_path / "whole", STATES, **keys)
    whole.fit()
    first = measured(tmp_path / "parts", STATES, [Signal(signal.SIGTERM, 3)], **keys)
    with pytest.raises(Interrupted, match="step 3 of 5"):
        first.fit()
    second = measured(tmp_path / "parts", STATES, **keys)
    second.resume()
    second.fit()
    assert_equal(whole, second)
    assert int(second.method.methods["deep_cluster"].rounds.numpy()) == 2
    assert int(second.method.methods["byol"].target.updates.numpy()) == 5


def test_every_clustering_sees_all_records(eagerly, monkeypatch):
    method, seen = made("sela+deep_cluster", **tiny.lines("sela+deep_cluster")), []
    for each in method.methods.values():
        monkeypatch.setattr(each, "relabels", lambda step: step in (0, 4))
        monkeypatch.setattr(each, "relabel", lambda batches: seen.append(len(list(batches))))
    assert not method.relabels(3) and method.relabels(4)
    method.relabel(InOrder(tiny.pages(10), 4))
    assert seen == [3, 3]


@pytest.mark.slow
def test_both_tasks_are_learned_by_one_encoder(tmp_path):
    job = tiny.trainer(tmp_path / "run", "rotation+masked", steps=60, learning_rate=3e-3)
    logs = job.fit()
    assert logs["rotation.accuracy"] > 0.95 and logs["masked.error"] < 0.8 * logs["masked.trivial_error"]


def test_the_method_that_predicts_text_keeps_the_names_of_its_parts(eagerly, tmp_path):
    """So a reader is made of the run; so are the adversaries of the others named as in checkpoints."""
    job = tiny.trainer(tmp_path / "run", "super_resolution+generated", steps=4)
    assert {"encoder", "head", "super_resolution.decoder"} < {*job.method.parts()}
    assert job.method.adversaries == {"super_resolution.discriminator"} == job.method.frozen(1)
    assert job.method.charset is job.method.methods["generated"].charset and job.method.frozen(2) == frozenset()


# keys


def test_keys_of_a_method_are_found_by_their_full_and_by_their_own_names():
    config = vars(resolved("simclr+masked", {"temperature": 0.3, "masked.span": 5, "views": "strong"}))
    assert config["simclr.temperature"] == 0.3 and config["masked.span"] == 5
    assert config["views"] == config["simclr.views"] == config["masked.views"] == "strong"
    config = vars(resolved("simclr+masked", {"masked.views": "none", "views": "strong"}))
    assert (config["simclr.views"], config["masked.views"]) == ("strong", "none")


@pytest.mark.parametrize(("encoder", "views"), [("tiny", ["roaming", "article"]), ("resnet9", ["images", "none"])])
def test_each_has_the_defaults_that_it_has_alone(encoder, views):
    config = vars(resolved("simclr+rotation", {"encoder": encoder}))
    assert [config["simclr.views"], config["rotation.views"]] == views
    alone = vars(resolved("simclr", {"encoder": encoder}))
    assert all(config[f"simclr.{key}"] == value for key, value in alone.items() if f"simclr.{key}" in config)


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        ("simclr+nothing", {}, "method 'nothing' is not known: "),
        ("simclr+", {}, "method '' is not known: "),
        ("simclr+simclr", {}, r"method 'simclr\+simclr' names a method twice"),
        (
            "masked+colorization",
            {},
            "masked takes encoders of text lines, as .*, and colorization encoders of images",
        ),
        (
            "simclr+moco",
            {"temperature": 0.2},
            "of several methods: write simclr.temperature or moco.temperature",
        ),
        ("simclr+masked", {"span": 3, "masked.span": 4}, "masked.span is given twice, also as span: leave one out"),
        (
            "simclr+masked",
            {"masked.temperature": 1},
            "key 'masked.temperature' does not exist: did you mean simclr",
        ),
        ("simclr+masked", {"simclr.temperature": 0}, "^simclr.temperature 0.0: at least 0.001$"),
        ("simclr+masked", {"weights": "moco:1"}, "weights: 'moco' is none of the methods simclr, masked"),
        ("simclr+masked", {"weights": "simclr"}, "weights: simclr has no number: write simclr:1"),
        ("simclr+masked", {"weights": "simclr:-1"}, "weights: simclr -1.0: at least 0"),
        ("simclr+masked", {"weights": "simclr:1,simclr:2"}, "weights: simclr is given twice"),
        ("simclr+masked", {"weights": "simclr:0,masked:0"}, "weights simclr:0,masked:0: at least one must be above 0"),
        ("generated+pseudo_characters", {}, "generated and pseudo_characters both predict text"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(name, keys, message):
    with pytest.raises(UserError, match=message) as refused:
        made(name, **keys)
    assert "\n" not in str(refused.value)


def test_what_cannot_be_together_is_refused(eagerly):
    method = made("byol+dino+character_clusters")
    with pytest.raises(UserError, match="dino and character_clusters both have an average of the encoder as their"):
        method.build(build_encoder("least", 32, 128, "none"))
    with pytest.raises(UserError, match=r"accumulate 2: BYOL\+SimCLR needs the whole batch at once, as the other"):
        setup.check(resolved("byol+simclr", {"accumulate": 2}), find_method("byol+simclr"))
    with pytest.raises(UserError, match="odd_one_out takes sequences of images and simclr single images"):
        frames = SimpleNamespace(shape=(32, 32, 3), samples=[], resize="stretch")
        method = made("simclr+odd_one_out", encoder="resnet9")
        method.methods["odd_one_out"].records = lambda dataset: Sequences.__new__(Sequences)
        method.records(frames)


def test_weights_that_are_left_out_are_1():
    assert read_weights(None, ["a", "b"]) == {"a": 1, "b": 1}
    assert read_weights("b:0.5", ["a", "b"]) == {"a": 1, "b": 0.5}
    assert read_weights("a:0, b:2", ["a", "b"]) == {"a": 0, "b": 2}
