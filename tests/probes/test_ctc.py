"""The CTC probe and what all probes share: they read what is there, touch nothing, choose the best checkpoint."""

import os
import signal
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from seqclr.data.discovery import find
from seqclr.data.samples import Sample
from seqclr.engine import checkpoints
from seqclr.engine.callbacks import Metrics
from seqclr.engine.trainer import Interrupted
from seqclr.nn.encoders import build_encoder
from seqclr.probes import ctc, probing
from seqclr.probes.base import Frames, frames_of, train_test_split
from seqclr.recognition import metrics
from seqclr.recognition.evaluate import used_by
from tests.engine import tiny

SIZE = {"height": 16, "width": 64, "resize": "stretch"}


def spelled(count=300, noise=0.3):
    """Frames [N, 8, 24] that spell three of five characters linearly, at the frames 1, 3 and 6, and the characters."""
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 5, (count, 3))
    codes = np.zeros((count, 8, 6), np.float32)
    codes[..., 5] = 1
    codes[np.arange(count)[:, None], [1, 3, 6]] = np.eye(6, dtype=np.float32)[labels]
    features = codes @ draw.normal(size=(6, 24)) + draw.normal(0, noise, (count, 8, 24))
    return Frames(features.astype(np.float32), np.ones((count, 8), bool)), labels.tolist()


def accuracy(frames, labels, steps=100, train=200):
    """Edit-distance accuracy of a head that learns on the first rows and reads the rest; and the head."""
    head = ctc.LinearCTC(frames.features.shape[-1], 6)
    head.fit(Frames(*(part[:train] for part in frames)), labels[:train], steps)
    reads = head.predict(Frames(*(part[train:] for part in frames)))
    texts, reads = (["".join(map(str, ids)) for ids in part] for part in (labels[train:], reads))
    return metrics.scores(texts, reads)["edit_distance_accuracy"], head


def test_it_reads_what_features_spell_whatever_their_scale_and_nothing_in_noise():
    frames, labels = spelled()
    moved = frames._replace(features=frames.features * np.geomspace(1e-2, 1e3, 24, dtype=np.float32) + 50)
    assert accuracy(moved, labels)[0] > 0.97
    noise = np.random.default_rng(1).normal(size=frames.features.shape).astype(np.float32)
    assert accuracy(frames._replace(features=noise), labels)[0] < 0.35  # what guessing three of five gives


def test_padding_does_not_count():
    frames, labels = spelled()
    garbage = np.random.default_rng(2).normal(5, 100, (300, 4, 24)).astype(np.float32)
    padded = Frames(
        np.concatenate([frames.features, garbage], axis=1),
        np.concatenate([frames.shown, np.zeros((300, 4), bool)], axis=1),
    )
    (plain, a), (found, b) = accuracy(frames, labels, 50), accuracy(padded, labels, 50)
    np.testing.assert_array_equal(a.mean, b.mean)
    np.testing.assert_allclose(a.dense.kernel, b.dense.kernel, atol=1e-4)
    assert a.predict(frames) == b.predict(padded) and found == plain > 0.5


def test_a_feature_that_never_changes_does_no_harm():
    frames, labels = spelled()
    frames.features[..., 0] = 7
    assert accuracy(frames, labels)[0] > 0.97


def test_the_seed_alone_decides():
    frames, labels = spelled(40)
    kernels = []
    for seed in (3, 3, 4):
        keras.utils.set_random_seed(len(kernels))
        head = ctc.LinearCTC(24, 6, seed)
        head.fit(frames, labels, 20)
        kernels.append(head.dense.kernel.numpy())
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert (kernels[0] != kernels[2]).any()


# rows


def samples(source, count, *splits):
    return [Sample(source, f"{source}{i}.png", "1", splits[i % len(splits)] if splits else None) for i in range(count)]


