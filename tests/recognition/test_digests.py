"""A resumed run must continue with the same labelled samples."""

import dataclasses
import json
from pathlib import Path

import pytest

from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.recognition.digests import BLOCKS, SampleDigests

SAMPLES = [Sample("a", f"a/{i}.png", str(i % 7), "train") for i in range(30)]
HELD = [Sample("a", "a/x.png", "12")]


def state_of(samples, held=HELD):
    return json.loads(json.dumps(SampleDigests(Path("run"), samples, held).get_state()))


def test_moved_data_are_the_same_samples():
    moved = [dataclasses.replace(sample, source="b", file=f"/b/{sample.file}") for sample in SAMPLES]
    SampleDigests(Path("run"), moved, HELD).set_state(state_of(SAMPLES))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"text": "6"}, "the first difference is a/4.png, now labelled '6'"),
        ({"file": "a/other.png"}, "the first difference is a/other.png, now labelled '4'"),
        ({"split": "validation"}, "the first difference is a/4.png"),
        (None, "then 30, now 29"),
    ],
)
def test_the_first_sample_that_differs_or_the_counts_are_named(change, told):
    other = [*SAMPLES[:4], *([dataclasses.replace(SAMPLES[4], **change)] if change else []), *SAMPLES[5:]]
    with pytest.raises(UserError, match="samples trained on are not those that run was started with") as refused:
        SampleDigests(Path("run"), other, HELD).set_state(state_of(SAMPLES))
    assert told in str(refused.value) and "--pretrained run" in str(refused.value)
    with pytest.raises(UserError, match="samples validated on are not those"):
        SampleDigests(Path("run"), SAMPLES, other[3:4]).set_state(state_of(SAMPLES))


def test_of_many_samples_a_block_is_named():
    many = [Sample("a", f"{i}.png", "1") for i in range(2 * BLOCKS + 1)]
    state = state_of(many)
    assert len(state["trained_on"]["blocks"]) <= BLOCKS
    many[1000] = dataclasses.replace(many[1000], text="2")
    with pytest.raises(UserError, match="in the 3 samples from 999.png to 1001.png"):
        SampleDigests(Path("run"), many, HELD).set_state(state)
