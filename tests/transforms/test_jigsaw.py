"""The tiles of Jigsaw: what they show, and what their borders do not tell."""

import cv2
import numpy as np
import pytest

from seqclr.errors import UserError
from seqclr.transforms.jigsaw import FRINGES, JigsawTiles, cut, tile_size
from seqclr.transforms.permutations import permutations
from seqclr.transforms.slices import slices


def noise(seed, height=28, width=28, low=0, high=256):
    return np.random.default_rng(seed).integers(low, high, (height, width, 3)).astype(np.uint8)


def map_of(height, width):
    """A picture whose pixels tell where they are: down in red, across in green and in blue."""
    down, across = np.mgrid[:height, :width]
    return np.stack([down, across, across], -1).astype(np.uint8)


def test_each_tile_is_in_its_cell_wherever_that_is():
    """So its border tells no place: offsets are spread alike in all cells, those at the image's edge too."""
    rng, image = np.random.default_rng(0), map_of(75, 96)
    corners = np.stack([cut(image, 3, rng)[:, 0, 0, :2] for _ in range(400)]).astype(float).reshape(400, 3, 3, 2)
    offsets = corners - 25 * np.arange(3)[:, None, None] * [1, 0] - 32 * np.arange(3)[:, None] * [0, 1]
    assert (offsets >= 0).all() and (offsets + tile_size(75, 96, 3) <= [25, 32]).all()
    room = np.array([25, 32]) - tile_size(75, 96, 3)
    np.testing.assert_allclose(offsets.mean(0), np.broadcast_to((room - 1) / 2, (3, 3, 2)), atol=0.3)
    assert (offsets.min(0) == 0).all() and (offsets.max(0) == room - 1).all()
    # tiles side by side do not fit: their rows and the gap between them come by chance
    assert len(np.unique(offsets[:, 0, 1] - offsets[:, 0, 0], axis=0)) > 40


def test_tiles_put_back_give_the_image():
    image, shown = map_of(60, 90), np.zeros((60, 90), bool)
    tiles = cut(image, 3, np.random.default_rng(0))
    back = np.zeros_like(image)
    for tile in tiles:
        y, x = tile[0, 0, :2]
        back[y : y + tile.shape[0], x : x + tile.shape[1]] = tile
        shown[y : y + tile.shape[0], x : x + tile.shape[1]] = True
    np.testing.assert_array_equal(back[shown], image[shown])
    assert shown.sum() == tiles[..., 0].size and shown.mean() > 0.7


def guessed(tiles, places):
    """The accuracy of a linear classifier, which learns half of the borders `[N, h, w, 3]`, on the other half."""
    frame = np.ones(tiles.shape[1:3], bool)
    frame[1:-1, 1:-1] = False
    x = tiles[:, frame].reshape(len(tiles), -1).astype(float) / 255
    x, half = np.concatenate([x, np.ones((len(x), 1))], 1), len(x) // 2
    learned = np.linalg.solve(x[:half].T @ x[:half] + 10 * np.eye(x.shape[1]), x[:half].T @ np.eye(9)[places[:half]])
    return ((x[half:] @ learned).argmax(1) == places[half:]).mean()


@pytest.mark.parametrize("fringes", [0, 4 * FRINGES])
def test_a_border_does_not_tell_the_position(fringes):
    rng, places = np.random.default_rng(0), np.tile(np.arange(9), 400)
    images = [noise(i, 36, 36, 60, 120) for i in range(400)]
    tiles = np.concatenate([cut(image, 3, rng, fringes) for image in images])
    assert guessed(tiles, places) == pytest.approx(1 / 9, abs=0.035)
    assert 60 <= tiles.min() and tiles.max() < 120  # there is nothing but image around a tile at the edge
    framed = [np.pad(image[1:-1, 1:-1], ((1, 1), (1, 1), (0, 0)), constant_values=255) for image in images]
    assert guessed(np.concatenate([cut(image, 3, rng, fringes) for image in framed]), places) > 0.2


def test_fringes_stay_in_their_cell():
    rng = np.random.default_rng(0)
    tiles = np.stack([cut(map_of(96, 96), 3, rng, FRINGES) for _ in range(100)]).astype(int)
    apart = tiles[..., 2] - tiles[..., 1]  # where blue lies from green
    assert set(np.unique(apart)) == {-2, -1, 0, 1, 2}
    assert (apart.std((0, 2, 3)) > 0.8).all()  # at the edge as in the middle
    assert (tiles[..., 1] // 32 == np.arange(9)[:, None, None] % 3).all()


def test_the_label_is_the_order_and_tiles_have_one_mean_and_deviation():
    transform, orders = JigsawTiles("none", 3, 100), permutations(9, 100)
    labels, gray = set(), 0
    for seed in range(60):
        image = noise(seed, low=40 + seed, high=100 + 2 * seed)
        example = transform({"image": image, "index": np.int32(seed)}, np.random.default_rng(seed))
        assert example["index"] == seed and example["tiles"].dtype == np.uint8
        is_gray = (np.ptp(example["tiles"].astype(int), axis=-1) == 0).all()
        sight = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) if is_gray else image
        found = [cv2.minMaxLoc(cv2.matchTemplate(sight, tile, cv2.TM_CCOEFF_NORMED)) for tile in example["tiles"]]
        assert min(best for _, best, *_ in found) > 0.98
        cells = [int((y + 1) / 28 * 3) * 3 + int((x + 1) / 28 * 3) for *_, (x, y) in found]
        assert cells == orders[example["label"]].tolist()
        means, deviations = example["tiles"].mean((1, 2)), example["tiles"].std((1, 2))
        np.testing.assert_allclose(means, np.tile(sight.mean((0, 1)), (9, 1)), atol=1)
        np.testing.assert_allclose(deviations, np.tile(sight.std((0, 1)), (9, 1)), rtol=0.2)
        labels.add(int(example["label"]))
        gray += is_gray
    assert len(labels) > 30 and 8 < gray < 30


def test_a_line_is_four_slices_that_are_not_mirrored():
    image = np.repeat(noise(0, 16, 80, 0, 100)[..., :1], 3, axis=2)  # gray, whether it is made gray or not
    record = {"image": image, "index": np.int32(0), "width": np.int32(60)}
    expected = slices(record, 4, 20)
    for seed in range(10):
        example = JigsawTiles("none", 3, 1000)(record, np.random.default_rng(seed))
        order = permutations(4, 24)[example["label"]]
        for tile, place in zip(example["tiles"], order):
            kept, mirrored = (
                np.corrcoef(tile.mean(-1).ravel(), part.mean(-1).ravel())[0, 1]
                for part in (expected[place], expected[place][:, ::-1])
            )
            assert kept > 0.9 and mirrored < 0.5


def test_images_smaller_than_the_tiles_are_refused():
    with pytest.raises(UserError, match="height 24 and width 28 leave 3x3 tiles of 7x8 pixels, and 8 is the least"):
        tile_size(24, 28, 3)
    with pytest.raises(UserError, match="height 8 and width 24 leave 4 slices of 8x6 pixels"):
        tile_size(8, 24, 3)
    assert tile_size(24, 28, 2) == (10, 12)
