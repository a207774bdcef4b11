"""Clusters as labels, and a network that learns from them."""

import csv

import pytest

from seqclr import cli
from seqclr.errors import UserError
from seqclr.probes.pseudo_labels import pseudo_labels
from seqclr.synthesis import generate
from tests.small_runs import SMALL, run, untraced


@pytest.fixture(scope="module")
def clustered(tmp_path_factory, least_networks):
    """Pages, and a run that has a cluster for each."""
    folder = tmp_path_factory.mktemp("clustered")
    generate.generate(folder / "pages", 24, "digits", test=4, progress=False)
    words = ["--method", "sela", "clusters=4", "relabellings=2", "frames=all", "encoder=least", "--steps", 3]
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
    words = ["--method", "classifier", "encoder=least_picture", "--steps", 2]
    run("pretrain", "--data", clustered / "own.csv", "--output", clustered / "student", *words, *SMALL)


def test_clusters_are_found_in_the_features_of_any_run(clustered, pretrained, pages):
    assert pseudo_labels(str(pretrained), str(clustered / "found.csv"), [str(pages)], count=3) == 3
    assert len(rows(clustered / "found.csv")) == 20


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
