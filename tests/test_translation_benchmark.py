"""The benchmark of translation: its distance, its rows, and its table."""

import json
from pathlib import Path

import numpy as np
import pytest
import translation as benchmark


def test_the_frechet_distance_of_normal_distributions():
    """Of diagonal covariances it is the squared distance of the means and of the standard deviations."""
    rng = np.random.default_rng(0)
    one = rng.normal([0, 1, 2], [1, 2, 3], (200_000, 3))
    other = rng.normal([3, 1, 0], [2, 2, 1], (200_000, 3))
    assert benchmark.frechet(one, other) == pytest.approx(9 + 4 + 1 + 4, rel=0.02)
    assert benchmark.frechet(one, one) == pytest.approx(0, abs=1e-6)


def test_the_table_has_the_means_of_all_sites():
    row = {"distance": 1.0, "readable": 0.5, "reader": 0.25}
    results = {"a": {"train images": {"distance": 0.5}, "cut": row}, "b": {"cut": {**row, "reader": 0.75}}}
    assert benchmark.table(results).splitlines()[2:] == [
        "| train images | a | 0.500 |  |  |",
        "| cut | a | 1.000 | 0.500 | 0.250 |",
        "| cut | b | 1.000 | 0.500 | 0.750 |",
        "| cut | mean | 1.000 | 0.500 | 0.500 |",
    ]


def test_a_denoiser_cleans_the_images_that_are_read_and_trains_no_reader(tmp_path, monkeypatch):
    site, ran = tmp_path / "cap_site", []
    site.mkdir()
    (site / "labels.csv").write_text("file,text,split\na.png,12,train\nb.png,34,test\n")

    def command(verb, *words):
        ran.append((verb, *map(str, words)))
        if verb == "evaluate":
            Path(words[-1]).write_text(json.dumps({"exact_match": 0.5}))

    monkeypatch.setattr(benchmark, "seqclr", command)
    monkeypatch.setattr(benchmark.Benchmark, "generate", lambda self, site, folder: folder.mkdir(parents=True))
    monkeypatch.setattr(benchmark, "features", lambda *_: np.random.default_rng(0).normal(size=(9, 3)))
    rows = benchmark.Benchmark(tmp_path / "out", 5, 9, 7, []).rows(site, ["pix2pix"])
    assert rows["pix2pix"] == {"readable": 0.5, "reader": 0.5} and list(rows) == [
        "none", "train images", "generated", "pix2pix",
    ]  # fmt: skip
    folder = tmp_path / "out" / "cap_site"
    cleaned = [words[1] for words in ran if words[0] == "translate"]
    assert cleaned == [str(folder / "generated"), str(site)]
    assert [words[words.index("--data") + 1] for words in ran if words[0] == "finetune"] == cleaned[:1]
    last = [words for words in ran if words[0] == "evaluate"][-1]
    assert last[last.index("--model") + 1] == "captcha" and "test" in last and str(folder / "clean_reader") in last
