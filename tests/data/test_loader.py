"""Batches depend on the seed alone: not on workers, on interruptions, or on whether pixels are kept."""

import numpy as np
import pytest

from seqclr.data.loader import InOrder, Joined, Loader, Without
from seqclr.data.workers import LoaderFailed


class Numbers:
    """Records that are cheap: their own place."""

    def __len__(self) -> int:
        return 24

    def __getitem__(self, index: int) -> dict:
        return {"index": np.int32(index)}


def noisy(record: dict, rng: np.random.Generator) -> dict:
    return {**record, "noise": rng.integers(0, 2**31, 3)}


def make(workers: int = 0, seed: int = 5, shard: tuple[int, int] = (0, 1)) -> Loader:
    return Loader(Numbers(), noisy, 4, seed, workers, shard)


def picky(record: dict, rng: np.random.Generator) -> dict:
    return {"index": [record["index"]][record["index"] // 20]}


def take(loader: Loader, count: int) -> list[dict]:
    return [next(loader) for _ in range(count)]


def assert_equal(batches: list[dict], others: list[dict]) -> None:
    assert len(batches) == len(others)
    for batch, other in zip(batches, others):
        assert batch.keys() == other.keys()
        for key in batch:
            np.testing.assert_array_equal(batch[key], other[key])


@pytest.fixture(scope="module")
def expected() -> list[dict]:
    return take(make(), 15)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_workers(expected, workers):
    loader = make(workers)
    try:
        assert_equal(take(loader, 15), expected)
    finally:
        loader.close()


@pytest.mark.parametrize("before, after", [(0, 0), (0, 2), (2, 0)])
def test_a_position_is_taken_up_again_by_any_number_of_workers(expected, before, after):
    first, second = make(before), make(after)
    try:
        take(first, 7)
        state = first.get_state()
        second.set_state(state)
        assert_equal(take(second, 8), expected[7:])
        assert second.get_state() == {"batches": 15}
    finally:
        first.close()
        second.close()


def test_passes_see_every_record_once_in_another_order_and_with_other_noise(expected):
    assert make().steps_per_epoch == 6
    first, second = expected[:6], expected[6:12]
    orders = [np.concatenate([batch["index"] for batch in batches]) for batches in (first, second)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(24))
    assert orders[0].tolist() != orders[1].tolist()
    noise = np.concatenate([batch["noise"] for batch in first + second])
    assert len(np.unique(noise, axis=0)) == 48


@pytest.mark.parametrize("workers", [0, 1])
def test_a_transform_that_fails_is_reported_with_its_line_and_the_position_stays(workers):
    loader = Loader(Numbers(), picky, 4, 5, workers)
    with pytest.raises(LoaderFailed, match=r"^IndexError in .*test_loader.py, line \d+: list index out of range$"):
        take(loader, 6)
    assert loader.get_state()["batches"] < 6
    loader.close()


def test_another_seed_gives_other_batches(expected):
    others = take(make(seed=6), 6)
    assert [batch["index"].tolist() for batch in others] != [batch["index"].tolist() for batch in expected[:6]]


def test_shards_share_a_pass_between_them():
    shards = [make(shard=(which, 3)) for which in range(3)]
    assert [shard.steps_per_epoch for shard in shards] == [2, 2, 2]
    for _ in range(2):
        seen = [np.concatenate([batch["index"] for batch in take(shard, 2)]) for shard in shards]
        assert sorted(np.concatenate(seen)) == list(range(24))


# two loaders as one


def renamed(record: dict, rng: np.random.Generator) -> dict:
    return {"other": record["index"]}


@pytest.mark.parametrize("taken", [0, 2, 5])
def test_joined_loaders_go_on_where_both_were(taken):
    def joined() -> Joined:
        return Joined(make(), Loader(Numbers(), renamed, 6, 9), start=3)

    whole = take(joined(), 8)
    assert ["other" in batch for batch in whole] == [False] * 3 + [True] * 5
    assert_equal([{k: v for k, v in batch.items() if k != "other"} for batch in whole], take(make(), 8))
    assert_equal([{"other": b["other"]} for b in whole[3:]], take(Loader(Numbers(), renamed, 6, 9), 5))
    first, second = joined(), joined()
    take(first, taken)
    second.set_state(first.get_state())
    assert_equal(take(second, 8 - taken), whole[taken:])


@pytest.mark.parametrize("taken", [2, 5])
def test_batches_without_some_keys_continue_where_they_stopped(taken):
    def without() -> Without:
        return Without(make(), ("noise", "other"), start=3)

    whole = take(without(), 8)
    assert ["noise" in batch for batch in whole] == [True] * 3 + [False] * 5
    assert_equal([{"index": batch["index"]} for batch in whole], [{"index": b["index"]} for b in take(make(), 8)])
    first, second = without(), without()
    take(first, taken)
    second.set_state(first.get_state())
    assert_equal(take(second, 8 - taken), whole[taken:])


def test_in_order():
    batches = list(InOrder(Numbers(), 10))
    assert [batch["index"].tolist() for batch in batches] == [[*range(10)], [*range(10, 20)], [*range(20, 24)]]
