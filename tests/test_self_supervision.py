"""The benchmark of self-supervision: its arms are configurations that exist, and no arm is better within the spread."""

import pytest
import self_supervision as benchmark

from seqclr.config import AdaptConfig, FinetuneConfig, PretrainConfig, resolve
from seqclr.engine import setup
from seqclr.methods import METHODS
from seqclr.methods.text.adaptation import Adaptation
from seqclr.methods.text.ctc import CTC


@pytest.mark.parametrize("name", benchmark.ARMS)
def test_an_arm_is_compared_with_its_start_and_has_keys_that_exist(name):
    arm = benchmark.ARMS[name]
    assert arm.against is None or arm.against in benchmark.ARMS and name.startswith(arm.against.split()[0])
    resolve(*((AdaptConfig, Adaptation) if arm.adapted else (FinetuneConfig, CTC)), [arm.keys])
    if arm.pretrain:
        method = METHODS[arm.pretrain["method"]]
        setup.check(resolve(PretrainConfig, method, [arm.pretrain]), method)
        if not arm.pretrain.get("init"):  # what is adapted predicts text
            assert arm.adapted == (method(**{}).charset is not None)


def rows(*accuracies):
    return {seed: {"edit_distance_accuracy": accuracy} for seed, accuracy in enumerate(accuracies)}


def test_a_difference_within_the_spread_is_none():
    base = rows(0.90, 0.92)  # spread 0.0141 of an error of 0.09
    assert benchmark.compare(rows(0.91, 0.92), base) == ["0.94", "0.18", "within the spread"]
    assert benchmark.compare(rows(0.95, 0.95), base) == ["0.56", "0.16", "better"]
    assert benchmark.compare(rows(0.87, 0.87), base) == ["1.44", "0.16", "worse"]
    assert benchmark.compare(rows(0.95), base) == ["0.50", "-", "one seed"]
