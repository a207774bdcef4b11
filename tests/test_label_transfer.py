"""The benchmark of label transfer: the long tail is the one that was asked for."""

from collections import Counter

import label_transfer as benchmark

from seqclr.data.samples import Sample


def test_train_rows_are_thinned_to_a_long_tail_and_test_rows_stay():
    samples = [Sample("digits", f"{i}.png", str(i % 3), "train" if i < 90 else "test") for i in range(99)]
    kept = benchmark.thinned(samples, tail=9)
    assert Counter(sample.text for sample in kept if sample.split == "train") == {"0": 30, "1": 10, "2": 3}
    assert [sample for sample in kept if sample.split == "test"] == samples[90:]
    assert kept == benchmark.thinned(samples, tail=9) and len(set(kept)) == len(kept)
