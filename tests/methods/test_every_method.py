"""Every method trains on lines in every precision without a number that is not finite."""

import numpy as np
import pytest

from seqclr.methods import METHODS
from tests.engine import tiny

SMALL = {
    "clique_cnn": {"cliques": 6, "clique_size": 4},
    "cmc": {"encoder": "least_lab"},
    "deep_cluster": {"clusters": 4},
    "dino": {"prototypes": 8},
    "moco": {"queue_size": 64},
    "moco_v2": {"queue_size": 64},
    "sela": {"clusters": 4, "relabellings": 2},
    "swav": {"prototypes": 8},
    "w_mse": {"projection_dim": 4, "whitening_size": 8},
}
ON_LINES = [name for name, cls in METHODS.items() if not cls.needs_pictures and name != "mae"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ON_LINES)
def test_all_stays_finite(tmp_path, eagerly, name, precision):
    job = tiny.trainer(tmp_path / "run", name, precision=precision, steps=3, **SMALL.get(name, {}))
    figures = job.fit()  # TrainingFailed at the first that is not finite
    assert figures["loss"] != 0
    for weight, array in tiny.weights(job).items():
        assert np.isfinite(np.asarray(array, np.float64)).all(), weight
