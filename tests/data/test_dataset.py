"""Decoded images are the same from the cache and streamed; unreadable ones are errors or left out."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seqclr import files
from seqclr.data import dataset as datasets
from seqclr.data import images
from seqclr.data.dataset import ImageDataset, RandomSubset
from seqclr.data.loader import Loader
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from tests.data.test_loader import assert_equal, noisy, take


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
    monkeypatch.setattr(datasets, "CACHE_BYTES", 0)
    streamed = ImageDataset(samples, 32, 64, resize)
    assert cached.cache is not None and streamed.cache is None
    assert_equal([cached[i] for i in range(5)], [streamed[i] for i in range(5)])
    assert cached[2]["image"].shape == (32, 64, 3) and cached[2]["index"] == 2
    assert cached.filled() == streamed.filled()
    assert (cached.filled() == [64] * 5) == (resize == "stretch")


@pytest.mark.parametrize("cache_bytes", [2**30, 0])
def test_an_unreadable_image_is_an_error_or_is_left_out_and_listed(samples, monkeypatch, cache_bytes):
    monkeypatch.setattr(datasets, "CACHE_BYTES", cache_bytes)
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
    monkeypatch.setattr(datasets, "CACHE_BYTES", cache_bytes)
    for sample in samples:
        Path(sample.file).write_bytes(b"")
    with pytest.raises(UserError, match="no image can be read.*0.png"):
        ImageDataset(samples, 32, 64, "stretch", skip_bad=True)


def test_a_streamed_image_that_turns_out_damaged_is_replaced_by_the_next(samples, monkeypatch):
    monkeypatch.setattr(datasets, "CACHE_BYTES", 0)
    whole = Path(samples[4].file).read_bytes()
    Path(samples[4].file).write_bytes(whole[: len(whole) // 2])  # its header is in order
    dataset = ImageDataset(samples, 32, 64, "stretch", skip_bad=True)
    with pytest.warns(UserWarning, match="skipped: .*4.png"):
        record = dataset[4]
    np.testing.assert_array_equal(record["image"], dataset[0]["image"])
    with pytest.warns(UserWarning, match="skipped: .*4.png"):
        assert dataset.readable([4, 1]) == [1]


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


def test_the_limits_of_files_go_to_the_workers(tmp_path):
    Image.new("L", (24, 16)).save(tmp_path / "a.png")
    images.set_limits(images.Limits(max_pixels=1000))
    sent = pickle.dumps(ImageDataset([Sample("site", str(tmp_path / "a.png"))], 16, 32, "stretch"))
    images.set_limits(images.Limits())
    pickle.loads(sent)
    assert images.get_limits().max_pixels == 1000


def test_a_full_disk_is_told_with_the_file_of_pixels(samples, monkeypatch):
    monkeypatch.setattr(datasets, "_new_cache", lambda: (Path("/dev/full"), None))
    with pytest.raises(files.NotWritten, match="/dev/full cannot be written .No space left on device"):
        ImageDataset(samples, 32, 64, "stretch")


def test_a_random_subset_is_the_same_every_time_and_counts_its_own_records(samples):
    dataset = ImageDataset(samples, 32, 64, "stretch")
    subset = RandomSubset(dataset, 3)
    assert subset.indices.tolist() == RandomSubset(dataset, 3).indices.tolist() and len(set(subset.indices)) == 3
    for position, index in enumerate(subset.indices):
        assert subset[position]["index"] == position and subset.samples[position] == samples[index]
        np.testing.assert_array_equal(subset[position]["image"], dataset[index]["image"])
