"""The benchmark of lines and words."""

import argparse

import lines

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
    args = argparse.Namespace(steps=3, pretraining_steps=2, rate=0.002)
    for size in lines.GROUPS.values():
        for name, arm in lines.arms(list(lines.ARMS), size, args).items():
            resolve(FinetuneConfig, CTC, [arm["finetune"]])
            assert ("pretrain" in arm) == (name != "scratch")
            if "pretrain" in arm:
                resolve(PretrainConfig, METHODS[name], [arm["pretrain"]])
