"""The loop: equalities, stops, and what it says."""

import errno
import os
import shutil
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.workers import LoaderFailed
from seqclr.engine import checkpoints
from seqclr.engine.callbacks import Metrics
from seqclr.engine.trainer import Interrupted, TrainingFailed
from seqclr.methods import METHODS
from tests.engine import tiny
from tests.engine.chase import Chase


class Signal(keras.callbacks.Callback):
    """Sends this process a signal after a step."""

    def __init__(self, number, step):
        super().__init__()
        self.number, self.step = number, step

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.step:
            os.kill(os.getpid(), self.number)


def measured(folder, method, callbacks=(), **keys):
    """A job that writes metrics.csv."""
    return tiny.trainer(folder, method, [Metrics(folder / "metrics.csv"), *callbacks], **keys)


def assert_equal(whole, parts):
    """Bitwise: weights, moments, dropout's random state, the last figures and the rows of metrics.csv."""
    expected, found = tiny.weights(whole), tiny.weights(parts)
    assert [n.split("/")[0] for n in expected] == [n.split("/")[0] for n in found]
    for (name, a), b in zip(expected.items(), found.values()):
        np.testing.assert_array_equal(a, b, err_msg=name)
    assert whole.run.metrics_file.read_bytes() == parts.run.metrics_file.read_bytes()
    assert whole.logs == parts.logs


THAWS = ("ctc", signal.SIGINT, {"average": 0.9, "pretrained": "x", "head_steps": 30, "warmup": 0.0})  # at step 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "number", "keys"),
    [
        ("simsiam", signal.SIGTERM, {"precision": "mixed_float16"}),
        ("deep_cluster", signal.SIGINT, {"clusters": 5}),  # labels of steps 0 and 4
        ("chase", signal.SIGTERM, {"views": "none"}),
        THAWS,
        ("cyclegan", signal.SIGTERM, {**tiny.SMALL["cyclegan"], "views": "none"}),
        ("clip", signal.SIGINT, {}),
        ("nnclr", signal.SIGTERM, tiny.SMALL["nnclr"]),
        ("rclstr", signal.SIGINT, tiny.SMALL["rclstr"]),
        ("ccd", signal.SIGTERM, tiny.SMALL["ccd"]),
        ("cut", signal.SIGINT, {**tiny.SMALL["cut"], "views": "none"}),
        ("character_clusters", signal.SIGTERM, {}),
        # the weight follows from the rounds
        ("sela", signal.SIGTERM, {"clusters": 4, "marginals": "estimated", "relabellings": 4}),
    ],
)
def test_resumed_is_uninterrupted(tmp_path, monkeypatch, method, number, keys):
    monkeypatch.setitem(METHODS, "chase", Chase)
    assert_resumed_is_uninterrupted(tmp_path, method, number, keys)


def test_resumed_is_uninterrupted_without_graphs(tmp_path, eagerly):
    assert_resumed_is_uninterrupted(tmp_path, *THAWS)


def assert_resumed_is_uninterrupted(tmp_path, method, number, keys):
    """From the middle of a round of four steps."""
    keys = {"steps": 6, **keys}
    whole = measured(tmp_path / "whole", method, **keys)
    whole.fit()
    first = measured(tmp_path / "parts", method, [Signal(number, 3)], **keys)
    with pytest.raises(Interrupted, match="step 3 of 6") as stopped:
        first.fit()
    assert stopped.value.number == number
    second = measured(tmp_path / "parts", method, **keys)
    second.resume()
    assert second.step == 3
    second.fit()
    assert_equal(whole, second)


def test_a_damaged_checkpoint_is_named_and_the_one_before_taken(tmp_path, eagerly, caplog):
    keys = {"steps": 3, "checkpoint_every": 1}
    whole = measured(tmp_path / "whole", "simclr", **keys)
    whole.fit()
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    two, three = checkpoints.steps(tmp_path / "parts" / "checkpoints")
    three.write_bytes(three.read_bytes()[:-100])
    second = measured(tmp_path / "parts", "simclr", **keys)
    second.resume()
    (message,) = caplog.messages
    assert message.startswith(f"{three} is damaged (") and message.endswith(f"): {two} is used instead")
    assert second.step == 2
    second.fit()
    assert_equal(whole, second)


