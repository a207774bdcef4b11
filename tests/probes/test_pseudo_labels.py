"""Clusters as labels, and a network that learns from them."""

import csv
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from seqclr import cli
from seqclr.config import PretrainConfig, resolve
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.methods import find_method
from seqclr.probes import pseudo_labels as module
from seqclr.probes.pseudo_labels import pseudo_labels
from seqclr.synthesis import generate
from tests.small_runs import SMALL, run, untraced


@pytest.fixture(scope="module")
def clustered(tmp_path_factory):
    """Pages, and a run that has a cluster for each."""
    folder = tmp_path_factory.mktemp("clustered")
    generate.generate(folder / "pages", 24, "digits", test=4, progress=False)
    words = ["--method", "sela", "clusters=4", "relabellings=2", "frames=all", "--steps", 3]
    with untraced():
        run("pretrain", "--data", folder / "pages", "--output", folder / "run", *words, *SMALL)
    return folder


def rows(file):
    with open(file, newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_clusters_of_a_run_are_written_and_learned_by_another_network(clustered, eagerly):
    run("pseudo-labels", "--model", clustered / "run", "--output", clustered / "own.csv")
    found = rows(clustered / "own.csv")
    assert len(found) == 20 and {row["text"] for row in found} <= set("0123")
    assert all((clustered / row["file"]).is_file() and row["split"] != "test" for row in found)
    words = [*SMALL, "--method", "classifier", "encoder=least_picture", "--steps", 2]
    run("pretrain", "--data", clustered / "own.csv", "--output", clustered / "student", *words)


def test_clusters_are_found_in_the_features_of_any_run(clustered, pretrained, pages):
    assert pseudo_labels(str(pretrained), str(clustered / "found.csv"), [str(pages)], count=3) == 3
    assert len(rows(clustered / "found.csv")) == 20


def test_images_with_depth_have_one_label_each(tmp_path, monkeypatch):
    for name in ("a.png", "a_depth.png", "b.png", "b_depth.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)
    Run(tmp_path / "run").create(
        resolve(PretrainConfig, find_method("split_brain"), [{"data": [str(tmp_path)], "channels": 4}])
    )
    monkeypatch.setattr(module, "_of_features", lambda run, config, samples, count, seed: np.arange(len(samples)))
    assert pseudo_labels(str(tmp_path / "run"), str(tmp_path / "found.csv"), count=2) == 2
    assert [row["file"] for row in rows(tmp_path / "found.csv")] == ["a.png", "b.png"]


@pytest.mark.parametrize("name", ["labels/labels", "sela.labels/labels", "labels"])
def test_clusters_are_found_in_checkpoints_of_methods_together_too(name):
    run = SimpleNamespace(
        folder="run", best=lambda: ("x.npz", {"head/kernel": np.zeros(3), name: np.array([[1], [2]])})
    )
    assert module._of_run(run, 2).tolist() == [1, 2]


def test_what_cannot_be_is_said_in_a_sentence(clustered, pretrained, pages, capsys):
    own = str(clustered / "x.csv")
    with pytest.raises(UserError, match="has no clusters of its own"):
        pseudo_labels(str(pretrained), own)
    with pytest.raises(UserError, match="needs the number of clusters to find in it, such as --clusters 10"):
        pseudo_labels(str(pretrained), own, [str(pages)])
    with pytest.raises(UserError, match="clusters 50: 2 to 20"):
        pseudo_labels(str(pretrained), own, count=50)
    assert cli.main(["pseudo-labels", "--model", str(clustered / "run"), "--output", "labels"]) == 2
    assert "does not end in .csv" in capsys.readouterr().err
