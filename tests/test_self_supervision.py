"""The benchmark of self-supervision: its arms are configurations that exist, no arm is better within the spread, and
pretrainings follow one another, are shared and are mixed as they should be."""

import keras
import numpy as np
import pytest
import self_supervision as benchmark

from seqclr.config import AdaptConfig, FinetuneConfig, PretrainConfig, resolve
from seqclr.data.charset import Charset
from seqclr.engine import checkpoints, setup
from seqclr.engine.run import Run
from seqclr.methods import METHODS
from seqclr.methods.text.adaptation import Adaptation
from seqclr.methods.text.ctc import CTC, ctc_head
from seqclr.nn.encoders import build_encoder
from seqclr.recognition.recognizer import Recognizer


def predicts_text(arm):
    """Whether the last pretraining of an arm, or that of all but the CNN, predicts text; a released reader does."""
    stages = benchmark.ARMS[arm.mixed[1]].pretrain if arm.mixed else arm.pretrain
    return METHODS[stages[-1]["method"]]().charset is not None if stages else True


@pytest.mark.parametrize("name", benchmark.ARMS)
def test_an_arm_is_compared_with_its_start_and_has_keys_that_exist(name):
    arm = benchmark.ARMS[name]
    assert arm.against is None or arm.against in benchmark.ARMS and ("new" in name) == ("new" in arm.against)
    resolve(*((AdaptConfig, Adaptation) if arm.adapted else (FinetuneConfig, CTC)), [arm.keys])
    for keys in arm.pretrain:
        method = METHODS[keys["method"]]
        setup.check(resolve(PretrainConfig, method, [keys]), method)
    if arm.adapted:
        assert predicts_text(arm)
    if arm.mixed:
        assert arm.against in arm.mixed and all(benchmark.ARMS[other].pretrain for other in arm.mixed)


def rows(*accuracies):
    return {seed: {"edit_distance_accuracy": accuracy} for seed, accuracy in enumerate(accuracies)}


def test_a_difference_within_the_spread_is_none():
    base = rows(0.90, 0.92)  # spread 0.0141 of an error of 0.09
    assert benchmark.compare(rows(0.91, 0.92), base) == ["0.94", "0.18", "within the spread"]
    assert benchmark.compare(rows(0.95, 0.95), base) == ["0.56", "0.16", "better"]
    assert benchmark.compare(rows(0.87, 0.87), base) == ["1.44", "0.16", "worse"]
    assert benchmark.compare(rows(0.95), base) == ["0.50", "-", "one seed"]


class Commands(benchmark.Benchmark):
    """The benchmark, whose commands are only kept; a step takes a hundredth of the time."""

    def __init__(self, folder, monkeypatch):
        super().__init__(folder / "output", 1)
        self.site, self.commands = folder / "cap_site", []
        self.site.mkdir()
        (self.site / "labels.csv").write_text("file,text,split\n1.png,ab,train\n")
        monkeypatch.setattr(benchmark, "seqclr", self.command)
        monkeypatch.setattr(benchmark, "measure", lambda *arguments: {"kind": arguments[0], "keys": arguments[-1]})

    def command(self, *words):
        self.commands.append(list(map(str, words)))
        words[words.index("--output") + 1].mkdir(parents=True)

    def steps(self, name, arguments, share):
        return round(100 * share)

    def trained(self, name):
        """How the cell of an arm is trained, and the commands before, of which each is given with its output."""
        before = len(self.commands)
        cell = self.cell(name, 20, 0, self.site)
        return cell, [(words, words[words.index("--output") + 1]) for words in self.commands[before:]]


def test_pretrainings_follow_one_another_and_halve_the_time(tmp_path, monkeypatch):
    commands = Commands(tmp_path, monkeypatch)
    cell, ((first, start), (second, end)) = commands.trained("new simclr then generated")
    assert {"method=simclr", "encoder=fast", "steps=25"} <= set(first) and start != end
    assert {"method=generated", f"init={start}", "steps=25"} <= set(second)
    assert not any(word.startswith("init=") for word in first)
    assert cell == {"kind": "adapted", "keys": [f"model={end}", "steps=50"], "steps": 50}
    assert commands.trained("new simclr then generated") == (cell, [])


def test_the_same_pretraining_is_done_once(tmp_path, monkeypatch):
    commands = Commands(tmp_path, monkeypatch)
    cell, ((_, run),) = commands.trained("new simclr")
    assert cell["kind"] == "scratch" and cell["keys"] == [f"pretrained={run}", "steps=50"]
    other, none = commands.trained("new simclr encoder_rate")
    assert not none and other["keys"] == ["encoder_rate=0.3", f"pretrained={run}", "steps=50"]
    assert len(commands.trained("new simclr transformer")[1]) == 1


def test_mixed_arms_use_the_pretrainings_of_others(tmp_path, monkeypatch):
    commands, mixed = Commands(tmp_path, monkeypatch), []

    def mix(*folders):
        mixed.append(folders)
        folders[-1].mkdir(parents=True)

    monkeypatch.setattr(benchmark, "mix", mix)
    cell, ((contrast, first), (generated, second)) = commands.trained("reader mixed cnn")
    assert "method=generated_simclr" in contrast and "method=generated" in generated
    assert [str(folder) for folder in mixed[0][:2]] == [first, second]
    assert cell["keys"] == [f"model={mixed[0][2]}", "steps=50"]
    assert commands.trained("reader mixed transformer")[1] == []
    assert [str(folder) for folder in mixed[1][:2]] == [second, first] and mixed[1][2] != mixed[0][2]


def written(folder, seed):
    """A run that reads a and b, its encoder and its head."""
    keras.utils.set_random_seed(seed)
    run, size = Run(folder), {"encoder": "least", "height": 16, "width": 64}
    run.create(resolve(PretrainConfig, METHODS["generated"], [size]))
    Charset("ab").save(run.charset_file)
    encoder, rng = build_encoder("least", 16, 64, "convolutional", 0.1, 3), np.random.default_rng(seed)
    parts = {"encoder": encoder, "head": ctc_head(encoder.dim, 3, 0.1), "projector": ctc_head(4, 3, 0.1)}
    for variable in (*encoder.trainable_variables, *parts["head"].trainable_variables):
        variable.assign(variable + rng.uniform(0, 0.1, variable.shape))  # biases differ too
    state = {"step": 1, "loader": {}, "callbacks": {}}
    checkpoints.save(run.checkpoints / "best.npz", checkpoints.snapshot(parts), state)
    return encoder, parts["head"]


def test_a_mixed_run_has_the_cnn_of_one_and_all_else_of_the_other(tmp_path, least_networks):
    (first, _), (second, head) = written(tmp_path / "a", 1), written(tmp_path / "b", 2)
    benchmark.mix(tmp_path / "a", tmp_path / "b", tmp_path / "mixed")
    mixed = Recognizer.load(tmp_path / "mixed")
    images = np.random.default_rng(0).integers(0, 256, (2, 16, 64, 3)).astype(np.uint8)
    expected, found = (encoder(images, layer="cnn")[0].numpy() for encoder in (first, mixed.encoder))
    np.testing.assert_array_equal(found, expected)
    parts = [(encoder.positions, *encoder.transformer, encoder.norm) for encoder in (mixed.encoder, second)]
    for one, other in [(mixed.head, head), *zip(*parts, strict=True)]:
        for a, b in zip(one.trainable_variables, other.trainable_variables, strict=True):
            np.testing.assert_array_equal(a, b)