def test_rows_of_split_test_are_read_or_else_a_fifth_of_the_source():
    rows = [*samples("a", 9, "train", "train", "test"), *samples("b", 10), *samples("c", 1), *samples("d", 2, "test")]
    train, held = train_test_split(rows, 0)
    assert [sum(sample.source == source for sample in train) for source in "abcd"] == [6, 8, 1, 0]
    assert [sum(sample.source == source for sample in held) for source in "abcd"] == [3, 2, 0, 2]
    assert not {e.file for e in train} & {e.file for e in held}
    assert all(sample.split == "test" for sample in held if sample.source in "ad")
    assert train_test_split(rows, 0) == (train, held) != train_test_split(rows, 1)
    train, held = train_test_split(samples("a", 10, "test"), 0, by_split=False)
    assert (len(train), len(held)) == (8, 2)


def test_rows_of_split_validation_are_not_learnt_on_and_read_where_there_are_none_of_split_test():
    rows = [*samples("a", 9, "train", "validation", "test"), *samples("b", 4, "train", "validation")]
    train, held = train_test_split(rows, 0)
    assert {sample.split for sample in train} == {"train"} and len(train) == 5
    assert [(sample.source, sample.split) for sample in held] == [("a", "test")] * 3 + [("b", "validation")] * 2


def test_an_image_named_twice_is_not_learnt_on_and_read():
    rows = samples("a", 10)
    train, held = train_test_split([*rows, *(Sample("again", sample.file, "1") for sample in rows)], 0)
    assert len(held) == 4 and not {e.file for e in train} & {e.file for e in held}


def test_a_pretraining_probes_with_no_row_of_split_test(pages):
    settings = tiny.config("simclr", probe=str(pages), probe_labels=10)
    rows = probing.make_probe(settings)
    used = [*rows.train.samples, *rows.held.samples]
    assert (len(rows.train), len(rows.held)) == (8, 2) and len(set(used)) == 10
    assert all(sample.split == "train" for sample in used)
    trained_on, validated_on = used_by(settings)  # they choose the checkpoint, and train no weight of it
    assert not trained_on and set(validated_on) == set(used)


def test_a_character_that_only_the_rows_to_be_read_have(pages):
    train, held = train_test_split(find([pages]), 0)
    held[0] = Sample(held[0].source, held[0].file, "Ωß")
    rows = ctc.CTCProbe(train, held, SimpleNamespace(**SIZE, channels=3), steps=5)
    reads = rows.predict(build_encoder("tiny", 16, 64, "none"), "cnn")
    assert len(reads) == 4 and rows.texts[0] == "Ωß" != reads[0]


# the encoder


