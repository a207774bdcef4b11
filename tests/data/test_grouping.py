"""Records grouped by source."""

from collections import Counter

import numpy as np
import pytest

from seqclr.data.grouping import GroupedBySource
from seqclr.data.loader import Loader
from seqclr.errors import UserError

sources = ["a"] * 10 + ["b"] * 7 + ["c"] * 3
records = [{"index": np.int32(i)} for i in range(20)]


def test_groups_are_of_one_source_and_a_pass_repeats_nothing():
    grouped = GroupedBySource(records, sources, 4, seed=0)
    assert grouped.groups == 3
    for number in range(5):
        rows = [int(grouped[number * 12 + i]["index"]) for i in range(12)]
        assert max(Counter(rows).values()) == 1
        assert all(len({sources[i] for i in rows[start : start + 4]}) == 1 for start in range(0, 12, 4))


def test_what_is_left_over_changes_and_the_order_depends_on_the_seed_alone():
    order = lambda seed: [int(GroupedBySource(records, sources, 4, seed)[i]["index"]) for i in range(240)]  # noqa: E731
    assert order(0) == order(0) != order(1)
    assert set(order(0)) == set(range(17))  # c is too small


def test_small_sources_are_taken_together():
    grouped = GroupedBySource(records, sources, 8, seed=0)  # a alone, b and c together
    rows = [int(grouped[i]["index"]) for i in range(16 * 20)]
    assert set(rows) == set(range(20))
    groups = [{sources[i] for i in rows[start : start + 8]} for start in range(0, len(rows), 8)]
    assert {"a"} in groups and all(group == {"a"} or "a" not in group for group in groups)


def test_a_loader_of_groups_resumes():
    loader = Loader(records, lambda record, rng: record, 8, seed=3, sources=sources, group=4)
    rows = [next(loader)["index"].tolist() for _ in range(6)]
    assert all(len({sources[i] for i in row[half : half + 4]}) == 1 for row in rows for half in (0, 4))
    loader.set_state({"batches": 4})
    assert next(loader)["index"].tolist() == rows[4]


def test_a_group_of_more_than_all():
    with pytest.raises(UserError, match="same_source 21.*20 images"):
        GroupedBySource(records, sources, 21, seed=0)
