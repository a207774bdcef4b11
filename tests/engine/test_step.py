"""The training step: devices, parts of a batch, several steps per call, and which variables learn."""

import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr.engine.optimizers import WarmupCosine, trainable
from seqclr.methods import METHODS
from tests.engine import tiny
from tests.engine.chase import Chase

ALL = ["simclr", "simsiam", "ctc"]


# no Adam, which would divide rounding errors by themselves
SGD = {"steps": 4, "dropout": 0.0, "optimizer": "sgd", "learning_rate": 0.01}
STATES = "moco_v2+byol+deep_cluster"  # a queue, target networks, clusters of every pass
CROPS = {"views": "multicrop", "correspondence": "geometry"}
DIVIDED = {
    "simsiam": ("simsiam", {**SGD, "steps": 2, "steps_per_execution": 2}),
    "ctc": ("ctc", {**SGD, "steps": 2}),
}
DIVIDED_MORE = {
    "simclr": ("simclr", SGD),
    "queue": ("moco_v2", {**SGD, "queue_size": 64}),
    "padded": ("simclr", {**SGD, "resize": "pad"}),
    "bank": ("inst_disc", {**SGD, "noise": 64}),
    "codes": ("swav", {**SGD, **CROPS, "prototypes": 8, "queue_size": 16}),
    "centre": ("dino", {**SGD, **CROPS, "prototypes": 8}),
    "read": ("ctc", {**SGD, "resize": "pad"}),
    "several": (STATES, {**SGD, **tiny.lines(STATES), "weights": "byol:0.5"}),
}
OF_PICTURES = {"mae": "least_vit", "split_brain": "least_picture_lab"}
OF_PICTURES |= dict.fromkeys(
    ["colorization", "flow_distillation", "gray_distillation", "sound_distillation"], "least_picture"
)


def every_method(first):
    """One in three, from the first on; on lines they are padded."""
    for name in list(METHODS)[first::3]:
        picture = {"encoder": OF_PICTURES[name]} if name in OF_PICTURES else {**tiny.lines(name), "resize": "pad"}
        views = METHODS[name].defaults.get("views", "article")
        more = {"generated": {"boxes": 1.0, "styles": 1.0, "domain": 0.1}, "inpainting": {"adversarial": 0.5}}
        more["flow_distillation"] = {"seed": 1}  # with 0, a channel has almost no variance, which multiplies rounding
        yield name, (name, {**SGD, "steps": 2, **picture, "views": views, **more.get(name, {})})


EVERY_0, EVERY_1, EVERY_2 = (dict(every_method(first)) for first in range(3))


def steady(job):
    """The job, where what rounding decides, or is drawn within a replica, is the same whoever looks."""
    for method in getattr(job.method, "methods", {"": job.method}).values():
        if hasattr(method, "assign_labels") and method.heads == 1 and len(method.labels.shape) == 2:
            present = method.present()
            method.assign_labels(np.arange(present.sum()) % method.classes, present)
            method.relabel = lambda batches: None
        if hasattr(method, "order"):  # of tiles: shuffled among those of four images
            method.order = steady_order
    return job


def steady_order(index):
    group = np.array([4 * ((j + p) % 4) + (j + 2 * p) % 4 for j in range(4) for p in range(4)], np.int32)
    return tf.reshape(16 * tf.range(tf.size(index) // 4)[:, None] + group, [-1])


ON_TWO_DEVICES = """
import functools, sys
import numpy as np
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # takes longer than the steps
from seqclr.engine import setup
from tests import networks
from tests.engine import test_step, tiny
setup.choose_strategy = functools.cache(setup.choose_strategy)  # two would name their collectives alike
with networks.offered():
    for name, (method, keys) in getattr(test_step, sys.argv[2]).items():
        # one of the two as a graph is enough: to trace it takes longer than its steps
        tf.config.run_functions_eagerly((sys.argv[2], name) == ("DIVIDED", "ctc"))
        job = test_step.steady(tiny.trainer(f"{sys.argv[1]}/two/{name}", method, **keys))
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
        assert float(two.pop("loss")) == pytest.approx(loss, rel=1e-4)  # the mean of the steps
        for (weight, a), b in zip(one.items(), two.values(), strict=True):
            if "seed" not in weight:
                np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-4, err_msg=f"{name}: {weight}")


@pytest.mark.parametrize(
    ("method", "count"),
    [
        pytest.param("simsiam", 4, marks=pytest.mark.slow),
        ("ctc", 2),
        pytest.param("byol+rotation", 4, marks=pytest.mark.slow),
    ],
)
def test_a_batch_in_parts_is_the_whole(tmp_path, method, count):
    """Where batch norm keeps its statistics, which it otherwise takes of a part."""
    keys = {"steps": 4, "dropout": 0.0, "optimizer": "sgd", "learning_rate": 0.01}
    ends = {}
    for parts in (1, count):
        job = tiny.trainer(tmp_path / str(parts), method, accumulate=parts, **keys)
        for part in job.method.parts().values():
            for layer in part._flatten_layers():
                layer.keeps_statistics = True
        ends[parts] = job.fit()["loss"], tiny.weights(job)
    assert ends[count][0] == pytest.approx(ends[1][0], rel=1e-5)
    for (name, a), b in zip(ends[1][1].items(), ends[count][1].values(), strict=True):
        if "seed" not in name:
            np.testing.assert_allclose(a, b, atol=1e-6, rtol=1e-4, err_msg=name)


@pytest.mark.slow
def test_steps_at_one_go_are_those_one_by_one(tmp_path):
    """Up to rounding, over the ends of rounds, checkpoints and a thaw after three steps."""
    keys = {"steps": 9, "checkpoint_every": 5, "pretrained": "x", "head_steps": 30, "warmup": 0.0}
    keys |= {"optimizer": "sgd", "learning_rate": 0.01}
    single, many = (tiny.trainer(tmp_path / str(n), "ctc", steps_per_execution=n, **keys) for n in (1, 4))
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
def test_adversaries_learn_from_their_own_loss_by_their_own_optimizer(tmp_path, eagerly, monkeypatch, late, keys):
    """Against the sums by hand; the schedule of the adversary's optimizer starts when it does."""
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


def test_the_encoder_stays_frozen_as_long_as_it_is_said(tmp_path, eagerly):
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


@pytest.mark.slow
@pytest.mark.parametrize("methods", [EVERY_0, EVERY_1, EVERY_2])
def test_every_method_trains_in_half_precision(tmp_path, eagerly, methods):
    for name, (method, keys) in methods.items():
        job = tiny.trainer(tmp_path / name, method, **{**keys, "steps": 1, "precision": "mixed_bfloat16"})
        assert np.isfinite(job.fit()["loss"]), name


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("method", ALL)
def test_half_precision_trains(tmp_path, eagerly, method, precision):
    job = tiny.trainer(tmp_path / "run", method, steps=2, precision=precision)
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
