"""Contrast against the rest of the batch, and the limits that are known."""

from functools import partial

import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from tests.losses.reference import check, cross_entropy, diagonal, rows, unit

Z1, Z2 = rows(4, 3, seed=1), rows(4, 3, seed=2)


def nt_xent(z1, z2, temperature=0.1):
    z = unit(np.concatenate([z1, z2]))
    count = len(z1)
    total = 0.0
    for i in range(2 * count):
        others = [k for k in range(2 * count) if k != i]
        total += cross_entropy(z[others] @ z[i] / temperature, others.index((i + count) % (2 * count)))
    return total / (2 * count)


def info_nce(z1, z2, temperature=0.1):
    logits = unit(z1) @ unit(z2).T / temperature
    return (diagonal(logits) + diagonal(logits.T)) / 2


REFERENCES = {"nt_xent": nt_xent, "info_nce": info_nce}


@pytest.mark.parametrize("keys", [{}, {"temperature": 0.5}])
@pytest.mark.parametrize("name", REFERENCES)
def test_value_and_gradient(name, keys):
    check(partial(getattr(losses, name), **keys), partial(REFERENCES[name], **keys), Z1, Z2)


@pytest.mark.parametrize("name", REFERENCES)
def test_only_the_allowed_negatives_count(name):
    """Rows of two groups that may not stand against each other give the mean of the groups' losses."""
    z1, z2, group = rows(6, 5, seed=1), rows(6, 5, seed=2), np.array([0, 1, 0, 1, 1, 0])
    loss = getattr(losses, name)
    apart = [float(loss(z1[group == g], z2[group == g])) for g in (0, 1)]
    allowed = tf.constant((group[:, None] == group) & ~np.eye(6, dtype=bool))
    assert float(loss(z1, z2, negatives=lambda rows: tf.gather(allowed, rows))) == pytest.approx(
        np.mean(apart), rel=1e-5
    )


def test_the_losses_differ_in_their_negatives():
    """A row of one's own view that equals the anchor is a negative of nt_xent and none of info_nce."""
    z1 = np.repeat(rows(1, 8), 2, axis=0)
    z2 = unit(rows(2, 8, seed=3))
    moved = z1.copy()
    moved[1] = rows(1, 8, seed=4)
    one_anchor = lambda z: float(losses.info_nce(z[:1], z2[:1]))  # noqa: E731
    assert one_anchor(z1) == one_anchor(moved) == 0
    assert float(losses.nt_xent(z1, z2)) > float(losses.info_nce(z1, z2))


@pytest.mark.parametrize("name", REFERENCES)
def test_orthonormal_pairs_have_the_known_limit(name):
    z, temperature = np.eye(4, 8, dtype=np.float32), 0.1
    negatives = {"nt_xent": 6, "info_nce": 3}[name]
    expected = np.log(1 + negatives * np.exp(-1 / temperature))
    assert float(getattr(losses, name)(z, z, temperature)) == pytest.approx(expected, rel=1e-3)


def test_sup_con_means_over_the_others_of_a_label():
    labels = np.array([0, 1, 0, 0, 1, 2])  # the last has nobody

    def sup_con(z):
        z, terms = unit(z), []
        for i in range(5):
            others = [k for k in range(6) if k != i]
            logits = z[others] @ z[i] / 0.2
            terms.append(np.mean([cross_entropy(logits, j) for j, k in enumerate(others) if labels[k] == labels[i]]))
        return np.mean(terms)

    check(partial(losses.sup_con, labels=labels, temperature=0.2), sup_con, rows(6, 3, seed=1))


def test_clip_learns_its_scale():
    check(losses.clip, lambda a, b, s: info_nce(a, b, 1 / np.exp(s)), Z1, Z2, np.array(np.log(5), np.float32))


def test_clip_scales_by_at_most_100():
    held, far = (float(losses.clip(Z1, Z2, s)) for s in (np.log(100), 200.0))
    assert held == far > float(losses.clip(Z1, Z2, np.log(99)))


def test_rows_of_one_label_are_all_positives_of_clip():
    labels = np.array([0, 1, 0, 2])

    def clip(a, b):
        logits, terms = 5 * unit(a) @ unit(b).T, []
        for scores in (logits, logits.T):
            for i in range(4):
                positives = [j for j in range(4) if labels[j] == labels[i]]
                terms.append(np.mean([cross_entropy(scores[i], j) for j in positives]))
        return np.mean(terms)

    check(partial(losses.clip, logit_scale=np.log(5), labels=labels), clip, Z1, Z2)
    apart = losses.clip(Z1, Z2, np.log(5), labels=np.arange(4))
    assert float(apart) == pytest.approx(float(losses.clip(Z1, Z2, np.log(5))), rel=1e-6)


def test_n_pair_is_not_normalised():
    def n_pair(a, p):
        logits = a @ p.T
        others = [np.sum(np.exp(np.delete(row, i) - row[i])) for i, row in enumerate(logits)]
        return np.mean(np.log1p(others))

    check(losses.n_pair, n_pair, Z1, Z2)


def test_cpc_tells_a_target_from_all_of_the_batch():
    def cpc(context, targets):
        scores = np.einsum("btd,scd->btsc", context, targets)
        return np.mean([cross_entropy(scores[b, t].ravel(), b * 3 + t) for b in range(2) for t in range(3)])

    check(losses.cpc, cpc, rows(2, 3, 4, seed=1), rows(2, 3, 4, seed=2))
