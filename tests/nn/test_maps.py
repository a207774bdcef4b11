"""How large an answer is, and the means of parts."""

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn.encoders import build_encoder
from seqclr.nn.maps import output_size, shrunk

pytestmark = pytest.mark.usefixtures("least_networks")


def test_the_answer_has_a_quarter_of_the_side_and_parts_are_averaged():
    assert output_size(build_encoder("resnet9", 32, 24, "none")) == (8, 6)
    assert output_size(build_encoder("least_picture", 16, 12, "none")) == (8, 6)
    x = tf.constant(np.random.default_rng(0).normal(size=(2, 7, 4, 1)).astype(np.float32))
    found = shrunk(x, (3, 2)).numpy()
    rows = [x[:, 0:3], x[:, 2:5], x[:, 4:7]]  # parts that do not come out even share a row
    expected = [[np.mean(row[:, :, a : a + 2], (1, 2)) for a in (0, 2)] for row in rows]
    np.testing.assert_allclose(found[..., 0], np.array(expected)[..., 0].transpose(2, 0, 1), atol=1e-6)
