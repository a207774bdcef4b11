"""Images without labels teach what the averaged weights are sure of, and nothing else."""

import csv
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.config import FinetuneConfig, fields_of, resolve
from seqclr.data.charset import Charset
from seqclr.data.knowledge import Possible
from seqclr.data.loader import Joined, Loader
from seqclr.engine import callbacks, setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Interrupted, Trainer
from seqclr.errors import UserError
from seqclr.methods.text.ctc import CTC, ReaderInfo, ctc_loss
from seqclr.methods.text.self_training import SelfTraining
from seqclr.nn import decode
from seqclr.transforms.labelled import Unlabelled
from tests.engine import tiny


def trainer(folder, listeners=(), **keys) -> Trainer:
    """A job on 33 pages with labels and 66 without."""
    config = resolve(FinetuneConfig, SelfTraining, [tiny.COMMON, keys])
    strategy = setup.begin(config)
    method = SelfTraining(**fields_of(SelfTraining, config))
    info = ReaderInfo(**vars(setup.run_info(config, 1)), classes=11, charset=Charset("0123456789"))
    with strategy.scope():
        method.build(setup.make_encoder(config, None), info)
    run, pages = Run(folder), tiny.pages(99, padded=config.resize == "pad")
    run.create(config)
    first = Loader(pages[::3], SelfTraining.transform(config.views, tiny.LABELS), 8, seed=0)
    second = Loader(pages[1::3] + pages[2::3], Unlabelled("none", config.views), 8, seed=1)
    return Trainer(method, Joined(first, second, method.start), config, run, strategy, listeners)


@pytest.fixture(scope="module")
def learned(tmp_path_factory) -> Trainer:
    """A job that has learned to read, at first from its labels alone."""
    folder = tmp_path_factory.mktemp("learned")
    keys = {"steps": 160, "unlabelled_start": 0.25, "dropout": 0.0, "learning_rate": 3e-3}
    job = trainer(folder, [callbacks.Metrics(folder / "metrics.csv")], **keys)
    job.fit()
    return job


@pytest.fixture
def batch(learned) -> dict[str, tf.Tensor]:
    """Eight labelled rows and eight without a label, the last two of them noise."""
    batch = {name: tf.constant(array) for name, array in next(learned.loader).items()}
    noise = tf.constant(np.random.default_rng(0).integers(0, 256, (2, 16, 64, 3)), tf.uint8)
    batch["weak"] = tf.concat([batch["weak"][:6], noise], 0)
    return batch


@pytest.fixture
def method(learned):
    """The method, at its last step, whose settings a test may change."""
    settings = {name: getattr(learned.method, name) for name in ("confidence", "unlabelled_weight", "possible")}
    yield learned.method
    for name, value in settings.items():
        setattr(learned.method, name, value)


def test_more_and_more_rows_are_accepted_and_their_texts_are_right(learned):
    with open(learned.run.metrics_file, newline="") as stream:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]
    before, after = rows[:10], rows[10:]  # of four steps each
    assert all(r["accepted"] == r["confidence"] == 0 and r["loss"] == r["supervised"] for r in before)
    assert after[-1]["accepted"] > 0.5 and after[-1]["accepted"] > after[0]["accepted"] + 0.3
    assert any(r["loss"] > r["supervised"] for r in after)
    texts, confidence = learned.method.predict(tf.constant([page["image"] for page in tiny.pages(99)]), None)
    right = [text[text >= 0].tolist() == label for text, label in zip(texts.numpy(), tiny.LABELS)]
    assert np.mean(np.array(right)[confidence.numpy() > 0.9]) > 0.7


def test_the_teacher_is_the_average(learned, batch):
    method = learned.method
    texts, confidence = method.predict(batch["weak"], None)
    with method.averaged.exchanged():
        logits = method.head(method.encoder(batch["weak"], training=False)[0], training=False)
    ids = decode.greedy(logits)
    for text, row in zip(texts.numpy(), ids.numpy()):
        assert text[text >= 0].tolist() == row[row != 10].tolist()
        assert (np.diff((text >= 0).astype(int)) <= 0).all()  # packed to the left
    np.testing.assert_array_equal(confidence, decode.confidence(logits, ids))
    np.testing.assert_allclose(confidence, np.exp(-ctc_loss(texts, logits).numpy()), rtol=1e-4)


def test_the_loss_is_that_of_the_labels_and_of_the_sure_rows_over_all(method, batch):
    texts, confidence = method.predict(batch["weak"], None)
    method.confidence = float(np.median(confidence))
    method.unlabelled_weight = 0.5
    logs = method.loss(batch, training=False)
    plain = CTC.loss(method, {name: batch[name] for name in ("image", "label")}, training=False)["loss"]
    logits = method.head(method.encoder(batch["strong"], training=False)[0], training=False)
    sure = confidence.numpy() >= method.confidence
    guessed = ctc_loss(texts, logits).numpy()[sure].sum() / 8
    assert 0 < sure.sum() < 8 and guessed > 0
    assert float(logs["accepted"]) == sure.mean()
    assert float(logs["confidence"]) == pytest.approx(confidence.numpy().mean())
    assert float(logs["supervised"]) == pytest.approx(float(plain), rel=1e-4)
    assert float(logs["loss"]) == pytest.approx(float(plain) + 0.5 * guessed, rel=1e-4)