def test_the_encoder_is_not_touched(pages):
    encoder = build_encoder("tiny", 16, 64, "convolutional")
    encoder(np.zeros((2, 16, 64, 3), np.uint8), training=True)  # batch statistics that are not those of the start
    before = checkpoints.snapshot({"encoder": encoder})
    rows = ctc.CTCProbe(*train_test_split(find([pages]), 0), SimpleNamespace(**SIZE, channels=3), steps=10)
    reads = [rows.predict(encoder, layer) for layer in ("transformer", "cnn", "cnn")]
    assert reads[1] == reads[2]
    for (name, a), b in zip(before.items(), checkpoints.snapshot({"encoder": encoder}).values()):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_padded_images_show_as_many_frames_as_they_fill(pages):
    rows = ctc.CTCProbe(
        *train_test_split(find([pages]), 0), SimpleNamespace(height=16, width=96, resize="pad", channels=3)
    )
    frames = frames_of(build_encoder("tiny", 16, 96, "none"), rows.train, "transformer")
    assert frames.features.dtype == np.float32 and frames.features.shape == (20, 24, 128)
    assert frames.shown.sum(1).tolist() == [-(-width // 4) for width in rows.train.filled()]
    assert frames.shown.sum() < frames.shown.size


# during a pretraining


class Scripted:
    """A probe whose predictions are given, one text per evaluation."""

    metrics = ctc.CTCProbe.metrics

    def __init__(self, *predictions):
        self.predictions = list(predictions)

    def predict(self, encoder, layer):
        return [self.predictions.pop(0)]

    def evaluate(self, predictions):
        return metrics.scores(["1234"], predictions)


def job(folder, rows, steps=12):
    """A run in rounds of four steps that probes after each, and its callback."""
    trainer = tiny.trainer(folder, "simclr", steps=steps, precision="mixed_bfloat16")
    callback = probing.Probing(rows, trainer.method, every=1)
    callback.trainer, rows.steps = trainer, 10
    trainer.callbacks[:] = [callback, Metrics(trainer.run.metrics_file)]
    return trainer, callback


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that probed best after the second round, and its weights after every round."""
    trainer, callback = job(tmp_path_factory.mktemp("whole") / "run", Scripted("12", "123", "1"))
    kept = {}
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: kept.update({trainer.step: tiny.weights(trainer)})
    )
    trainer.callbacks.append(watch)
    trainer.fit()
    return trainer, callback, kept


def assert_same(expected, found):
    for (name, a), b in zip(expected.items(), found.values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_the_checkpoint_that_probed_best_is_kept(whole):
    trainer, probe, kept = whole
    assert (probe.best, probe.best_step) == (0.75, 8)
    arrays, state = checkpoints.load(trainer.run.checkpoints / "best.npz")
    assert state["step"] == 8
    assert_same(kept[8], arrays)
    assert any((a != b).any() for a, b in zip(kept[8].values(), kept[12].values()))
    rows = [(row["probe_edit_distance_accuracy"], row["probe_exact_match"]) for row in trainer.callbacks[1].rows]
    assert rows == [(0.5, 0), (0.75, 0), (0.25, 0)]


@pytest.mark.slow
def test_a_run_is_the_same_however_it_is_probed(whole, tmp_path, pages):
    trainer, probe = job(tmp_path / "run", probing.make_probe(tiny.config("simclr", probe=str(pages))))
    trainer.fit()
    assert probe.best_step
    assert_same(whole[2][12], tiny.weights(trainer))  # a script looks at no encoder


@pytest.mark.slow
def test_resumed_is_uninterrupted(whole, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 9:
                os.kill(os.getpid(), signal.SIGINT)

    first, _ = job(tmp_path / "run", Scripted("12", "123"))
    first.callbacks.append(Stop())
    with pytest.raises(Interrupted, match="step 10 of 12"):
        first.fit()
    second, probe = job(tmp_path / "run", Scripted("1"))
    second.resume()
    second.fit()
    assert probe.get_state() == whole[1].get_state()
    assert_same(whole[0].run.best()[1], second.run.best()[1])
    assert_same(whole[2][12], tiny.weights(second))


def test_a_run_begun_without_a_probe_can_go_on_with_one(tmp_path):
    without, _ = job(tmp_path / "run", Scripted())
    without.callbacks[:] = without.callbacks[1:]
    without.step = 4
    without.save()
    trainer, probe = job(tmp_path / "run", Scripted())
    trainer.resume()
    assert trainer.step == 4 and probe.best_step == 0


@pytest.mark.parametrize(
    ("total", "every", "expected"),
    [(80, None, [8 * i for i in range(1, 11)]), (20, None, [4, 8, 12, 16, 20]), (20, 2, [8, 16, 20])],
)
def test_it_probes_about_ten_times_and_after_the_last_round(total, every, expected):
    seen = []
    trainer = SimpleNamespace(total=total, round=4, step=0, save=lambda name: seen.append(trainer.step))
    method = SimpleNamespace(encoder=None, layer="cnn", result=lambda: None)
    probe = probing.Probing(Scripted(*["1"] * len(expected)), method, every)
    probe.trainer = trainer
    for epoch in range(total // 4):
        trainer.step += 4
        logs = {}
        probe.on_epoch_end(epoch, logs)
        assert bool(logs) == (trainer.step in expected)
    assert seen == expected
