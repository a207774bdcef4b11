"""The loop: equalities, stops, and what it says."""

import dataclasses
import errno
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.data.workers import LoaderFailed
from seqclr.engine import checkpoints, optimizers
from seqclr.engine.callbacks import Metrics
from seqclr.engine.optimizers import WarmupCosine, trainable
from seqclr.engine.trainer import Interrupted, TrainingFailed
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.methods.base import Method
from seqclr.transforms.two_views import OneView
from tests.engine import tiny
from tests.methods import pictures  # noqa: F401 - registers the least encoders of pictures

ALL = ["simclr", "simsiam", "ctc"]


class Signal(keras.callbacks.Callback):
    """Sends this process a signal after a step."""

    def __init__(self, number, step):
        super().__init__()
        self.number, self.step = number, step

    def on_train_batch_end(self, batch, logs=None):
        if batch + 1 == self.step:
            os.kill(os.getpid(), self.number)


@dataclasses.dataclass
class Chase(Method):
    """One number goes where another is, which goes where the batch is bright, at half the rate and perhaps later."""

    transform = OneView
    adversaries = frozenset({"there"})
    late = 0

    def build(self, encoder):
        super().build(encoder)
        self.here, self.there = (keras.Variable(np.float32(x), name=n) for x, n in ((0.2, "here"), (0.9, "there")))

    def loss(self, batch, training):
        bright = tf.reduce_mean(tf.cast(batch["views"], tf.float32)) / 255
        return {"loss": (self.here - self.there) ** 2, "adversary_loss": (self.there - bright) ** 2 - self.here.value}

    def frozen(self, step):
        return frozenset({"there"} if step < self.late else ())

    def learning_rate_factors(self):
        return {"there": 0.5}


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


@pytest.mark.parametrize(
    ("method", "number", "keys"),
    [
        ("simsiam", signal.SIGTERM, {"precision": "mixed_float16"}),
        ("deep_cluster", signal.SIGINT, {"clusters": 5}),  # labels of steps 0 and 4
        ("chase", signal.SIGTERM, {"views": "none"}),
        ("ctc", signal.SIGINT, {"average": 0.9, "pretrained": "x", "head_steps": 30, "warmup": 0.0}),  # thaws at step 2
    ],
)
def test_resumed_is_uninterrupted(tmp_path, monkeypatch, method, number, keys):
    """From the middle of a round of four steps."""
    monkeypatch.setitem(METHODS, "chase", Chase)
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
    keys = {"steps": 6, "checkpoint_every": 2}
    whole = measured(tmp_path / "whole", "simclr", **keys)
    whole.fit()
    shutil.copytree(tmp_path / "whole", tmp_path / "parts")
    four, six = checkpoints.steps(tmp_path / "parts" / "checkpoints")
    six.write_bytes(six.read_bytes()[:-100])
    second = measured(tmp_path / "parts", "simclr", **keys)
    second.resume()
    (told,) = caplog.messages
    assert told.startswith(f"{six} is damaged (") and told.endswith(f"): {four} is taken instead")
    assert second.step == 4
    second.fit()
    assert_equal(whole, second)


@pytest.mark.parametrize("full", ["metrics.csv", "checkpoints/step-00000004.npz"])
def test_a_full_disk_is_told_and_costs_nothing_that_was_saved(tmp_path, eagerly, monkeypatch, full):
    job = measured(tmp_path, "simclr", steps=6, checkpoint_every=2)
    fsync = os.fsync

    def no_room(descriptor):
        if (tmp_path / f"{full}.partial").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(TrainingFailed) as failed:
        job.fit()
    kept = tmp_path / "checkpoints" / "step-00000002.npz"
    assert str(failed.value) == (
        f"{tmp_path / full} cannot be written (No space left on device); {kept} is still good: make room, and --resume "
        "goes on"
    )
    assert checkpoints.load_newest(kept.parent)[0] == kept and not list(tmp_path.rglob("*.partial"))


class Ends:
    """A loader that has no more batches at one place, where a process of it was killed."""

    def __init__(self, loader, last):
        self.loader, self.last, self.steps_per_epoch = loader, last, loader.steps_per_epoch
        self.get_state, self.set_state = loader.get_state, loader.set_state

    def __next__(self):
        if self.get_state()["batches"] == self.last:
            raise LoaderFailed("a loader process ended")
        return next(self.loader)


@pytest.mark.parametrize("last", [0, 3])
def test_a_loader_that_fails_costs_nothing(tmp_path, eagerly, last):
    """In the middle of steps that go to the device at once, too."""
    whole = measured(tmp_path / "whole", "simsiam", steps=6)
    whole.fit()
    first = measured(tmp_path / "parts", "simsiam", steps=6, steps_per_execution=2)
    first.loader = Ends(first.loader, last)
    with pytest.raises(TrainingFailed, match="^a loader process ended; .*: --resume goes on") as failed:
        first.fit()
    assert ("step-00000002.npz is still good" in str(failed.value)) == (last == 3)
    second = measured(tmp_path / "parts", "simsiam", steps=6)
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
    with pytest.raises(Interrupted, match="^stopped at step 0 of 6: nothing was new$"):
        job.fit()
    assert not list(job.run.checkpoints.iterdir())


