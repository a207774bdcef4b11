"""The files of configs/ are settings that a run can have."""

import dataclasses
from pathlib import Path

import pytest

from seqclr.config import FinetuneConfig, PretrainConfig, fields_of, load_yaml, resolve
from seqclr.engine import setup
from seqclr.methods import METHODS
from seqclr.methods.ctc import CTC

FILES = sorted((Path(__file__).parent.parent / "configs").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_config_is_one_of_its_verb(file):
    values, verb = load_yaml(file), file.stem.split("_")[0]
    if verb == "finetune":
        assert resolve(FinetuneConfig, CTC, [values]).views == values["views"]
        return
    cls = METHODS[values["method"]]
    config = resolve(PretrainConfig, cls, [values])
    setup.check(config, cls)
    assert fields_of(cls, config).items() >= {key: values[key] for key in ("frames", "match") if key in values}.items()


def test_the_cures_of_lines_are_for_every_method_that_matches_frames():
    values = load_yaml(next(file for file in FILES if file.stem == "pretrain_lines"))
    matching = {name: cls for name, cls in METHODS.items() if "match" in {f.name for f in dataclasses.fields(cls)}}
    assert len(matching) > 15
    for name, cls in matching.items():
        if name == "exemplar":  # tells whole patches apart
            continue
        encoder = "tiny_lab" if cls.needs_halves else "tiny"
        config = resolve(PretrainConfig, cls, [values, {"method": name, "encoder": encoder}])
        setup.check(config, cls)
        cls(**fields_of(cls, config))
