"""Every method trains on lines, with its default settings, in every precision without a number that is not finite."""

import numpy as np
import pytest

from seqclr.methods import METHODS
from tests.engine import tiny

ON_LINES = [name for name, cls in METHODS.items() if not cls.facts.needs_images and name != "mae"]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize("name", ON_LINES)
def test_all_stays_finite(tmp_path, eagerly, name, precision):
    keys = {**METHODS[name].line_defaults, **tiny.lines(name), "precision": precision, "steps": 3}
    job = tiny.trainer(tmp_path / "run", name, **keys)
    figures = job.fit()  # TrainingFailed at the first that is not finite
    assert figures["loss"] != 0
    for weight, array in tiny.weights(job).items():
        assert np.isfinite(np.asarray(array, np.float64)).all(), weight
