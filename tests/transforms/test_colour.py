"""What has colour, and which."""

import numpy as np
from PIL import Image

from seqclr.data.samples import Sample
from seqclr.transforms.colour import is_gray, sample_colours


def test_one_colour_is_gray_whatever_it_is():
    red, green = np.full((2, 2, 3), (255, 0, 0), np.uint8), np.full((2, 2, 3), (0, 139, 0), np.uint8)
    assert is_gray(np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, 2)) and is_gray(red)
    assert not is_gray(np.concatenate([red, green]))


def test_pixels_are_of_images_from_all_over_the_data(tmp_path):
    for i in range(2):
        image = np.zeros((32, 32, 3), np.uint8)
        image[..., 0], image[..., 1], image[0, 0, 2] = i, np.arange(32)[:, None], 255
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    samples = [Sample("a", str(tmp_path / f"{i // 300}.png")) for i in range(600)]
    pixels = sample_colours(samples, "x")
    assert pixels.shape == (200 * 256, 3) and pixels.dtype == np.uint8
    assert pixels[:, 0].mean() == 0.5 and set(pixels[:, 1]) == set(range(32))
