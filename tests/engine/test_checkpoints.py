"""Checkpoints appear whole or not at all, and only fit what they were made of."""

import io
import zipfile

import keras
import numpy as np
import pytest

from seqclr import messages
from seqclr.engine import checkpoints
from seqclr.errors import UserError

STATE = {"step": 7, "loader": {"batches": 7}, "callbacks": {}}


def parts(units=3):
    head = keras.Sequential([keras.layers.Dense(units), keras.layers.BatchNormalization()])
    head.build((None, 4))
    return {"head": head, "queue": keras.Variable(np.random.default_rng(units).normal(size=(2, units)), name="queue")}


def test_what_is_saved_comes_back(tmp_path):
    path, saved, other = tmp_path / "step-1.npz", parts(), parts()
    checkpoints.save(path, checkpoints.snapshot(saved), STATE)
    arrays, state = checkpoints.load(path)
    checkpoints.restore(other, arrays, path)
    assert state == STATE
    for a, b in zip(checkpoints.snapshot(saved).values(), checkpoints.snapshot(other).values()):
        np.testing.assert_array_equal(a, b)
    assert [file.name for file in tmp_path.iterdir()] == ["step-1.npz"]


@pytest.mark.parametrize("damage", ["cut", "flip", "empty"])
def test_a_damaged_file_is_named(tmp_path, damage):
    path = tmp_path / "step-1.npz"
    checkpoints.save(path, checkpoints.snapshot(parts()), STATE)
    data = bytearray(path.read_bytes())
    data = data[: len(data) // 2] if damage == "cut" else data[:0] if damage == "empty" else data
    if damage == "flip":
        data[200] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UserError, match="step-1.npz is damaged"):
        checkpoints.load(path)


def header(name, value):
    """The bytes of an archive with one array whose header is as it is given."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(value).to_bytes(2, "little") + value)
    return stream.getvalue()


@pytest.mark.parametrize(
    "written, reason",
    [
        ({"state": {**STATE, "step": -1}}, "its step is -1"),
        ({"state": {**STATE, "step": "7"}}, "its state has no step"),
        ({"state": {"step": 7, "loader": {}}}, "its state has no callbacks"),
        ({"state": {**STATE, "result": {"head/000/kernel": "gone"}}}, "it has no "),
        ({"state": []}, "its state has no step"),
        ({"kernel": np.float32([1, np.nan])}, "kernel is not finite"),
        ({"kernel": np.float32([1, -np.inf])}, "kernel is not finite"),
        ({"kernel": np.array([{}], object)}, "Object arrays cannot be loaded"),
        ({"bytes": header("kernel", b"{'descr': '<f4', 'shape': (((((")}, ""),
        ({"bytes": header("kernel", b"{'descr': 7, 'fortran_order': False, 'shape': (2,)}\n")}, ""),
        ({"bytes": header("kernel", b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999999,)}\n")}, ""),
    ],
)
def test_what_cannot_be_gone_on_from_is_named_and_the_one_before_taken(tmp_path, capsys, written, reason):
    before, path = tmp_path / "step-00000004.npz", tmp_path / "step-00000007.npz"
    checkpoints.save(before, {"kernel": np.float32([1, 2])}, {**STATE, "step": 4})
    if "bytes" in written:
        path.write_bytes(written["bytes"])
    else:
        checkpoints.save(path, {"kernel": written.get("kernel", np.float32([1]))}, written.get("state", STATE))
    with pytest.raises(UserError, match="step-00000007.npz is damaged or not a checkpoint") as refused:
        checkpoints.load(path)
    assert reason in str(refused.value) and "\n" not in str(refused.value)
    with messages.on_console():
        assert checkpoints.load_newest(tmp_path)[0] == before
    message = capsys.readouterr().err
    assert (
        message.startswith(f"{path} is damaged (")
        and reason in message
        and message.endswith(f"{before} is used instead\n")
    )


def test_weights_of_another_type_are_refused(tmp_path):
    arrays = checkpoints.snapshot(parts())
    name = next(iter(arrays))
    with pytest.raises(UserError, match="x.npz was not written by seqclr: head/000 is of float64, not float32"):
        checkpoints.restore(parts(), {**arrays, name: arrays[name].astype(np.float64)}, tmp_path / "x.npz")


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


def test_a_best_checkpoint_alone_is_not_replaced(tmp_path):
    (tmp_path / "best.npz").touch()
    with pytest.raises(
        UserError, match="no step-.*.npz to resume from, and .* would replace .*best.npz: .*another --output"
    ):
        checkpoints.load_newest(tmp_path)


def test_where_all_are_damaged_all_are_named(tmp_path, caplog):
    assert checkpoints.load_newest(tmp_path) is None
    for step in (1, 2):
        (tmp_path / f"step-{step}.npz").write_bytes(b"no checkpoint")
    with pytest.raises(UserError, match=r"all checkpoints are damaged \(.*step-2.npz, .*step-1.npz\): remove them"):
        checkpoints.load_newest(tmp_path)
    assert not caplog.records
