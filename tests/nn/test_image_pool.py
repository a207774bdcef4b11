"""The pool of translated images."""

import keras
import numpy as np
import pytest

from seqclr.nn.image_pool import ImagePool


def batch(first, count):
    """Images of the values first, first + 1, ..., whose widths are these values too."""
    values = np.arange(first, first + count)
    return np.broadcast_to(values[:, None, None, None], (count, 2, 99, 3)).astype(np.float32), values.astype(np.int32)


def test_about_half_of_the_images_are_of_earlier_calls_and_none_is_lost():
    pool = ImagePool(6, 2, 99, "pool")

    def values(images):
        return np.rint(images[:, 0, 0, 0]).astype(int).tolist()

    images, widths = pool(*batch(1, 4))
    assert values(images) == widths.numpy().tolist() == [1, 2, 3, 4]  # an empty pool has no others
    assert sorted(pool.widths.numpy()) == [0, 0, 1, 2, 3, 4]
    seen, earlier = [1, 2, 3, 4], 0
    for first in range(5, 85, 4):
        images, widths = pool(*batch(first, 4))
        assert values(images) == widths.numpy().tolist()
        earlier += sum(value < first for value in values(images))
        seen += values(images)
    assert 25 < earlier < 55  # of 80
    held = values(255 * pool.images.value)
    assert held == pool.widths.numpy().tolist() and set(held) | set(seen) == set(range(1, 85))


def test_a_batch_larger_than_the_pool_keeps_its_other_images():
    pool = ImagePool(2, 2, 99, "pool")
    pool(*batch(1, 2))
    images, widths = pool(batch(3, 5)[0])
    assert widths is None and images[2:, 0, 0, 0].numpy().tolist() == pytest.approx([5, 6, 7])


def test_the_pool_is_float32_in_half_precision():
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    pool = ImagePool(2, 2, 99, "pool")
    assert [pool(*batch(3, 2))[0].dtype, pool(*batch(5, 2))[0].dtype, pool.images.dtype] == ["float32"] * 3
