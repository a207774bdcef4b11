"""What holds of every loss: float32 inside, any batch size in a graph, finite where features have collapsed."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from tests.losses.reference import gradients, rows

SAME = np.tile(np.eye(4, dtype=bool), (8, 1, 1))
# by name: shapes of the tensors that the loss takes, and how it takes them where that is not one after the other
ROWS, FRAMES = (8, 4), (8, 4, 4)
CASES = {
    "align": [ROWS] * 2,
    "barlow_twins": [ROWS] * 2,
    "byol": [ROWS] * 2,
    "clip": [ROWS] * 2 + [()],
    "cpc": [FRAMES] * 2,
    "curl": [ROWS] * 2 + [(4, 4)],
    "debiased": [ROWS] * 2,
    "dino": [ROWS] * 4 + [(4,)],
    "flat_nce": [ROWS] * 2,
    "hard_negative": [ROWS] * 2,
    "info_nce": [ROWS] * 2,
    "info_nce_queue": [ROWS] * 3,
    "inva_spread": [ROWS] * 2,
    "least_squares": [FRAMES],
    "margin_contrastive": [ROWS] * 2,
    "masked_reconstruction": [FRAMES] * 2,
    "moco_v3": [ROWS] * 4,
    "n_pair": [ROWS] * 2,
    "nce": [(8,), ROWS],
    "negative_cosine": [ROWS] * 2,
    "nnclr": [ROWS] * 4,
    "nt_xent": [ROWS] * 2,
    "patch_nce": [FRAMES] * 2,
    "pix_contrast": [FRAMES] * 2,
    "pix_pro": [FRAMES] * 4,
    "relational": [ROWS] * 3,
    "sinkhorn": [ROWS],
    "sup_con": [ROWS],
    "swav": [ROWS] * 2,
    "triplet": [ROWS] * 3,
    "uniform": [ROWS],
    "vicreg": [ROWS] * 2,
    "w_mse": [ROWS] * 2,
}
CALLS = {
    "dino": lambda s1, s2, t1, t2, center: losses.dino([s1, s2], [t1, t2], center),
    "least_squares": lambda scores: losses.least_squares(scores, 1.0),
    "margin_contrastive": lambda a, b: losses.margin_contrastive(a, b, np.arange(8) % 2),
    "masked_reconstruction": lambda target, prediction: losses.masked_reconstruction(target, prediction, SAME[:, 0]),
    # scores are positive
    "nce": lambda *scores: losses.nce(*(tf.maximum(x, tf.constant(0.25, x.dtype)) for x in scores), 4, 50, 20.0),
    "pix_contrast": lambda z1, z2: losses.pix_contrast(z1, z2, SAME),
    "pix_pro": lambda *frames: losses.pix_pro(*frames, SAME),
    "sup_con": lambda z: losses.sup_con(z, np.arange(8) % 3),
    "w_mse": lambda z1, z2: losses.w_mse([z1, z2], 8),
}
every = pytest.mark.parametrize("name", CASES)


def case(name):
    tensors = [0.5 * rows(*shape, seed=seed) for seed, shape in enumerate(CASES[name])]
    return CALLS.get(name, getattr(losses, name)), tensors


def test_every_loss_has_a_case():
    assert list(CASES) == losses.__all__


@every
@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
def test_half_precision_is_computed_in_float32(name, dtype):
    loss, tensors = case(name)
    half = [tf.cast(x, dtype) for x in tensors]
    result, expected = loss(*half), loss(*[tf.cast(x, tf.float32) for x in half])
    assert result.dtype == tf.float32
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@every
def test_a_graph_of_any_batch_size_computes_the_same(name):
    loss, tensors = case(name)
    specs = [tf.TensorSpec([None, *x.shape[1:]] if x.ndim > 1 else x.shape, tf.float32) for x in tensors]
    graph = tf.function(loss, input_signature=specs, jit_compile=False)
    np.testing.assert_allclose(graph(*tensors), loss(*tensors), rtol=1e-5, atol=1e-6)


@every
def test_doubles_of_numpy_are_taken(name):
    loss, tensors = case(name)
    np.testing.assert_allclose(loss(*[x.astype(np.float64) for x in tensors]), loss(*tensors), rtol=1e-6)


@pytest.mark.parametrize("name", sorted(set(CASES) - {"w_mse"}))  # collapsed features have no whitening
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_collapsed_features_give_finite_values_and_gradients(name, value):
    loss, tensors = case(name)
    result, found = gradients(loss, *[np.full_like(x, value) for x in tensors])
    assert np.isfinite(result).all() and all(np.isfinite(g).all() for g in found)
