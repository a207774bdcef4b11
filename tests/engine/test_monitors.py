"""The figures against what can be worked out by hand, and the warnings against runs that deserve them or do not."""

import csv
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import messages
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.loader import Loader
from seqclr.engine.callbacks import standard
from seqclr.engine.monitors import FAULTS, Monitors, measure
from seqclr.methods.base import Instances
from seqclr.methods.distillation import simsiam
from tests.engine import tiny

N, T, D = 40, 12, 16


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


# figures


def test_features_that_are_all_one_have_no_spread():
    figures = measure(np.broadcast_to(normal(D), (N, T, D)))
    assert figures["spread"] < 1e-3 and figures["rank"] == pytest.approx(1, abs=0.05)
    assert figures["image_variance"] < 1e-6


def test_isotropic_features_are_spread_over_all_dimensions():
    figures = measure(normal(400, T, D), projections=normal(400, T, 4, seed=1))
    assert figures["spread"] == pytest.approx(1, abs=0.02)
    assert figures["rank"] == pytest.approx(D, rel=0.01)
    assert figures["projection_spread"] == pytest.approx(1, abs=0.02)
    assert figures["projection_rank"] == pytest.approx(4, rel=0.01)
    assert figures["image_variance"] == pytest.approx(1, abs=0.02)
    assert figures["position_share"] == pytest.approx(1 / 400, rel=0.2)  # what the mean of 400 keeps of noise
    assert figures["image_share"] == pytest.approx(1 / T, rel=0.1)


def test_a_code_of_the_position_is_explained_by_it_and_no_spread_over_the_images():
    figures = measure(np.broadcast_to(normal(1, T, D), (N, T, D)))
    assert figures["position_share"] == pytest.approx(1) and figures["image_share"] < 1e-6
    assert figures["spread"] < 1e-3 and figures["rank"] > 5


def test_a_code_of_the_image_is_explained_by_it():
    figures = measure(np.broadcast_to(normal(N, 1, D), (N, T, D)))
    assert figures["image_share"] == pytest.approx(1) and figures["position_share"] < 1e-6
    assert figures["spread"] == pytest.approx(1, abs=0.05)


def test_shares_are_those_of_an_analysis_of_variance():
    """Scalars 0 2 / 4 10: mean 4, squares 56; means of columns 2 and 6, of rows 1 and 7."""
    x = np.array([[0.0, 2.0], [4.0, 10.0]])[..., None]
    figures = measure(x)
    assert figures["position_share"] == pytest.approx(16 / 56) and figures["image_share"] == pytest.approx(36 / 56)
    assert figures["image_variance"] == pytest.approx((4 + 16) / 2)  # of 0 and 4, of 2 and 10


def test_rank_of_two_even_directions_is_two():
    x = np.zeros((N, T, D))
    x[::2, :, 0], x[1::2, :, 1] = 3, 3
    assert measure(x)["rank"] == pytest.approx(2, rel=1e-3)


def test_padding_does_not_count():
    x, mask = normal(N, T, D), np.arange(T) < np.arange(N)[:, None] % T + 1
    spoiled = np.where(mask[..., None], x, 1e3)
    assert measure(spoiled, mask=mask) == pytest.approx(measure(np.where(mask[..., None], x, 0), mask=mask), rel=1e-3)
    whole = np.broadcast_to(np.arange(T) < 5, (N, T))
    assert measure(x, x, whole) == pytest.approx(measure(x[:, :5], x[:, :5]), rel=1e-4)


def test_pairs_by_hand():
    """Two pages, one instance each: e1 with e1, e2 with (e1 + e2) / sqrt 2."""
    half = np.sqrt(0.5)
    pairs = Instances(np.eye(2), np.array([[5.0, 0], [half, half]]), np.array([7, 9]), np.zeros(2, int))
    figures = measure(normal(N, T, D), instances=pairs)
    assert figures["positive"] == pytest.approx((1 + half) / 2)
    assert figures["alignment"] == pytest.approx((0 + 2 - 2 * half) / 2, rel=1e-5)
    assert figures["negative"] == pytest.approx((half + 0) / 2)
    expected = np.log((np.exp(-2 * (2 - 2 * half)) + np.exp(-4)) / 2)
    assert figures["uniformity"] == pytest.approx(expected, rel=1e-5)


def test_uniformity_leaves_instances_of_the_same_image_out():
    pairs = Instances(normal(30, D), normal(30, D, seed=1), np.repeat(0, 30), np.arange(30))
    assert "uniformity" not in measure(normal(N, T, D), instances=pairs)


def test_one_frame_an_image_is_bound_to_no_position_and_no_image():
    """Not even where all that differs is rounding."""
    figures = measure(np.full((N, 1, D), 0.1) + 1e-4)
    assert "position_share" not in figures and "image_share" not in figures
    figures |= {"projection_spread": 1, "projection_rank": 1}
    assert not any(fault.holds(figures, figures) for fault in FAULTS.values())
    assert measure(normal(N, 1, D))["image_variance"] == pytest.approx(1, abs=0.1)


def test_figures_of_what_is_not_finite_are_not_and_nothing_holds():
    figures = measure(np.full((N, T, D), np.nan), np.full((N, T, D), np.nan))
    assert np.isnan(figures["rank"])
    assert not any(fault.holds(figures, figures) for fault in FAULTS.values())


# the callback


