"""Checkpoints appear whole or not at all, and only fit what they were made of."""

import keras
import numpy as np
import pytest

from seqclr.engine import checkpoints
from seqclr.errors import UserError


def parts(units=3):
    head = keras.Sequential([keras.layers.Dense(units), keras.layers.BatchNormalization()])
    head.build((None, 4))
    return {"head": head, "queue": keras.Variable(np.random.default_rng(units).normal(size=(2, units)), name="queue")}


def test_what_is_saved_comes_back(tmp_path):
    path, saved, other = tmp_path / "step-1.npz", parts(), parts()
    checkpoints.save(path, checkpoints.snapshot(saved), {"step": 7, "loader": {"batches": 7}})
    arrays, state = checkpoints.load(path)
    checkpoints.restore(other, arrays, path)
    assert state == {"step": 7, "loader": {"batches": 7}}
    for a, b in zip(checkpoints.snapshot(saved).values(), checkpoints.snapshot(other).values()):
        np.testing.assert_array_equal(a, b)
    assert [file.name for file in tmp_path.iterdir()] == ["step-1.npz"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "step-1.npz"
    checkpoints.save(path, checkpoints.snapshot(parts()), {})
    data = bytearray(path.read_bytes())
    data = data[: len(data) // 2] if damage == "cut" else data[:0] if damage == "empty" else data
    if damage == "flip":
        data[200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match="step-1.npz is damaged"):
        checkpoints.load(path)


def test_another_architecture_is_refused_before_anything_is_set(tmp_path):
    target = parts(5)
    before = checkpoints.snapshot(target)
    with pytest.raises(UserError, match="another architecture"):
        checkpoints.restore(target, checkpoints.snapshot(parts(3)), tmp_path / "x.npz")
    for a, b in zip(before.values(), checkpoints.snapshot(target).values()):
        np.testing.assert_array_equal(a, b)


def test_prune_keeps_the_newest_and_the_best(tmp_path):
    """And drops one of a later step, which a run has stepped back from."""
    for step in (1, 20, 300, 4000):
        (tmp_path / f"step-{step:08d}.npz").touch()
    (tmp_path / "best.npz").touch()
    checkpoints.prune(tmp_path / "step-00000300.npz", 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["best.npz", "step-00000020.npz", "step-00000300.npz"]


def test_where_all_are_damaged_all_are_named(tmp_path, capsys):
    assert checkpoints.load_newest(tmp_path) is None
    for step in (1, 2):
        (tmp_path / f"step-{step}.npz").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"all checkpoints are damaged \(.*step-2.npz, .*step-1.npz\): remove them"):
        checkpoints.load_newest(tmp_path)
    assert capsys.readouterr().err == ""
