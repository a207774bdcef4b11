"""Variance, covariance and whitening, in the convention of each official code."""

from functools import partial

import numpy as np
import pytest

from seqclr import losses
from seqclr.errors import UserError
from seqclr.losses.redundancy import whiten
from tests.losses.reference import check, rows, unit

Z1, Z2 = rows(6, 3, seed=1), rows(6, 3, seed=2)


def standardised(z):
    return (z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5)


def barlow_twins(z1, z2, lambd=5e-3):
    z1, z2 = standardised(z1), standardised(z2)
    total = 0.0
    for i, a in enumerate(z1.T):
        for j, b in enumerate(z2.T):
            total += (1 - np.mean(a * b)) ** 2 if i == j else lambd * np.mean(a * b) ** 2
    return total


def vicreg(z1, z2, sim=25.0, std=25.0, cov=1.0, eps=1e-4, variant="official"):
    total = sim * np.mean((z1 - z2) ** 2)
    for z in (z1, z2):
        hinge = np.mean(np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + eps)))
        total += std * hinge / (2 if variant == "official" else 1)
        c = np.cov(z.T)
        total += cov * (np.sum(c**2) - np.sum(np.diag(c) ** 2)) / z.shape[1]
    return total


def w_mse(z_views, whitening_size):
    def white(z):
        z = z - z.mean(axis=0)
        return unit(z @ np.linalg.inv(np.linalg.cholesky(np.cov(z.T))).T)

    views, count = len(z_views), len(z_views[0])
    starts = range(0, count - whitening_size + 1, whitening_size)
    whitened = [np.concatenate([white(z[i : i + whitening_size]) for i in starts]) for z in z_views]
    pairs = [(i, j) for i in range(views) for j in range(i + 1, views)]
    return np.mean([2 - 2 * np.mean(np.sum(whitened[i] * whitened[j], axis=1)) for i, j in pairs])


@pytest.mark.parametrize("keys", [{}, {"lambd": 0.1}])
def test_barlow_twins(keys):
    check(partial(losses.barlow_twins, **keys), partial(barlow_twins, **keys), Z1, Z2)


def test_barlow_twins_has_its_epsilon_inside_the_root():
    """As small as this, features would tell another place for it, and another variance."""
    check(losses.barlow_twins, barlow_twins, 0.01 * Z1, 0.01 * Z2)


@pytest.mark.parametrize("keys", [{}, {"variant": "paper"}, {"sim": 1.0, "std": 2.0, "cov": 3.0, "eps": 0.1}])
def test_vicreg(keys):
    check(partial(losses.vicreg, **keys), partial(vicreg, **keys), 0.7 * Z1, 0.7 * Z2)


def test_the_variants_of_vicreg_differ_by_the_variance_term_alone():
    z = np.zeros((4, 3), np.float32)
    official, paper = (float(losses.vicreg(z, z, variant=variant)) for variant in ("official", "paper"))
    assert official == pytest.approx(25 * 0.99) and paper == pytest.approx(50 * 0.99)


@pytest.mark.parametrize("views, count", [(2, 14), (3, 6), (2, 15)])
def test_w_mse(views, count):
    """All pairs of views, several slices, and a rest that does not count."""
    z = rows(views, count, 3, seed=views)
    check(partial(losses.w_mse, whitening_size=6), partial(w_mse, whitening_size=6), z)


def test_whitened_rows_have_the_identity_as_covariance():
    white = whiten(rows(2, 40, 5) @ rows(5, 5, seed=1)).numpy()
    for slice_ in white:
        np.testing.assert_allclose(np.cov(slice_.T), np.eye(5), atol=1e-4)
        np.testing.assert_allclose(slice_.mean(axis=0), 0, atol=1e-5)


def test_w_mse_of_views_that_differ_by_a_triangular_map_is_0():
    """Cholesky whitening undoes it, and no other whitening does."""
    z = rows(16, 4)
    mixed = z @ np.triu(rows(4, 4, seed=2) + 3 * np.eye(4, dtype=np.float32)) + 5
    assert float(losses.w_mse(np.stack([z, mixed]), 8)) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize(
    "loss, words",
    [
        (lambda: losses.vicreg(Z1, Z2, variant="mine"), "official, paper"),
        (lambda: losses.vicreg(Z1[:1], Z2[:1]), "at least 2"),
        (lambda: losses.w_mse(rows(2, 8, 3), 5), "at least 6"),
        (lambda: losses.w_mse(rows(2, 8, 3), 9), "enlarge the batch"),
        (lambda: losses.w_mse(rows(1, 8, 3), 6), "at least 2"),
    ],
)
def test_what_cannot_be_computed_names_the_way_out(loss, words):
    with pytest.raises(UserError, match=words):
        loss()
