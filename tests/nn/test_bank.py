"""The memory bank."""

import keras
import numpy as np

from seqclr.nn.bank import Bank


def test_rows_follow_and_the_others_stay():
    keras.utils.set_random_seed(0)
    bank = Bank(10, 3)
    before = bank.vectors.numpy()
    assert np.abs(before).max() <= 1 and 0.8 < np.abs(before).max()
    new = np.array([[3.0, 0, 0], [0, 4.0, 0]], np.float32)
    bank.follow(np.array([7, 2]), new, 0.5)
    mixed = 0.5 * before[[7, 2]] + 0.5 * new / np.linalg.norm(new, axis=1, keepdims=True)
    np.testing.assert_allclose(bank.vectors.numpy()[[7, 2]], mixed / np.linalg.norm(mixed, axis=1, keepdims=True), 1e-5)
    rest = [i for i in range(10) if i not in (7, 2)]
    np.testing.assert_array_equal(bank.vectors.numpy()[rest], before[rest])
