"""The PyTorch network of benchmarks/reader_torch.py is that of the reader in the package."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from seqclr.readers import FOLDER
from seqclr.recognition.recognizer import Recognizer

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# in a process of its own: TensorFlow and PyTorch do not bear each other in one
THEIRS = """
import sys
import numpy as np
import torch
from reader_torch import Reader
folder, checkpoint = sys.argv[1:]
arrays = {name: array.astype(np.float32) if array.dtype == np.float16 else array
          for name, array in np.load(checkpoint).items()}
network = Reader(32, 45, 0.1)
network.read(arrays)
written = network.write(arrays)
assert all((array == written[name]).all() for name, array in arrays.items())
with torch.no_grad():
    images = torch.from_numpy(np.load(folder + "/images.npy")).permute(0, 3, 1, 2) / 127.5 - 1
    np.save(folder + "/theirs.npy", network.eval()(images).numpy())
"""


def test_both_networks_give_equal_logits(tmp_path):
    if not importlib.util.find_spec("torch"):
        pytest.skip("PyTorch is not installed (extra [bench])")
    reader = Recognizer.load(FOLDER / "captcha")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 128, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    words = [sys.executable, "-c", THEIRS, tmp_path, FOLDER / "captcha" / "checkpoints" / "best.npz"]
    subprocess.run([*map(str, words)], cwd=BENCHMARKS, check=True)
    ours = np.asarray(reader.head(reader.encoder(images)[0]))
    np.testing.assert_allclose(np.load(tmp_path / "theirs.npy"), ours, atol=1e-3)