def watched(folder, method, records, half=False, **keys):
    """A trainer on the records that are given, with all that looks at it, and its monitors among these; of 100
    steps the first `half` alone, in one round, of an encoder that is offered: the thresholds are of such."""
    job = tiny.trainer(folder, method, **({"encoder": "tiny"} if half else {}), **keys)
    job.loader = Loader(records, job.method.make_transform(job.config.views), job.config.batch_size, 0, 0)
    if half:
        job.total = job.round = 50
    monitors = Monitors(job.method, records, job.config.views, 0)
    job.callbacks += [monitors, *standard(job.run, job.config)]
    return job, monitors


def read(job) -> list[dict[str, str]]:
    with open(job.run.metrics_file, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.slow
def test_resumed_is_uninterrupted(tmp_path, eagerly):
    """The rows of metrics.csv, and what was told."""
    keys = {"steps": 6, "checkpoint_every": 2}
    whole, _ = watched(tmp_path / "whole", "simclr", tiny.pages(), **keys)
    whole.fit()
    first, monitors = watched(tmp_path / "parts", "simclr", tiny.pages(), **keys)
    monitors.reported.append("low-rank")
    first.total = 4
    first.fit()
    second, monitors = watched(tmp_path / "parts", "simclr", tiny.pages(), **keys)
    second.resume()
    second.fit()
    assert monitors.reported == ["low-rank"]
    rows, expected = read(second), read(whole)
    assert len(rows) == 2 and float(rows[1]["monitor/spread"]) > 0 and rows[1]["warning"] == ""
    assert rows == expected


def test_a_look_changes_nothing(tmp_path, eagerly):
    job, monitors = watched(tmp_path / "run", "simsiam", tiny.pages(), steps=2)
    before = tiny.weights(job)
    assert monitors.look() == monitors.look()
    for (name, a), b in zip(before.items(), tiny.weights(job).values(), strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


def test_the_screen_shows_the_plain_figures_and_the_curves_have_a_picture_a_group(tmp_path, capsys, eagerly, curves):
    job, _ = watched(tmp_path / "run", "simclr", tiny.pages(), steps=2)
    with messages.on_console():
        job.fit()
    out = capsys.readouterr().out
    assert out.startswith("step 2  passes") and "monitor" not in out
    assert {path.name for path in job.run.plots.iterdir()} == {"metrics.png", "monitor.png"}


def test_padded_lines_and_tensorboard(tmp_path, eagerly):
    pytest.importorskip("tensorboard")
    job, _ = watched(tmp_path / "run", "simclr", tiny.pages(padded=True), steps=2, resize="pad", tensorboard=True)
    job.fit()
    assert 0 < float(read(job)[-1]["monitor/position_share"]) < 1


@pytest.mark.slow
def test_a_method_without_projections(tmp_path, eagerly):
    job, monitors = watched(tmp_path / "run", "masked", tiny.pages(), steps=2)
    job.fit()
    assert "monitor/spread" in read(job)[-1] and "monitor/positive" not in read(job)[-1]
    monitors.before["rank"] = 1e9
    assert monitors.warn(monitors.look()) == ["low-rank"]


@pytest.mark.slow
def test_simsiam_without_its_stop_gradient_is_called_collapsed(tmp_path, monkeypatch, caplog):
    """At step 50 of 100, once; with it nothing is said."""
    samples = find_unlabelled([str(Path(__file__).parents[2] / "data_samples")])
    records = ImageDataset(samples, 32, 128, "stretch")
    keys = {"half": True, "steps": 100, "batch_size": 16, "height": 32, "width": 128}
    job, monitors = watched(tmp_path / "stopped", "simsiam", records, **keys)
    job.fit()
    assert monitors.reported == [] and "collapsed" not in caplog.text
    monkeypatch.setattr(simsiam, "negative_cosine", lambda p, z: tf.reduce_mean(keras.losses.cosine_similarity(p, z)))
    job, monitors = watched(tmp_path / "not stopped", "simsiam", records, **keys)
    job.fit()
    assert caplog.text.count("collapsed: every image") == 1
    assert "collapsed" in read(job)[-1]["warning"].split()


@pytest.mark.slow
def test_where_nothing_can_be_read_the_position_is_learned_unless_the_negatives_share_it(tmp_path, caplog):
    """Images of noise, in views that add more: the position of a frame is all that its two views have in common."""
    rng = np.random.default_rng(0)
    noise = [{"image": rng.integers(200, 256, (16, 64, 3)).astype(np.uint8), "index": np.int32(i)} for i in range(32)]
    views = tmp_path / "views.yaml"
    views.write_text("- {name: GaussNoise, std_range: [0.3, 0.3], p: 1}\n")
    keys = {"half": True, "steps": 100, "views": str(views), "learning_rate": 2e-3}
    job, monitors = watched(tmp_path / "learned", "simclr", noise, positions="learned", **keys)
    job.fit()
    assert "position-bound" in monitors.reported and "of the variance" in caplog.text
    job, monitors = watched(tmp_path / "position", "simclr", noise, negatives="position", **keys)
    job.fit()
    assert "position-bound" not in monitors.reported


@pytest.mark.slow
@pytest.mark.parametrize(("negatives", "warnings"), [("position", ["image-bound"]), ("all", [])])
def test_negatives_of_the_same_position_make_it_follow_the_image(tmp_path, negatives, warnings):
    """With them the image's share rose by 0.29 to 0.38 over three seeds, and more than 0.25 is reported."""
    keys = {"negatives": negatives, "batch_size": 16, "steps": 100}
    job, monitors = watched(tmp_path / "run", "simclr", tiny.pages(), True, **keys)
    job.fit()
    assert monitors.reported == warnings
