"""The PyTorch network of benchmarks/reader_torch.py is that of the reader in the package, and the methods of
benchmarks/pretraining_torch.py have the losses of the package."""

import dataclasses
import importlib.util
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
import yaml

from seqclr.engine import checkpoints
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from seqclr.readers import FOLDER
from seqclr.recognition.recognizer import Recognizer

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
# in a process of its own: TensorFlow and PyTorch do not bear each other in one
LOGITS = """
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


LOSS = """
import sys
import numpy as np
import torch
import yaml
from pathlib import Path
from pretraining_torch import Training
run, examples = sys.argv[1:]
batch = {name: torch.from_numpy(array) for name, array in np.load(examples).items()}
training = Training(yaml.safe_load((Path(run) / "config.yaml").read_text()), Path(run), "cpu")
training.encoder.eval()
training.method.eval()
print(training.method(training.encoder, batch).item())
"""


def theirs(script: str, *words: object) -> str:
    """What a script with PyTorch prints."""
    if not importlib.util.find_spec("torch"):
        pytest.skip("PyTorch is not installed (extra [bench])")
    words = [sys.executable, "-c", script, *words]
    return subprocess.run([*map(str, words)], cwd=BENCHMARKS, check=True, capture_output=True, text=True).stdout


def test_both_networks_give_equal_logits(tmp_path):
    reader = Recognizer.load(FOLDER / "captcha")
    images = np.random.default_rng(0).integers(0, 256, (4, 32, 128, 3), np.uint8)
    np.save(tmp_path / "images.npy", images)
    theirs(LOGITS, tmp_path, FOLDER / "captcha" / "checkpoints" / "best.npz")
    ours = np.asarray(reader.head(reader.encoder(images)[0]))
    np.testing.assert_allclose(np.load(tmp_path / "theirs.npy"), ours, atol=1e-3)


@pytest.mark.parametrize("name", ["simclr", "simsiam", "masked_simclr"])
def test_the_losses_are_equal(name, tmp_path):
    keras.utils.set_random_seed(0)
    method = METHODS[name](frames="frames:2", correspondence="geometry", layer="cnn")
    method.build(build_encoder("fast", 32, 128, "convolutional"))
    rng = np.random.default_rng(0)
    batch = {
        "views": rng.integers(0, 256, (6, 2, 32, 128, 3), np.uint8),
        "geometry": np.tile(rng.uniform([0.7, -0.2], [1.3, 0.2], (6, 2, 2)), 2).astype(np.float32),
        "index": np.arange(6, dtype=np.int32),
        "hidden": rng.random((6, 2, 128)) < 0.3,
        "originals": rng.integers(0, 256, (6, 2, 32, 128), np.uint8),
    }
    np.savez(tmp_path / "batch.npz", **batch)
    checkpoints.save(tmp_path / "checkpoints" / "step-1.npz", checkpoints.snapshot(method.parts()), {})
    config = {"method": name, "height": 32, "dropout": 0.1, "learning_rate": 0.0, "weight_decay": 0.0}
    config |= {"warmup": 0.1, "clip": 1.0, **dataclasses.asdict(method)}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    loss = method.loss({name: tf.constant(array) for name, array in batch.items()}, training=False)["loss"]
    penalty = sum(tf.add_n(part.losses) for part in method.parts().values() if part.losses)
    assert float(theirs(LOSS, tmp_path, tmp_path / "batch.npz")) == pytest.approx(float(loss + penalty), rel=1e-3)
