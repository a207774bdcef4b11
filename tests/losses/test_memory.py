"""Binary NCE from un-normalised scores."""

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, rows

POSITIVE, NEGATIVES = np.exp(rows(4, seed=1)), np.exp(rows(4, 5, seed=2))


def nce(positive, negatives):
    total = 0.0
    for score, others in zip(positive, negatives):
        p, noise = score / 20, 5 * (1 / 50)
        total -= np.log(p / (p + noise + 1e-7)) + sum(np.log(noise / (q / 20 + noise + 1e-7)) for q in others)
    return total / len(positive)


def test_nce():
    check(lambda positive, negatives: losses.nce(positive, negatives, 5, 50, 20.0), nce, POSITIVE, NEGATIVES)


def test_a_column_of_positives_is_a_row_of_them():
    alike = [float(losses.nce(p, NEGATIVES, 5, 50, 20.0)) for p in (POSITIVE, POSITIVE[:, None])]
    assert alike[0] == pytest.approx(alike[1])