@pytest.mark.parametrize("full", ["metrics.csv", "checkpoints/step-00000002.npz"])
def test_a_full_disk_is_reported_and_costs_nothing_that_was_saved(tmp_path, eagerly, monkeypatch, full):
    job = measured(tmp_path, "simclr", steps=2, checkpoint_every=1)
    fsync = os.fsync

    def no_room(descriptor):
        if (tmp_path / f"{full}.partial").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(TrainingFailed) as failed:
        job.fit()
    kept = tmp_path / "checkpoints" / "step-00000001.npz"
    assert str(failed.value) == (
        f"{tmp_path / full} cannot be written (No space left on device); {kept} is still good: free disk space, then "
        "continue with --resume"
    )
    assert checkpoints.load_newest(kept.parent)[0] == kept and not list(tmp_path.rglob("*.partial"))


class Ends:
    """A loader that has no more batches after some batches, as if a process of it was killed."""

    def __init__(self, loader, last):
        self.loader, self.last, self.steps_per_epoch = loader, last, loader.steps_per_epoch
        self.get_state, self.set_state = loader.get_state, loader.set_state

    def __next__(self):
        if self.get_state()["batches"] == self.last:
            raise LoaderFailed("a loader process ended")
        return next(self.loader)


@pytest.mark.parametrize("last", [pytest.param(0, marks=pytest.mark.slow), 3])
def test_a_loader_that_fails_costs_nothing(tmp_path, eagerly, last):
    """In the middle of steps that go to the device at once, too."""
    whole = measured(tmp_path / "whole", "simsiam", steps=4)
    whole.fit()
    first = measured(tmp_path / "parts", "simsiam", steps=4, steps_per_execution=2)
    first.loader = Ends(first.loader, last)
    with pytest.raises(TrainingFailed, match="^a loader process ended; .*: continue with --resume") as failed:
        first.fit()
    assert ("step-00000002.npz is still good" in str(failed.value)) == (last == 3)
    second = measured(tmp_path / "parts", "simsiam", steps=4)
    second.resume()
    assert second.step == max(0, last - 1)
    second.fit()
    assert_equal(whole, second)


def test_a_signal_before_the_first_step_leaves_what_is_there(tmp_path, eagerly):
    """Such as one while the callbacks begin."""

    class Begins(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            os.kill(os.getpid(), signal.SIGTERM)

    job = measured(tmp_path, "simclr", [Begins()], steps=6)
    with pytest.raises(Interrupted, match="^stopped at step 0 of 6: no step since the last checkpoint$"):
        job.fit()
    assert not list(job.run.checkpoints.iterdir())


def test_a_non_finite_loss_stops_and_says_where(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=4, clip=0.0)
    healthy = job.method.loss
    job.method.loss = lambda batch, training: {
        "loss": healthy(batch, training)["loss"] / tf.cast(job.model.optimizer.iterations < 1, tf.float32)
    }
    with pytest.raises(TrainingFailed, match=r"loss is not a finite number at step 2 of 4.*learning_rate"):
        job.fit()
    assert not list((tmp_path / "run" / "checkpoints").glob("*.npz"))


def test_weights_that_are_not_finite_replace_nothing_that_was_saved(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=2, checkpoint_every=1)
    kernel = job.method.encoder.columns.kernel

    class Breaks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 1:
                kernel.assign(kernel * np.float32(np.nan))

    job.callbacks.append(Breaks())
    with pytest.raises(TrainingFailed, match="1 weights are not finite.*step-00000001.npz is still good"):
        job.fit()
    assert checkpoints.load_newest(job.run.checkpoints)[2]["step"] == 1


@pytest.mark.slow
def test_stock_callbacks_can_stop_it(tmp_path, eagerly):
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, baseline=-1e9)
    job = tiny.trainer(tmp_path / "run", "simclr", [stop], steps=40)
    job.fit()
    assert job.step < 40


@pytest.mark.slow
def test_a_batch_that_does_not_fit_in_memory_ends_the_run_with_a_sentence(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=4)
    job.method.loss = lambda batch, training: {"loss": tf.reduce_sum(tf.fill([2**25, 2**25], 1.0))}
    with pytest.raises(TrainingFailed, match="batches of 8 do not fit in memory; no checkpoint .*lower batch_size"):
        job.fit()
