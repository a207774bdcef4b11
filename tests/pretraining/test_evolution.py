"""The search for weights, and its criterion."""

import csv
import json
import shutil
import sys

import numpy as np
import pytest

import seqclr
from seqclr import cli
from seqclr.errors import UserError
from seqclr.pretraining.evolution import Candidate, relative, search, zipf_divergence
from tests.small_runs import SMALL, run, untraced


def test_the_divergence_is_0_of_zipfs_law_and_that_of_the_formula_elsewhere():
    assert zipf_divergence([20, 60, 30, 15, 12]) == pytest.approx(0)  # in any order
    law = np.array([1, 1 / 2, 1 / 3]) / (1 + 1 / 2 + 1 / 3)
    assert zipf_divergence([1, 1, 1]) == pytest.approx(np.mean(np.log(1 / 3 / law)))
    assert zipf_divergence([0, 7, 0]) == pytest.approx(np.log(1 / law[0]))


def far(weights):
    """Least where the second weight is four times the first, and the third half of it."""
    return float(np.sum(np.diff(np.log(weights) - np.log([1.0, 4.0, 0.5])) ** 2))


def test_the_search_finds_the_weights():
    found = search(far, 3, generations=30, population=8, seed=1)
    assert found[0] == Candidate(0, far((1.0, 1.0, 1.0)), (1.0, 1.0, 1.0)) and len(found) == 241
    best = min(found, key=lambda candidate: candidate.divergence)
    np.testing.assert_allclose(best.weights, relative(np.log([1.0, 4.0, 0.5])), rtol=0.05)
    assert all(np.mean(candidate.weights) == pytest.approx(1) for candidate in found)


def test_a_resumed_search_is_the_uninterrupted_one_and_evaluates_nothing_again():
    whole, seen = search(far, 3, 4, 5, seed=2), []
    resumed = search(lambda weights: seen.append(weights) or far(weights), 3, 4, 5, seed=2, past=whole[:8])
    assert resumed == whole and len(seen) == len(whole) - 8
    with pytest.raises(UserError, match="of another seed or population"):
        search(far, 3, 4, 5, seed=3, past=whole[:8])


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_and_its_weights_are_a_configuration(tmp_path, pages, capsys):
    words = ["--method", "rotation+masked", "--data", pages, *SMALL, "steps=1", "--population", 4, "--generations", 1]
    words += ["--criterion-clusters", 4]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    with untraced():
        run("evolve", "--output", whole, *words, "--json", tmp_path / "figures.json")
        shutil.copytree(whole, parts)
        lines = (whole / "evolution.csv").read_text().splitlines(keepends=True)
        (parts / "evolution.csv").write_text("".join(lines[:3]))
        run("evolve", "--output", parts, *words, "--resume")
        weights = ["--config", parts / "weights.yaml", "--data", pages, "--output", tmp_path / "run", "--steps", 1]
        run("pretrain", *weights, *SMALL)
    assert (parts / "evolution.csv").read_text() == "".join(lines)
    rows = list(csv.DictReader(lines))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert len(rows) == 5 and figures["divergence"] == min(float(row["divergence"]) for row in rows)
    capsys.readouterr()
    refused = {"steps=3": "steps 3: ", "seed=1": "seed 1: ", "criterion_images=5": "criterion_images 5: "}
    for more, message in refused.items():
        assert cli.main([str(word) for word in ("evolve", "--output", parts, *words, more, "--resume")]) == 2
        assert message in capsys.readouterr().err


def test_without_the_extra_nothing_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "cmaes", None)
    with pytest.raises(UserError, match="evolve needs cmaes, which is not installed: install the extra 'evolve'"):
        seqclr.evolve(tmp_path, "simclr+masked", tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "simclr"], "method 'simclr' is a single one: give several, as simclr+masked"),
        (["--method", "simclr+masked", "weights=simclr:1"], "weights simclr:1: leave it out, as evolve finds them"),
        (["--method", "simclr+masked", "probe=x"], "probe x: leave it out, as evolve has none"),
        (["--method", "simclr+masked", "--population", "3"], "population 3: at least 4"),
        (["--method", "simclr+masked", "--criterion-clusters", "50"], "criterion_clusters 50: 2 to 20, the number of"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(tmp_path, pages, capsys, words, message):
    line = ["evolve", "--output", tmp_path / "run", "--data", pages, *SMALL, "steps=2", *words]
    with untraced():
        assert cli.main([str(word) for word in line]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "run").exists()
