"""Images with depth: files beside each other, four channels, and what is refused."""

import numpy as np
import pytest
from PIL import Image

from seqclr.data import depth
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.samples import Sample
from seqclr.errors import UserError
from seqclr.transforms.views import Views

colours = np.random.default_rng(0).integers(0, 256, (8, 10, 3), np.uint8)


def saved(folder, pixels, name="a.png"):
    Image.fromarray(pixels).save(folder / name)
    return Sample("here", str(folder / name))


def test_16_bits_beside_the_colours_fill_the_range_and_0_stays(tmp_path):
    sample = saved(tmp_path, colours)
    deep = np.linspace(1000, 9000, 80).astype(np.uint16).reshape(8, 10)
    deep[0, 0] = 0
    saved(tmp_path, deep, "a_depth.png")
    pixels = depth.read(sample)
    assert (pixels[..., :3] == colours).all() and pixels[0, 0, 3] == 0 and pixels[-1, -1, 3] == 255
    assert pixels[0, 1, 3] == 1 and (np.diff(pixels[..., 3].ravel().astype(int)) >= 0).all()


def test_a_fourth_channel_is_depth_and_is_not_composited(tmp_path):
    four = np.dstack([colours, np.arange(80, dtype=np.uint8).reshape(8, 10)])
    assert (depth.read(saved(tmp_path, four)) == four).all()


def test_a_data_set_has_colour_files_only_and_four_channels(tmp_path):
    for name in "ab":
        saved(tmp_path, colours, f"{name}.png")
        saved(tmp_path, colours[..., 0], f"{name}_depth.png")
    dataset = ImageDataset(find_unlabelled([tmp_path]), 8, 10, "stretch", channels=4)
    assert len(dataset) == 2 and (dataset[1]["image"] == np.dstack([colours, colours[..., 0]])).all()


@pytest.mark.parametrize(
    ("pixels", "words"),
    [(None, "a.png has no depth: put it into a_depth.png"), (colours[:4, :, 0], "10x4 pixels, and its image 10x8"),
     (colours, "a_depth.png is not gray")],
)  # fmt: skip
def test_images_without_depth_are_refused(tmp_path, pixels, words):
    sample = saved(tmp_path, colours)
    if pixels is not None:
        saved(tmp_path, pixels, "a_depth.png")
    with pytest.raises(UserError, match=words):
        depth.read(sample)


def test_files_of_depth_alone_are_refused(tmp_path):
    saved(tmp_path, colours[..., 0], "a_depth.png")
    with pytest.raises(UserError, match="a_depth.png is the depth of an image, as are all"):
        ImageDataset(find_unlabelled([tmp_path]), 8, 10, "stretch", channels=4)


def test_depth_follows_the_geometry_of_a_view_and_nothing_else():
    ramp = np.tile(np.linspace(0, 255, 64).astype(np.uint8)[None, :, None], (32, 1, 4))
    view, original, _ = Views("article").follow(ramp, np.random.default_rng(2))
    assert view.shape == original.shape == (32, 64, 4) and (view[..., 3] == original[..., 3]).all()
    assert (view[..., 3] != ramp[..., 3]).any() and (view[..., :3] != original[..., :3]).any()
    again = Views("article")(ramp, np.random.default_rng(2))
    assert (again == view).all()
