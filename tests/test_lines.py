"""The benchmark of lines and words."""

import argparse
import json
import sys
from pathlib import Path

import label_efficiency
import lines
import pytest

from seqclr.config import FinetuneConfig, PretrainConfig, resolve
from seqclr.data.discovery import find
from seqclr.methods import METHODS
from seqclr.methods.text.ctc import CTC


def test_a_percentage_of_the_train_rows_is_drawn_by_the_seed(tmp_path):
    site = tmp_path / "txt_site"
    site.mkdir()
    rows = [f"{i}.png,text {i},{'test' if i % 3 == 2 else 'train'}" for i in range(60)]
    (site / "labels.csv").write_text("\n".join(["file,text,split", *rows, ""]), encoding="utf-8")
    for i in range(60):
        (site / f"{i}.png").touch()
    benchmark = lines.Percentages([site], [site], tmp_path / "out", {}, 10)
    drawn = {seed: find(benchmark.labelled(10, seed)[1:]) for seed in (0, 1)}
    every = {(sample.file, sample.text) for sample in find([site], "train")}
    drawn = {seed: {(sample.file, sample.text) for sample in samples} for seed, samples in drawn.items()}
    assert all(len(part) == 4 and part <= every for part in drawn.values())
    assert drawn[0] != drawn[1] and len(find(benchmark.labelled(1, 0)[1:])) == 1


def test_the_keys_of_every_arm_exist():
    args = argparse.Namespace(steps=3, pretraining_steps=2, rates=[0.001, 0.002])
    for size in lines.GROUPS.values():
        for name, arm in lines.arms(list(lines.ARMS), size, args).items():
            for rate in arm["finetune"]["learning_rate"]:
                resolve(FinetuneConfig, CTC, [{**arm["finetune"], "learning_rate": rate}])
            assert ("pretrain" in arm) == (name != "scratch")
            if "pretrain" in arm:
                resolve(PretrainConfig, METHODS[name], [arm["pretrain"]])


VALIDATION = {"scratch": {0.001: 0.6, 0.002: 0.5}, "nnclr": {0.001: 0.3, 0.002: 0.8}, "ccd": {0.001: 0.7, 0.002: 0.6}}


@pytest.fixture
def trainings(monkeypatch):
    """The trainings that were started, as (arm, rate), of a benchmark whose commands write figures alone."""
    started = []

    def seqclr(verb, *words):
        words = list(map(str, words))
        keys = dict(word.split("=", 1) for word in words if "=" in word)
        if verb == "evaluate":
            assert "tuning" not in words[words.index("--model") + 1]  # test rows choose nothing
            figures = {**dict.fromkeys(label_efficiency.METRICS, 0.5), "sources": {}}
            Path(words[words.index("--json") + 1]).write_text(json.dumps(figures))
            return
        folder = Path(words[words.index("--output") + 1])
        folder.mkdir(parents=True)
        (folder / "config.yaml").write_text(f"steps: {keys['steps']}\n")
        accuracy = ""
        if verb == "finetune":
            arm, rate = next(part for part in folder.parts if part in VALIDATION), float(keys["learning_rate"])
            started.append((arm, rate))
            accuracy = VALIDATION[arm][rate]
        (folder / "metrics.csv").write_text(f"step,val_edit_distance_accuracy\n{keys['steps']},{accuracy}\n")

    monkeypatch.setattr(label_efficiency, "seqclr", seqclr)
    monkeypatch.setattr(label_efficiency, "draw", lambda *arguments: None)  # takes a second each
    return started


def test_each_arm_has_the_rate_that_its_validation_rows_choose(tmp_path, monkeypatch, trainings, capsys):
    site = tmp_path / "data" / "line_site"
    site.mkdir(parents=True)
    (site / "labels.csv").write_text("\n".join(["file,text,split", *(f"{i}.png,a,train" for i in range(20)), ""]))
    for i in range(20):
        (site / f"{i}.png").touch()
    command = ["lines.py", "--data", str(site.parent), "--output", str(tmp_path / "out"), "--groups", "line", "--arms",
               *VALIDATION, "--rates", "0.001", "0.002", "--percent", "10", "100"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", command)
    lines.main()
    chosen = {"scratch": 0.001, "nnclr": 0.002, "ccd": 0.001}
    for arm, rate in chosen.items():  # both at 10 %, of which the better is the cell, and the better at 100 %
        assert [rate for name, rate in trainings if name == arm] == [0.001, 0.002, rate]
        cell = json.loads((tmp_path / f"out/line/{arm}/labels-10/seed-0.json").read_text())
        assert cell["keys"]["learning_rate"] == rate
    told = capsys.readouterr().out
    assert "| nnclr | learning_rate=0.001: 0.3000, **learning_rate=0.002: 0.8000** |" in told
    assert "Of nnclr, ccd, nnclr is best on validation rows." in told
    assert told.strip() == (tmp_path / "out/line/table.md").read_text().strip()
    done = len(trainings)
    lines.main()
    assert len(trainings) == done
