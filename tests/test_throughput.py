"""The benchmark's arithmetic, and that its PyTorch side trains the same network to the same objective."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import throughput
import throughput_parts as parts

BATCH = 6


def figures(speed: float, memory: float | None = 100.0) -> dict:
    return {
        "parameters": 1000,
        "alone": speed,
        "loop": 0.9 * speed,
        "memory": memory,
        "parts": {"decode": 0.01, "forward": 0.03},
        "about": "",
    }


def test_the_table_has_medians_and_ratios_of_the_same_turn():
    ours, theirs = ([figures(speed) for speed in speeds] for speeds in ((200, 300, 100), (100, 200, 100)))
    assert throughput.table("simclr", {"seqclr": ours, "PyTorch": theirs}).splitlines() == [
        "| simclr | seqclr | PyTorch | ratio |",
        "| --- | --- | --- | --- |",
        "| step alone, images/s | 200.0 | 100.0 | 1.50 |",
        "| complete loop, images/s | 180.0 | 90.0 | 1.50 |",
        "| slowdown of the loop, % | 10.0 | 10.0 |  |",
        "| memory, MiB | 100.0 | 100.0 | 1.00 |",
        "| decode, ms | 10.0 | 10.0 |  |",
        "| forward, ms | 30.0 | 30.0 |  |",
        "| decode, % | 25.0 | 25.0 |  |",
        "| forward, % | 75.0 | 75.0 |  |",
    ]


def test_the_table_of_one_side_where_memory_is_not_counted():
    lines = throughput.table("simclr", {"seqclr": [figures(200, None)]}).splitlines()
    assert lines[0] == "| simclr | seqclr |" and not any("memory" in line for line in lines)


def test_the_clock_leaves_the_warm_up_out():
    clock = parts.Clock(3)
    for _ in range(clock.steps):
        assert not clock.seconds
        clock.tick()
    assert clock.seconds > 0


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is counted on Linux alone")
def test_memory_is_that_of_children_too():
    before = parts.resident()
    hold = "import time; kept = b'1' * 100_000_000; print(flush=True); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", hold], stdout=subprocess.PIPE)
    child.stdout.readline()
    grown = parts.resident() - before
    child.kill()
    child.communicate()
    assert 90 < grown < 200


@pytest.mark.slow
@pytest.mark.parametrize("side", ["seqclr", "PyTorch"])
@pytest.mark.parametrize("method", ["simclr", "simsiam"])
def test_a_side_measures(side, method, pages):
    if side == "PyTorch" and not importlib.util.find_spec("torch"):
        pytest.skip("PyTorch is not installed (extra [bench])")
    words = ["--method", method, "--data", pages, "--batch-size", "8", "--steps", "2"]
    done = subprocess.run([sys.executable, throughput.SIDES[side], *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found["parts"]) == ["decode", "views", "transfer", "forward", "backward", "update"]
    assert found["loop"] > 0 and found["alone"] > 0


# the same network, in a process of its own: TensorFlow and PyTorch do not bear each other in one

THEIRS = """
import sys
import numpy as np
import torch
import throughput_torch
folder, name, order = sys.argv[1:]
given = np.load(folder + "/ours.npz")
network = throughput_torch.METHODS[name]()
for module in network.modules():
    if isinstance(module, torch.nn.Dropout):
        module.p = 0.0
state = {key: value for key, value in network.state_dict().items() if "num_batches" not in key}
for (key, value), array in zip(state.items(), [given[f"weight{i}"] for i in range(len(given.files) - 2)], strict=True):
    assert value.shape == array.shape, key
    value.copy_(torch.from_numpy(array))
network.encoder.use(getattr(torch, order))
batch = {key: torch.from_numpy(given[key]) for key in ("views", "geometry")}
with torch.no_grad():
    features = network.eval().encoder(batch["views"][:, 0]).numpy()
loss = network.train()(*throughput_torch.placed(batch))
loss.backward()
norm = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
count = sum(parameter.numel() for parameter in network.parameters())
np.savez(folder + "/theirs.npz", features=features, loss=loss.item(), norm=norm.item(), count=count)
"""


def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    factor, still = rng.uniform(0.6, 1, (BATCH, 2)), (np.ones((BATCH, 2)), np.zeros((BATCH, 2)))
    return {
        "views": rng.integers(0, 256, (BATCH, 2, parts.HEIGHT, parts.WIDTH, 3)).astype(np.uint8),
        "geometry": np.stack([factor, rng.uniform(0, 1 - factor), *still], -1).astype(np.float32),
        "index": np.arange(BATCH, dtype=np.int32),
    }


def translated(variables: dict[str, np.ndarray]) -> list[np.ndarray]:
    """Our variables in the layout of PyTorch's, whose order is the same but that attention has three in one."""
    found, three = [], []
    for name, value in variables.items():
        if re.search("/(query|key|value)/", name):
            three.append(value.reshape(len(value), -1).T if name.endswith("kernel") else value.ravel())
            if len(three) == 6:
                found += [np.concatenate(three[::2]), np.concatenate(three[1::2])]
                three = []
        elif not name.endswith("kernel"):
            found.append(value)
        elif "attention_output" in name:
            found.append(value.reshape(-1, value.shape[-1]).T)
        else:  # [..., in, out]; of the positions [..., channels, 1]
            found.append(value.transpose(1, 2, 0) if value.ndim == 3 else np.moveaxis(value, (-1, -2), (0, 1)))
    return found


@pytest.mark.skipif(not importlib.util.find_spec("torch"), reason="PyTorch is not installed (extra [bench])")
@pytest.mark.parametrize(("name", "order"), [("simclr", "channels_last"), ("simsiam", "contiguous_format")])
def test_the_network_and_its_objective_are_the_same(tmp_path, name, order):
    import tensorflow as tf

    from seqclr.engine import checkpoints
    from seqclr.methods import find_method
    from seqclr.nn.encoders import build_encoder

    method = find_method(name)(correspondence="geometry")
    method.build(build_encoder("tiny", parts.HEIGHT, parts.WIDTH, "convolutional", dropout=0.0))
    method.loss(batch(), training=True)  # moves the statistics
    given = {key: batch()[key] for key in ("views", "geometry")}
    weights = translated(checkpoints.snapshot(method.parts()))
    np.savez(tmp_path / "ours.npz", **given, **{f"weight{i}": weight for i, weight in enumerate(weights)})
    folders = os.pathsep.join(str(Path(__file__).parents[1] / folder) for folder in (".", "benchmarks"))
    subprocess.run(
        [sys.executable, "-c", THEIRS, tmp_path, name, order], env={**os.environ, "PYTHONPATH": folders}, check=True
    )
    theirs = np.load(tmp_path / "theirs.npz")

    np.testing.assert_allclose(theirs["features"], method.encoder(batch()["views"][:, 0])[0], atol=1e-4)
    variables = [v for part in method.parts().values() for v in part.trainable_variables]
    assert theirs["count"] == sum(int(tf.size(v)) for v in variables)
    with tf.GradientTape() as tape:
        penalties = [penalty for part in method.parts().values() for penalty in part.losses]
        loss = tf.add_n([method.loss(batch(), training=True)["loss"], *penalties])
    norm = tf.linalg.global_norm(tape.gradient(loss, variables))
    assert theirs["loss"] == pytest.approx(float(loss), abs=1e-4)
    assert theirs["norm"] == pytest.approx(float(norm), rel=1e-3)
