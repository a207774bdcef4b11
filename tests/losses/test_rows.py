"""Logits a chunk of rows at a time: the same loss and gradient, and never the whole matrix."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.losses import rows as by_rows
from tests.losses.reference import gradients, rows

Z1, Z2 = rows(11, 4, seed=1), rows(11, 4, seed=2)  # 11 rows do not divide by the chunks
GROUP = tf.constant(np.arange(11) % 2)


def others(indices):
    return tf.gather(GROUP, indices)[:, None] == GROUP


@pytest.mark.parametrize("negatives", [None, others])
@pytest.mark.parametrize("limit", [1, 50, 100])
@pytest.mark.parametrize("name", ["nt_xent", "info_nce"])
def test_chunks_change_nothing(name, limit, negatives, monkeypatch):
    loss = lambda z1, z2: getattr(losses, name)(z1, z2, negatives=negatives)  # noqa: E731
    whole, expected = gradients(loss, Z1, Z2)
    monkeypatch.setattr(by_rows, "LIMIT", limit)
    for run in (loss, tf.function(loss)):
        parts, found = gradients(run, Z1, Z2)
        assert float(parts) == pytest.approx(float(whole), rel=1e-6)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-7)


def test_the_temperature_learns_in_chunks_too(monkeypatch):
    loss = lambda t: losses.info_nce(Z1, Z2, t)  # noqa: E731
    _, (expected,) = gradients(loss, np.float32(0.3))
    monkeypatch.setattr(by_rows, "LIMIT", 30)
    _, (found,) = gradients(loss, np.float32(0.3))
    assert found == pytest.approx(expected, rel=1e-4) and found != 0


def test_the_chunked_graph_holds_no_matrix_of_all_pairs(monkeypatch):
    """Of the shapes that are known in forward and backward pass, none is of N x N or larger."""
    monkeypatch.setattr(by_rows, "LIMIT", 16 * 64)

    @tf.function
    def step(z1, z2):
        with tf.GradientTape() as tape:
            tape.watch(z1)
            loss = losses.nt_xent(z1, z2, negatives=lambda rows: rows[:, None] != tf.range(64))
        return tape.gradient(loss, z1)

    graph = step.get_concrete_function(*[tf.TensorSpec([64, 4])] * 2).graph
    functions = [graph, *(function.graph for function in graph._functions.values())]
    sizes = [output.shape.num_elements() for f in functions for op in f.get_operations() for output in op.outputs]
    assert len(functions) > 3 and max(size or 0 for size in sizes) < 128 * 128
