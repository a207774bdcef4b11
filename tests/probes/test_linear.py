"""The linear probe, and what probes of classes share."""

import numpy as np
import pytest

from seqclr.engine import checkpoints
from seqclr.errors import UserError
from seqclr.nn.encoders import build_encoder
from seqclr.probes import probing
from seqclr.probes.knn import KNNProbe
from seqclr.probes.linear import LinearProbe
from tests.probes import pictures


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    return pictures.write(tmp_path_factory.mktemp("pictures"))


def accuracy(cls, samples, encoder, **options):
    probe = cls(samples[:39], samples[39:], pictures.CONFIG, **options)
    return probe.evaluate(probe.predict(encoder, "transformer"))["accuracy"]


@pytest.mark.parametrize(("cls", "options"), [(LinearProbe, {"steps": 100}), (KNNProbe, {"k": 5})])
def test_what_can_be_told_apart_is_and_noise_is_not(samples, cls, options):
    assert accuracy(cls, samples, pictures.Colours(), **options) == 1
    assert accuracy(cls, samples, pictures.Noise(), **options) < 0.65


def test_it_separates_by_directions_of_small_variance(samples):
    """What neighbours cannot see: the class is in one small feature, the rest is large noise."""
    draw = np.random.default_rng(0)
    probe = LinearProbe(samples[:39], samples[39:], pictures.CONFIG, steps=300)
    truth = np.arange(60) % 3
    x = draw.normal(0, 100, (60, 8)).astype(np.float32)
    x[:, 0] = 1e-2 * (truth == 0)
    x[:, 1] = 1e-2 * (truth == 1)
    assert probe.classes.tolist() == ["blue", "green", "red"]
    found = probe.classes[probe.classify(x[:39], x[39:], 0)]
    assert np.mean(found == [sample.text for sample in samples[39:]]) > 0.9
    nearest = KNNProbe(samples[:39], samples[39:], pictures.CONFIG, k=1)
    assert np.mean(nearest.classes[nearest.classify(x[:39], x[39:], 0)] == found) < 0.65


@pytest.mark.parametrize("cls", [LinearProbe, KNNProbe])
def test_the_encoder_is_not_touched(samples, cls):
    encoder = build_encoder("resnet9", 16, 16, "none")
    encoder(np.zeros((2, 16, 16, 3), np.uint8), training=True)  # batch statistics that are not those of the start
    before = checkpoints.snapshot({"encoder": encoder})
    probe = cls(samples[:39], samples[39:], pictures.CONFIG)
    probe.steps = 5
    for layer in ("transformer", "cnn"):
        assert probe.predict(encoder, layer) == probe.predict(encoder, layer)
    for (name, a), b in zip(before.items(), checkpoints.snapshot({"encoder": encoder}).values()):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_figures_in_all_and_per_source(samples):
    held = [*samples[39:42], samples[42].__class__("other", samples[42].file, "violet")]
    probe = KNNProbe(samples[:39], held, pictures.CONFIG)
    figures = probe.evaluate(["red", "green", "red", "red"])
    assert (figures["samples"], figures["accuracy"], figures["classes"]) == (4, 0.5, 3)
    assert figures["sources"]["pictures"] == {"samples": 3, "accuracy": pytest.approx(2 / 3)}
    assert figures["sources"]["other"] == {"samples": 1, "accuracy": 0}
    lines = probe.table(figures).splitlines()
    assert len(lines) == 4 and lines[-1].split() == ["all", "4", "0.5000"]


def test_rows_that_cannot_be_probed_with(samples):
    with pytest.raises(UserError, match="all training labels are 'red': at least two"):
        KNNProbe(samples[:30:3], samples[30:], pictures.CONFIG)
    with pytest.raises(UserError, match=r"39.png has the label 'red': no evaluation sample .* use kind ctc for texts"):
        KNNProbe([e for e in samples if e.text != "red"], samples[39::3], pictures.CONFIG)
    with pytest.raises(UserError, match="too few labels for a probe: 0 for training"):
        KNNProbe([], samples, pictures.CONFIG)


def test_the_kind_follows_the_encoder():
    assert probing.find_kind(None, "tiny").kind == "ctc" and probing.find_kind(None, "resnet9").kind == "knn"
    assert probing.find_kind("linear", "tiny").kind == "linear"
    with pytest.raises(UserError, match="probe_kind 'svm' is not known: ctc, linear, knn"):
        probing.find_kind("svm", "tiny")
    with pytest.raises(UserError, match="a ctc probe needs an encoder of lines, and resnet9 is one of images: use knn"):
        probing.find_kind("ctc", "resnet9")