# no Adam, which would divide rounding errors by themselves
SGD = {"steps": 4, "dropout": 0.0, "optimizer": "sgd", "learning_rate": 0.01}
CROPS = {"views": "multicrop", "correspondence": "geometry"}
DIVIDED = {
    "simclr": ("simclr", SGD),
    "padded": ("simclr", {**SGD, "resize": "pad"}),
    "simsiam": ("simsiam", {**SGD, "steps_per_execution": 4}),
    "queue": ("moco_v2", {**SGD, "queue_size": 64}),
    "ctc": ("ctc", SGD),
}
DIVIDED_MORE = {
    "bank": ("inst_disc", {**SGD, "noise": 64}),
    "codes": ("swav", {**SGD, **CROPS, "prototypes": 8, "queue_size": 16}),
    "centre": ("dino", {**SGD, **CROPS, "prototypes": 8}),
    "read": ("ctc", {**SGD, "resize": "pad"}),
}
OF_PICTURES = {"colorization": "least_picture", "mae": "least_vit", "split_brain": "least_picture_lab"}


def every_method(first):
    """One in three, from the first on; on lines they are padded."""
    for name in list(METHODS)[first::3]:
        picture = {"encoder": OF_PICTURES[name]} if name in OF_PICTURES else {**tiny.lines(name), "resize": "pad"}
        views = METHODS[name].defaults.get("views", "article")
        more = {"generated": {"boxes": 1.0, "styles": 1.0, "domain": 0.1}, "inpainting": {"adversarial": 0.5}}
        yield name, (name, {**SGD, "steps": 2, **picture, "views": views, **more.get(name, {})})


EVERY_0, EVERY_1, EVERY_2 = (dict(every_method(first)) for first in range(3))


def steady(job):
    """The job, where what rounding decides, or is drawn within a replica, is the same whoever looks."""
    if hasattr(job.method, "assign_labels") and job.method.heads == 1 and len(job.method.labels.shape) == 2:
        present = job.method.present()
        job.method.assign_labels(np.arange(present.sum()) % job.method.classes, present)
        job.method.relabel = lambda batches: None
    if hasattr(job.method, "order"):  # of tiles: shuffled among those of four images
        group = np.array([4 * ((j + p) % 4) + (j + 2 * p) % 4 for j in range(4) for p in range(4)], np.int32)
        job.method.order = lambda index: tf.reshape(16 * tf.range(tf.size(index) // 4)[:, None] + group, [-1])
    return job


ON_TWO_DEVICES = """
import functools, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # takes longer than the steps
from seqclr.engine import setup
from tests.engine import test_trainer, tiny
setup.choose_strategy = functools.cache(setup.choose_strategy)  # two would name their collectives alike
for name, (method, keys) in getattr(test_trainer, sys.argv[2]).items():
    job = test_trainer.steady(tiny.trainer(f"{sys.argv[1]}/two/{name}", method, **keys))
    assert job.strategy.num_replicas_in_sync == 2
    loss = job.fit()["loss"]
    np.savez(f"{sys.argv[1]}/{name}.npz", loss=loss, **tiny.weights(job))
"""


SLOW = ("DIVIDED_MORE", "EVERY_0", "EVERY_1", "EVERY_2")


@pytest.mark.parametrize("methods", ["DIVIDED", *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)])
def test_two_replicas_are_one_device_with_the_whole_batch(tmp_path, eagerly, methods):
    """Negatives, batch statistics, clipping and gradients are those of the whole batch."""
    command = [sys.executable, "-c", ON_TWO_DEVICES, str(tmp_path), methods]
    both = subprocess.Popen(command, cwd=Path(__file__).parents[2])  # as graphs, in the meantime
    alone = {}
    for name, (method, keys) in globals()[methods].items():
        job = steady(tiny.trainer(tmp_path / "one" / name, method, **keys))
        alone[name] = job.fit()["loss"], tiny.weights(job)
    assert both.wait() == 0
    for name, (loss, one) in alone.items():
        two = dict(np.load(tmp_path / f"{name}.npz"))
        assert float(two.pop("loss")) == pytest.approx(loss, rel=1e-4)  # the mean of four steps
        for (weight, a), b in zip(one.items(), two.values(), strict=True):
            if "seed" not in weight:
                np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-4, err_msg=f"{name}: {weight}")


