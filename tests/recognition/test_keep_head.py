"""Layers of a pretrained projector that stay are below the head, learn with it, and are read and taught with."""

import numpy as np

from seqclr import cli
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from seqclr.nn.heads import hidden_weights
from seqclr.recognition.recognizer import Recognizer
from tests.small_runs import SMALL


def arrays_of(run) -> dict[str, np.ndarray]:
    return Run.open(run).best()[1]


def test_hidden_layers_with_batch_norm_are_found():
    for name, hidden in {"simclr": 1, "simclr_v2": 2, "byol": 1, "moco": 0, "moco_v2": 0, "curl": 0}.items():
        method = METHODS[name]()
        method.build(build_encoder("tiny", 16, 64, "none"))
        found = hidden_weights(checkpoints.snapshot(method.parts()), "projector", 9)
        assert len(found) == 5 * hidden, name
        for a, b in zip(found, method.projector.weights):
            np.testing.assert_array_equal(a, b)


def test_the_first_layer_of_a_projector_stays_and_is_read_with(pages, pretrained, tmp_path, eagerly):
    words = ["finetune", "--data", str(pages), *SMALL, "--steps", "1", "keep_head=1"]
    run, again = str(tmp_path / "run"), str(tmp_path / "again")
    assert cli.main([*words, "--output", run, "--pretrained", str(pretrained), "learning_rate=0"]) == 0
    before, after = hidden_weights(arrays_of(pretrained), "projector", 1), hidden_weights(arrays_of(run), "head", 1)
    for a, b in zip(before[:3], after[:3], strict=True):  # statistics move
        np.testing.assert_array_equal(a, b)
    recognizer = Recognizer.load(run)
    kernels = [v.shape[-1] for v in recognizer.head.weights if "kernel" in v.path]
    assert kernels == [256, 64, len(recognizer.charset) + 1]
    found = {"head": recognizer.head}
    assert all((a == b).all() for a, b in zip(checkpoints.snapshot(found).values(), after))
    assert cli.main([*words, "--output", again, "--pretrained", run]) == 0
    assert cli.main([*words, "--output", again, "--pretrained", run, "--resume"]) == 0


def test_what_cannot_stay_is_refused(pages, pretrained, reader, tmp_path, capsys):
    words = ["finetune", "--data", str(pages), *SMALL, "--output", str(tmp_path / "run")]
    for keys, told in (
        (["keep_head=1"], "keep_head 1: set pretrained to the run"),
        (["keep_head=2", f"pretrained={pretrained}"], "has 1 hidden layers with batch norm in its projector"),
        (["keep_head=1", f"pretrained={reader}", "dropout=0"], "was trained with keep_head=0: set the same"),
        (["keep_head=-1"], "keep_head -1: at least 0"),
    ):
        assert cli.main([*words, *keys]) == 2
        assert told in capsys.readouterr().err and not (tmp_path / "run").exists()