def gradients(method, batch):
    with tf.GradientTape() as tape:
        copies = [variable.value for variable in method.averaged.variables[1:]]  # less the counter
        for copy in copies:
            tape.watch(copy)
        loss = method.loss(batch, training=False)["loss"]
    learning = method.encoder.trainable_variables + method.head.trainable_variables
    found = tape.gradient(loss, [*(v.value for v in learning), *copies])
    return float(loss), [tf.convert_to_tensor(g).numpy() for g in found[: len(learning)]], found[len(learning) :]


def test_an_unsure_row_teaches_nothing_and_the_teacher_learns_nothing(method, batch):
    _, confidence = method.predict(batch["weak"], None)
    unsure = int(np.argmin(confidence))
    method.confidence = float(np.sort(confidence)[1])
    loss, wanted, of_teacher = gradients(method, batch)
    assert of_teacher == [None] * len(of_teacher)

    def with_other(row: int) -> dict:
        strong = batch["strong"].numpy()
        strong[row] = 255 - strong[row]
        return {**batch, "strong": tf.constant(strong)}

    same_loss, same, _ = gradients(method, with_other(unsure))
    assert same_loss == pytest.approx(loss, rel=1e-6)
    for a, b in zip(same, wanted):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert abs(gradients(method, with_other((unsure + 1) % 8))[0] - loss) > 1e-3


def test_an_empty_text_never_counts(method, batch, monkeypatch):
    monkeypatch.setattr(decode, "greedy", lambda logits, mask: tf.fill(logits.shape[:2], 10))
    method.confidence = 0.0
    logs = method.loss(batch, training=False)
    assert float(logs["accepted"]) == float(logs["confidence"]) == 0
    assert float(logs["loss"]) == float(logs["supervised"])


def test_only_known_texts_are_labels(method, batch):
    free, sure = method.predict(batch["weak"], None)
    method.possible = Possible((1, 2, 3), (2, 3))
    texts, confidence = method.predict(batch["weak"], None)
    assert all(2 <= (text >= 0).sum() <= 3 and set(text[text >= 0]) <= {1, 2, 3} for text in texts.numpy())
    method.possible = Possible(tuple(range(10)), None)
    np.testing.assert_array_equal(method.predict(batch["weak"], None)[0], free)
    method.possible, method.confidence = Possible(None, (3,)), 0.0
    logs = method.loss(batch, training=False)
    assert float(logs["accepted"]) == 1 and float(logs["confidence"]) != pytest.approx(sure.numpy().mean())


def test_known_texts_that_the_reader_cannot_predict_are_refused(tmp_path):
    for keys, told in (
        ({"known_charset": "01a"}, "^known_charset '01a' has 'a', which the reader does not know"),
        ({"known_length": "17"}, "^known_length 17 needs 17 frames, of which width 64 gives 16"),
        ({"known_length": "four"}, "^known_length four: give a number"),
    ):
        with pytest.raises(UserError, match=told):
            trainer(tmp_path / "run", **keys)


def test_the_weight_rises_from_the_start(learned):
    method, found = learned.method, {}
    for step in (39, 40, 47, 55, 160):
        method.averaged.updates.assign(step)
        found[step] = float(method._ramp())
    assert found == pytest.approx({39: 0, 40: 1 / 16, 47: 0.5, 55: 1, 160: 1})


EARLY = {"confidence": 0.0, "unlabelled_start": 0.0, "average": 0.9, "resize": "pad"}


@pytest.mark.slow
def test_resumed_is_uninterrupted(tmp_path, eagerly):
    """Bitwise, with the images without labels, their place in the data and the average."""
    keys = {**EARLY, "steps": 4}
    whole = trainer(tmp_path / "whole", **keys)
    whole.fit()

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="step 2 of 4"):
        trainer(tmp_path / "parts", [Stop()], **keys).fit()
    second = trainer(tmp_path / "parts", **keys)
    second.resume()
    second.fit()
    expected, found = tiny.weights(whole), tiny.weights(second)
    assert sum(name.startswith("averaged/") for name in expected) > 30
    for (name, a), b in zip(expected.items(), found.values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


SGD = {**EARLY, "steps": 3, "dropout": 0.0, "optimizer": "sgd", "learning_rate": 0.01}
ON_TWO_DEVICES = """
import sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.run_functions_eagerly(True)
from tests import networks
from tests.engine import tiny
from tests.methods.text.test_self_training import SGD, trainer
with networks.offered():
    job = trainer(sys.argv[1] + "/run", **SGD)
    assert job.strategy.num_replicas_in_sync == 2
    logs = job.fit()
np.savez(sys.argv[1] + "/result.npz", loss=logs["loss"], accepted=logs["accepted"], **tiny.weights(job))
"""


@pytest.mark.slow  # as the methods of tests/engine/test_step.py
def test_two_replicas_are_one_device_with_the_whole_batch(tmp_path, eagerly):
    one = trainer(tmp_path / "one", **SGD)
    logs = one.fit()
    assert logs["accepted"] > 0
    command = [sys.executable, "-c", ON_TWO_DEVICES, str(tmp_path)]
    subprocess.run(command, cwd=Path(__file__).parents[3], check=True)
    two = dict(np.load(tmp_path / "result.npz"))
    assert float(two.pop("loss")) == pytest.approx(logs["loss"], rel=1e-4)
    assert float(two.pop("accepted")) == pytest.approx(logs["accepted"])
    for (name, a), b in zip(tiny.weights(one).items(), two.values(), strict=True):
        if "seed" not in name:
            np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-4, err_msg=name)
