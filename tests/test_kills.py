"""A run that is killed, three times and where it hurts most, ends as the one that was not."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

# `seqclr`, which kills itself before it gives a file the name that comes first in its arguments. Steps are not traced:
# there are too few.
DOOMED = """
import os, signal, sys
from pathlib import Path
import tensorflow as tf
from seqclr import cli
from tests import networks

replace = os.replace

def replace_or_die(beside, path):
    if Path(path).name == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(beside, path)

os.replace = replace_or_die
tf.config.run_functions_eagerly(True)
with networks.offered():
    sys.exit(cli.main(sys.argv[2:]))
"""


def arrays(file):
    with np.load(file) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.mark.slow  # as the resumed runs of tests/engine
def test_killed_is_not_killed(pages, tmp_path):
    """Rounds of four steps, a checkpoint after every three and every round."""

    def train(output, killed_at=""):
        keys = ["--deterministic", "--steps", "9", "--batch-size", "4", "checkpoint_every=3"]
        keys += ["height=16", "width=64", "processes=1", "precision=float32", "average=0.9", "encoder=least"]
        keys += ["--resume"] if output.exists() else []
        return subprocess.run(
            [sys.executable, "-c", DOOMED, killed_at, "finetune", "--data", pages, "--output", output, *keys],
            cwd=Path(__file__).parents[1],
            env={**os.environ, "TMPDIR": str(tmp_path)},
            capture_output=True,
            text=True,
        )

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    kills = {  # and what is there of checkpoints then
        "step-00000003.npz": ["step-00000003.npz.partial"],
        "step-00000008.npz": ["best.npz", "step-00000004.npz", "step-00000006.npz", "step-00000008.npz.partial"],
        "step-00000009.npz": ["best.npz", "step-00000006.npz", "step-00000008.npz", "step-00000009.npz.partial"],
    }
    with ThreadPoolExecutor() as pool:
        undisturbed = pool.submit(train, whole)
        for file, left in kills.items():
            assert train(parts, file).returncode == -signal.SIGKILL
            assert sorted(path.name for path in (parts / "checkpoints").iterdir()) == left
        for ended in (train(parts), undisturbed.result()):
            assert ended.returncode == 0, ended.stderr
    for name in ("metrics.csv", "decision.json"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes()
    names = sorted(path.name for path in (whole / "checkpoints").iterdir())
    assert names == sorted(path.name for path in (parts / "checkpoints").iterdir())
    for name in names:
        expected, found = (arrays(run / "checkpoints" / name) for run in (whole, parts))
        assert expected.keys() == found.keys()
        for key, array in expected.items():
            np.testing.assert_array_equal(array, found[key], err_msg=f"{name}: {key}")
