"""Frames that show the same place: which pairs count, and what stands still."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from tests.losses.reference import check, rows, unit

FRAMES = [rows(3, 4, 3, seed=seed) for seed in range(4)]
# not symmetric, rows without a positive, rows with two, and an image without any
POSITIVES = np.zeros((3, 4, 4), bool)
POSITIVES[0, [0, 0, 1, 2], [1, 2, 3, 3]] = True
POSITIVES[1, 3, 0] = True


def pix_pro(y1, z2, y2, z1):
    total = 0.0
    for b, mask in enumerate(POSITIVES):
        pairs = np.argwhere(mask)
        if len(pairs):
            total -= 2 * np.mean([unit(y1[b, i]) @ unit(z2[b, j]) for i, j in pairs])
            total -= 2 * np.mean([unit(y2[b, j]) @ unit(z1[b, i]) for i, j in pairs])
    return total / len(POSITIVES)


def pix_contrast(z1, z2, temperature=0.3):
    directions = []
    for a, b, positives in ((z1, z2, POSITIVES), (z2, z1, POSITIVES.transpose(0, 2, 1))):
        images = []
        for x, y, mask in zip(unit(a), unit(b), positives):
            scores = np.exp(x @ y.T / temperature)
            frames = [-np.log(s[m].sum() / s.sum()) for s, m in zip(scores, mask) if m.any()]
            images.append(np.mean(frames) if frames else 0.0)
        directions.append(np.mean(images))
    return np.mean(directions)


def test_pix_pro():
    check(lambda *frames: losses.pix_pro(*frames, POSITIVES), pix_pro, *FRAMES, stopped=(1, 3))


def test_pix_pro_is_at_least_minus_4():
    z, same = FRAMES[0], np.broadcast_to(np.eye(4, dtype=bool), (3, 4, 4))
    assert float(losses.pix_pro(z, z, z, z, same)) == pytest.approx(-4)


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.1}])
def test_pix_contrast(keys):
    loss = partial(losses.pix_contrast, positives=POSITIVES, **keys)
    check(loss, partial(pix_contrast, **keys), *FRAMES[:2])


def test_pix_contrast_of_the_same_frames_is_patch_nce_in_both_directions():
    z1, z2, same = *FRAMES[:2], np.broadcast_to(np.eye(4, dtype=bool), (3, 4, 4))
    directions = [float(losses.patch_nce(a, b, 0.3)) for a, b in ((z1, z2), (z2, z1))]
    assert float(losses.pix_contrast(z1, z2, same)) == pytest.approx(np.mean(directions), rel=1e-5)


def test_pix_contrast_counts_no_padding():
    longer = [np.concatenate([z, rows(3, 2, 3, seed=7)], axis=1) for z in FRAMES[:2]]
    positives = np.pad(POSITIVES, ((0, 0), (0, 2), (0, 2)))
    valid = np.pad(np.ones_like(POSITIVES), ((0, 0), (0, 2), (0, 2)))
    found = losses.pix_contrast(*longer, positives, valid=valid)
    assert float(found) == pytest.approx(float(losses.pix_contrast(*FRAMES[:2], POSITIVES)), rel=1e-5)
