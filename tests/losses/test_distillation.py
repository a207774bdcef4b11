"""DINO's pairs of crops."""

import numpy as np
import pytest

from seqclr import losses
from seqclr.errors import UserError
from tests.losses.reference import check, rows, softmax

CROPS = [rows(4, 3, seed=seed) for seed in range(3)]
TEACHERS = [0.1 * rows(4, 3, seed=seed) for seed in (5, 6)]
CENTER = 0.1 * rows(3, seed=7)


@pytest.mark.parametrize("temperatures", [(), (0.5, 0.2)])
def test_dino(temperatures):
    def dino(s0, s1, s2, t0, t1, center):
        st, tt = temperatures or (0.1, 0.04)
        pairs = [(t0, s1), (t0, s2), (t1, s0), (t1, s2)]
        wanted = [-np.sum(softmax((t - center) / tt) * np.log(softmax(s / st)), axis=1) for t, s in pairs]
        return np.mean(wanted)

    def loss(s0, s1, s2, t0, t1, center):
        return losses.dino([s0, s1, s2], [t0, t1], center, *temperatures)

    check(loss, dino, *CROPS, *TEACHERS, CENTER, stopped=(3, 4, 5))


def test_one_crop_has_no_other():
    with pytest.raises(UserError, match="at least 2"):
        losses.dino(CROPS[:1], TEACHERS[:1], CENTER)
