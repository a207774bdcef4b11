"""Batches depend on the seed alone: not on workers, on interruptions, or on whether pixels are kept."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqclr.data import dataset as data_set
from seqclr.data import images
from seqclr.data.dataset import ImageDataset
from seqclr.data.loader import Joined, Loader, in_order
from seqclr.data.samples import Sample
from seqclr.data.workers import LoaderFailed
from seqclr.errors import UserError


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
def test_a_recipe_that_fails_is_told_with_its_line_and_the_position_stays(workers):
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


# fitted records


@pytest.fixture
def samples(tmp_path) -> list[Sample]:
    """Five images of several sizes."""
    rng = np.random.default_rng(0)
    found = []
    for i in range(5):
        path = tmp_path / f"{i}.png"
        Image.fromarray(rng.integers(0, 256, (16 + i, 20 + 9 * i, 3), np.uint8)).save(path)
        found.append(Sample("some", str(path)))
    return found


@pytest.mark.parametrize("resize", ["stretch", "pad"])
def test_streaming_gives_what_the_cache_gives(samples, monkeypatch, resize):
    cached = ImageDataset(samples, 32, 64, resize)
    monkeypatch.setattr(data_set, "CACHE_BYTES", 0)
    streamed = ImageDataset(samples, 32, 64, resize)
    assert cached.cache is not None and streamed.cache is None
    assert_equal([cached[i] for i in range(5)], [streamed[i] for i in range(5)])
    assert cached[2]["image"].shape == (32, 64, 3) and cached[2]["index"] == 2
    assert cached.filled() == streamed.filled()
    assert (cached.filled() == [64] * 5) == (resize == "stretch")


@pytest.mark.parametrize("cache_bytes", [2**30, 0])
def test_an_unreadable_image_is_an_error_or_is_left_out_and_listed(samples, monkeypatch, cache_bytes):
    monkeypatch.setattr(data_set, "CACHE_BYTES", cache_bytes)
    Path(samples[1].file).write_bytes(b"broken")
    with pytest.raises(UserError, match="1.png is not an image"):
        ImageDataset(samples, 32, 64, "stretch")
    dataset = ImageDataset(samples, 32, 64, "stretch", skip_bad=True)
    assert len(dataset.skipped) == 1 and "1.png" in dataset.skipped[0]
    assert dataset.samples == [samples[0], *samples[2:]]
    whole = ImageDataset(samples[2:], 32, 64, "stretch")
    np.testing.assert_array_equal(dataset[1]["image"], whole[0]["image"])


@pytest.mark.parametrize("cache_bytes", [2**30, 0])
def test_nothing_that_can_be_read_is_an_error(samples, monkeypatch, cache_bytes):
    monkeypatch.setattr(data_set, "CACHE_BYTES", cache_bytes)
    for sample in samples:
        Path(sample.file).write_bytes(b"")
    with pytest.raises(UserError, match="no image can be read.*0.png"):
        ImageDataset(samples, 32, 64, "stretch", skip_bad=True)


def test_a_streamed_image_that_turns_out_damaged_is_replaced_by_the_next(samples, monkeypatch):
    monkeypatch.setattr(data_set, "CACHE_BYTES", 0)
    whole = Path(samples[4].file).read_bytes()
    Path(samples[4].file).write_bytes(whole[: len(whole) // 2])  # its header is in order
    dataset = ImageDataset(samples, 32, 64, "stretch", skip_bad=True)
    with pytest.warns(UserWarning, match="skipped: .*4.png"):
        record = dataset[4]
    np.testing.assert_array_equal(record["image"], dataset[0]["image"])


def test_pixels_of_a_process_that_was_killed_are_dropped_and_no_others(samples, tmp_path, monkeypatch):
    (temporary := tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for name in ("seqclr-killed.pixels", "seqclr-killed.lock"):
        (temporary / name).touch()
    first, second = (ImageDataset(samples, 32, 64, "stretch") for _ in range(2))
    assert {path.stem for path in temporary.iterdir()} == {first.cache.stem, second.cache.stem}
    np.testing.assert_array_equal(first[1]["image"], second[1]["image"])
    first.close()
    second.close()
    assert not list(temporary.iterdir())


def test_workers_read_the_cache(samples):
    dataset = ImageDataset(samples, 32, 64, "stretch")
    loader = Loader(dataset, noisy, 2, 0, processes=2)
    try:
        for batch in take(loader, 3):
            for image, index in zip(batch["image"], batch["index"]):
                np.testing.assert_array_equal(image, dataset[int(index)]["image"])
    finally:
        loader.close()


def test_in_order(samples):
    batches = list(in_order(ImageDataset(samples, 32, 64, "pad"), 2))
    assert [batch["index"].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert batches[2]["image"].shape == (1, 32, 64, 3)


def test_the_limits_of_files_go_to_the_workers(tmp_path):
    Image.new("L", (24, 16)).save(tmp_path / "a.png")
    images.set_limits(images.Limits(max_pixels=1000))
    sent = pickle.dumps(ImageDataset([Sample("site", str(tmp_path / "a.png"))], 16, 32, "stretch"))
    images.set_limits(images.Limits())
    pickle.loads(sent)
    assert images.get_limits().max_pixels == 1000
