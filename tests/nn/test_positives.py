"""Frames of two views at the same position in the image, by a loop over them."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.positives import same_position

WHOLE = [1, 0, 1, 0]
# crops of a part, one mirrored, one of which shows what is beside the page
VIEWS = np.float32(
    [
        [WHOLE, WHOLE],
        [[2, -0.5, 1.6, -0.2], [1.25, 0, 1, 0]],
        [[-1.5, 1.4, 1.2, -0.1], [1.1, -0.05, 1.3, -0.3]],
        [[0.6, 0.3, 0.7, 0.21], WHOLE],
    ]
)


def near(first, second, grid, reach):
    """`[T, T]`, a pair at a time."""
    rows, columns = grid
    expected = np.zeros((rows * columns,) * 2, bool)
    axes = [which for which, count in enumerate((columns, rows)) if count > 1]
    counts, ways = (columns, rows), (np.float64(first).reshape(2, 2), np.float64(second).reshape(2, 2))
    for i, j in np.ndindex(expected.shape):
        centres, diagonals = [], []
        for (row, column), way in zip((divmod(i, columns), divmod(j, columns)), ways):
            position = (column, row)
            centres.append([((position[a] + 0.5) / counts[a] - way[a, 1]) / way[a, 0] for a in axes])
            diagonals.append(np.hypot(*[1 / counts[a] / way[a, 0] for a in axes] + [0] * (2 - len(axes))))
        on_page = all(0 <= c <= 1 for centre in centres for c in centre)
        expected[i, j] = on_page and np.linalg.norm(np.subtract(*centres)) < reach * max(diagonals)
    return expected


@pytest.mark.parametrize("grid", [(1, 16), (4, 6), (5, 1)])
@pytest.mark.parametrize("reach", [0.7, 1.3])
def test_near_is_within_a_part_of_the_longer_diagonal(grid, reach):
    found = same_position(tf.constant(VIEWS), grid, reach).numpy()
    for pairs, (first, second) in zip(found, VIEWS):
        np.testing.assert_array_equal(pairs, near(first, second, grid, reach))
        assert pairs.any() and not pairs.all()


def test_frames_of_equal_views_match_themselves():
    np.testing.assert_array_equal(same_position(tf.constant(VIEWS[:1]), (1, 16), 0.7)[0], np.eye(16, dtype=bool))


def test_what_is_beside_the_image_matches_nothing():
    found = same_position(tf.constant(VIEWS[3:]), (1, 16), 0.7).numpy()[0]
    centres = ((np.arange(16) + 0.5) / 16 - 0.3) / 0.6
    np.testing.assert_array_equal(found.any(1), (centres >= 0) & (centres <= 1))
