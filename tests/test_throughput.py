"""The benchmark's arithmetic, and that its PyTorch side trains the same network to the same objective."""

import json
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
        "| whole loop, images/s | 180.0 | 90.0 | 1.50 |",
        "| the loop is slower by, % | 10.0 | 10.0 |  |",
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
    if side == "PyTorch":
        pytest.importorskip("torch", reason="PyTorch is not installed (extra [bench])")
    words = ["--method", method, "--data", pages, "--batch-size", "8", "--steps", "2"]
    done = subprocess.run([sys.executable, throughput.SIDES[side], *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert list(found["parts"]) == ["decode", "views", "transfer", "forward", "backward", "update"]
    assert found["loop"] > 0 and found["alone"] > 0


# the same network


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="PyTorch is not installed (extra [bench])")


def batch() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    factor = rng.uniform(0.6, 1, (BATCH, 2))
    return {
        "views": rng.integers(0, 256, (BATCH, 2, parts.HEIGHT, parts.WIDTH, 3)).astype(np.uint8),
        "geometry": np.stack([factor, rng.uniform(0, 1 - factor)], -1).astype(np.float32),
        "index": np.arange(BATCH, dtype=np.int32),
    }


def built(name: str):
    """A method of ours and the network of theirs with its weights, both without dropout."""
    import throughput_torch

    from seqclr.methods import find_method
    from seqclr.nn.encoders import build_encoder

    method = find_method(name)(match="geometry")
    method.build(build_encoder("tiny", parts.HEIGHT, parts.WIDTH, "convolutional", dropout=0.0))
    method.loss(batch(), training=True)  # moves the statistics
    network = throughput_torch.Training(name, 10).network
    for module in network.modules():
        if type(module).__name__ == "Dropout":
            module.p = 0.0
    copy(method, network)
    return method, network


def copy(method, network) -> None:
    ours, theirs = method.encoder, network.encoder
    conv_norm(ours.stem, theirs.stem)
    for block, other in zip(ours.blocks, theirs.blocks, strict=True):
        for part in ("first", "second", "shortcut"):
            conv_norm(getattr(block, part), getattr(other, part))
    dense(ours.columns, theirs.columns)
    put(theirs.positions.weight, ours.positions.conv.kernel.numpy().transpose(1, 2, 0))
    put(theirs.positions.bias, ours.positions.conv.bias)
    norm(ours.norm, theirs.norm)
    for block, other in zip(ours.transformer, theirs.transformer, strict=True):
        norm(block.norm1, other.norm1)
        norm(block.norm2, other.norm2)
        dense(block.expand, other.expand)
        dense(block.contract, other.contract)
        attention(block.attention, other.attention)
    for head in ("projector", "predictor"):
        if hasattr(method, head):
            for layer, other in zip(getattr(method, head).layers, getattr(network, head), strict=True):
                kind = type(layer).__name__
                {"Dense": dense, "BatchNorm": norm}.get(kind, lambda *_: None)(layer, other)


def put(parameter, value) -> None:
    import torch

    with torch.no_grad():
        parameter.copy_(torch.from_numpy(np.array(value)).reshape(parameter.shape))


def conv_norm(ours, theirs) -> None:
    put(theirs.conv.weight, ours.conv.kernel.numpy().transpose(3, 2, 0, 1))
    norm(ours.bn, theirs.bn)


def norm(ours, theirs) -> None:
    if theirs.weight is not None:
        put(theirs.weight, ours.gamma)
        put(theirs.bias, ours.beta)
    if hasattr(theirs, "running_mean"):
        put(theirs.running_mean, ours.moving_mean)
        put(theirs.running_var, ours.moving_variance)


def dense(ours, theirs) -> None:
    put(theirs.weight, ours.kernel.numpy().T)
    if theirs.bias is not None:
        put(theirs.bias, ours.bias)


def attention(ours, theirs) -> None:
    dim = theirs.embed_dim
    three = [ours.query_dense, ours.key_dense, ours.value_dense]
    put(theirs.in_proj_weight, np.concatenate([d.kernel.numpy().reshape(dim, dim).T for d in three]))
    put(theirs.in_proj_bias, np.concatenate([d.bias.numpy().reshape(dim) for d in three]))
    put(theirs.out_proj.weight, ours.output_dense.kernel.numpy().reshape(dim, dim).T)
    put(theirs.out_proj.bias, ours.output_dense.bias)


@pytest.mark.parametrize("order", ["contiguous_format", "channels_last"])
def test_the_features_are_the_same(torch, order):
    method, network = built("simclr")
    network.encoder.use(getattr(torch, order))
    images = batch()["views"][:, 0]
    with torch.no_grad():
        found = network.eval().encoder(torch.from_numpy(images)).numpy()
    np.testing.assert_allclose(found, method.encoder(images)[0], atol=1e-4)


@pytest.mark.parametrize("name", ["simclr", "simsiam"])
def test_the_loss_and_its_gradients_are_the_same(torch, name):
    import tensorflow as tf
    import throughput_torch

    method, network = built(name)
    weights = [v for part in method.parts().values() for v in part.trainable_variables]
    with tf.GradientTape() as tape:
        penalties = [penalty for part in method.parts().values() for penalty in part.losses]
        expected = tf.add_n([method.loss(batch(), training=True)["loss"], *penalties])
    wanted = tf.linalg.global_norm(tape.gradient(expected, weights))
    example = {key: torch.from_numpy(value) for key, value in batch().items()}
    loss = network.train()(*throughput_torch.placed(example))
    loss.backward()
    found = torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    assert float(loss) == pytest.approx(float(expected), abs=1e-4)
    assert float(found) == pytest.approx(float(wanted), rel=1e-2)
    assert sum(p.numel() for p in network.parameters()) == sum(int(tf.size(v)) for v in weights)