@pytest.mark.parametrize("method", ["simsiam", "ctc"])
def test_a_batch_in_parts_is_the_whole(tmp_path, method):
    """Where batch norm keeps its statistics, which it otherwise takes of a part."""
    keys = {"steps": 4, "dropout": 0.0, "optimizer": "sgd", "learning_rate": 0.01}
    ends = {}
    for parts in (1, 4):
        job = tiny.trainer(tmp_path / str(parts), method, accumulate=parts, **keys)
        for part in job.method.parts().values():
            for layer in part._flatten_layers():
                layer.keeps_statistics = True
        ends[parts] = job.fit()["loss"], tiny.weights(job)
    assert ends[4][0] == pytest.approx(ends[1][0], rel=1e-5)
    for (name, a), b in zip(ends[1][1].items(), ends[4][1].values(), strict=True):
        if "seed" not in name:
            np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-4, err_msg=name)


def test_steps_at_one_go_are_those_one_by_one(tmp_path):
    """Up to rounding, over the ends of rounds, checkpoints and a thaw after three steps."""
    keys = {"steps": 9, "checkpoint_every": 5, "pretrained": "x", "head_steps": 30, "warmup": 0.0}
    keys |= {"optimizer": "sgd", "learning_rate": 0.01}
    single, many = (measured(tmp_path / str(n), "ctc", steps_per_execution=n, **keys) for n in (1, 4))
    taken, execute = [], many._execute
    many._execute = lambda: taken.append(execute()) or taken[-1]
    single.fit()
    many.fit()
    assert [len(rows) for rows in taken] == [3, 1, 1, 3, 1]
    assert many.logs == pytest.approx(single.logs, rel=1e-5)
    for (name, a), b in zip(tiny.weights(single).items(), tiny.weights(many).values(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("late", "keys"), [(0, {"precision": "mixed_float16", "warmup": 0.5}), (2, {"accumulate": 2, "warmup": 0.0})]
)
def test_opponents_learn_from_their_own_loss_by_their_own_optimizer(tmp_path, eagerly, monkeypatch, late, keys):
    """Against the sums by hand; the schedule of the opponent's optimizer starts when it does."""
    monkeypatch.setattr(Chase, "late", late)
    monkeypatch.setitem(METHODS, "chase", Chase)
    keys |= {"steps": 6, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.0, "weight_decay": 0.0, "clip": 0.0}
    job, same = (tiny.trainer(tmp_path / name, "chase", views="none", **keys) for name in ("run", "same"))
    encoder = [v.numpy() for v in job.method.encoder.variables]
    here, there, rates = 0.2, 0.9, [WarmupCosine(0.1, int(6 * keys["warmup"]), steps) for steps in (6, 6 - late)]
    for step in range(6):
        forward, away = here - there, there - next(same.loader)["views"].mean() / 255
        here -= float(rates[0](step)) * 2 * forward
        if step >= late:
            there -= 0.5 * float(rates[1](step - late)) * 2 * away
    job.fit()
    assert float(job.method.here) == pytest.approx(here, rel=1e-5)
    assert float(job.method.there) == pytest.approx(there, rel=1e-5)
    assert all((a == v.numpy()).all() for a, v in zip(encoder, job.method.encoder.variables))


@pytest.mark.parametrize("thaw", [0, 2])
def test_a_part_warms_up_once(tmp_path, monkeypatch, thaw):
    """From when it thaws, and from then on learns at its part of the rate."""
    made, build = [], optimizers.build_optimizer
    monkeypatch.setattr(
        optimizers, "build_optimizer", lambda settings, *rest: made.append(rest) or build(settings, *rest)
    )
    keys = {"steps": 12, "warmup": 0.5, "pretrained": "x", "head_steps": thaw, "encoder_rate": 0.3}
    tiny.trainer(tmp_path / "run", "ctc", **keys)
    ((schedule, schedules, _),) = made
    for step in range(thaw, 12):
        warm, fall = min(1, (step - thaw + 1) / 6), (1 + np.cos(np.pi * max(0, step - 6) / 6)) / 2
        assert float(schedules["encoder"](step)) == pytest.approx(2e-3 * 0.3 * warm * fall, rel=1e-5)
        assert thaw or float(schedules["encoder"](step)) == pytest.approx(0.3 * float(schedule(step)), rel=1e-5)


@pytest.mark.parametrize("fixed", [True, False])
def test_the_predictor_of_simsiam_keeps_its_rate(tmp_path, monkeypatch, fixed):
    made, build = [], optimizers.build_optimizer
    monkeypatch.setattr(
        optimizers, "build_optimizer", lambda settings, *rest: made.append(rest) or build(settings, *rest)
    )
    tiny.trainer(tmp_path / "run", "simsiam", steps=12, warmup=0.5, **({} if fixed else {"fix_predictor_rate": False}))
    ((schedule, schedules, _),) = made
    assert schedules.keys() == ({"predictor"} if fixed else set())
    if fixed:
        rates = [float(schedules["predictor"](step)) for step in (0, 5, 11)]
        assert rates == pytest.approx([1e-3 / 6, 1e-3, 1e-3]) and float(schedule(11)) < 2e-4


def test_a_non_finite_loss_stops_and_says_where(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=30, clip=0.0)
    healthy = job.method.loss
    job.method.loss = lambda batch, training: {
        "loss": healthy(batch, training)["loss"] / tf.cast(job.model.optimizer.iterations < 4, tf.float32)
    }
    with pytest.raises(TrainingFailed, match=r"loss is not a finite number at step 5 of 30.*learning_rate"):
        job.fit()
    assert not list((tmp_path / "run" / "checkpoints").glob("step-00000010*"))


def test_weights_that_are_not_finite_replace_nothing_that_was_saved(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=6, checkpoint_every=2)
    kernel = job.method.encoder.columns.kernel

    class Breaks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if batch == 3:
                kernel.assign(kernel * np.float32(np.nan))

    job.callbacks.append(Breaks())
    with pytest.raises(TrainingFailed, match="1 weights are not finite.*step-00000002.npz is still good"):
        job.fit()
    assert checkpoints.load_newest(job.run.checkpoints)[2]["step"] == 2


def test_the_state_of_a_callback_that_is_damaged_is_named(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=1)
    job.fit()
    path = job.checkpoints.last
    arrays, state = checkpoints.load(path)

    class Counts(keras.callbacks.Callback):
        def set_state(self, state):
            self.count = state["count"]

    checkpoints.save(path, arrays, {**state, "callbacks": {"Counts": {}}})
    job.callbacks.append(Counts())
    with pytest.raises(UserError, match=r"step-00000001.npz is damaged .*its state of Counts: KeyError\('count'\)"):
        job.resume()


def test_the_encoder_stays_frozen_as_long_as_it_is_said(tmp_path):
    job = tiny.trainer(tmp_path / "run", "ctc", steps=6, pretrained="x", head_steps=30, warmup=0.0)
    before, seen = [v.numpy() for v in job.method.encoder.variables], []

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            now = job.method.encoder.variables
            seen.append(all((a == b.numpy()).all() for a, b in zip(before, now) if "seed" not in b.path))

    job.callbacks.append(Watch())
    head = job.method.head.weights[0].numpy()
    job.fit()
    assert seen == [True] * 2 + [False] * 4  # batch statistics included
    assert (head != job.method.head.weights[0].numpy()).any()


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("method", ALL)
def test_half_precision_trains(tmp_path, eagerly, method, precision):
    job = tiny.trainer(tmp_path / "run", method, steps=4, precision=precision)
    before = job.method.encoder.columns.kernel.numpy()
    logs = job.fit()
    assert np.isfinite(logs["loss"])
    assert job.method.encoder.columns.kernel.dtype == "float32"
    assert (before != job.method.encoder.columns.kernel.numpy()).any()


@pytest.mark.parametrize("method", ["dino", "inst_disc", "deep_cluster", "moco", "generated"])
def test_state_is_not_what_learns(tmp_path, eagerly, method):
    """Centres, partitions, labels, shares, steps, queues and banks are no part of the gradient, before and after."""
    job = tiny.trainer(tmp_path / "run", method, steps=1, **{**tiny.lines(method), "views": "none"})
    parts = job.method.parts()
    before = [v.path for part in parts.values() for v in trainable(part)]
    state = [name for name, part in parts.items() if not trainable(part)]
    job.fit()
    assert [v.path for part in parts.values() for v in trainable(part)] == before
    assert state and all(not trainable(parts[name]) for name in state) or method == "generated"
    assert len(before) == len(job.model.optimizer._trainable_variables)


def test_stock_callbacks_can_stop_it(tmp_path, eagerly):
    stop = keras.callbacks.EarlyStopping(monitor="loss", patience=0, baseline=-1e9)
    job = tiny.trainer(tmp_path / "run", "simclr", [stop], steps=40)
    job.fit()
    assert job.step < 40


def test_accumulating_checkpoints_are_pruned(tmp_path, eagerly):
    tiny.trainer(tmp_path / "run", "simclr", steps=7, checkpoint_every=2).fit()
    names = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert len(names) == 2 and names[-1] == "step-00000007.npz"


def test_a_batch_that_does_not_fit_in_memory_ends_the_run_with_a_sentence(tmp_path, eagerly):
    job = tiny.trainer(tmp_path / "run", "simclr", steps=4)
    job.method.loss = lambda batch, training: {"loss": tf.reduce_sum(tf.fill([2**25, 2**25], 1.0))}
    with pytest.raises(TrainingFailed, match="batches of 8 do not fit in memory; no checkpoint .*lower batch_size"):
        job.fit()
