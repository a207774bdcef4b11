"""Jigsaw Clustering: tiles, images put together of them, and what comes of each tile."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from seqclr import losses
from seqclr.errors import UserError
from seqclr.methods import METHODS
from seqclr.nn.encoders import build_encoder
from seqclr.transforms.tiles import Tiles
from tests.engine import tiny

LINE, PICTURE = (16, 64), (16, 24)
RNG = np.random.default_rng(0)


def record(height, width):
    """A ramp to the right in red and down in green."""
    across, down = np.meshgrid(np.arange(width), np.arange(height))
    return {"image": np.stack([across, down, 0 * down], -1).astype(np.uint8), "index": np.int32(3)}


def made(size, name="least"):
    keras.utils.set_random_seed(0)
    method = METHODS["jigsaw_clustering"](hidden_dim=32, projection_dim=16)
    method.build(build_encoder(name, *size, "none", dropout=0.0))
    return method


def plain(size, count=6):
    """A batch of images whose tiles each have one colour: in red the image's number, in green the tile's place."""
    rows, columns = (1, 4) if size == LINE else (2, 2)
    tiles = np.zeros((count, 4, size[0] // rows, size[1] // columns, 3), np.uint8)
    tiles[..., 0] = 10 * np.arange(count)[:, None, None, None]
    tiles[..., 1] = np.arange(4)[:, None, None]
    return {"tiles": tf.constant(tiles), "index": tf.constant(10 * np.arange(count, dtype=np.int32))}


class Colours:
    """In place of an encoder: the colours of pixels, every 8th down and every 4th across."""

    def __init__(self, height, width):
        self.grid = height // 8, width // 4

    def __call__(self, images, **_):
        return tf.reshape(tf.cast(images[:, ::8, ::4], tf.float32), [-1, self.grid[0] * self.grid[1], 3]), None


def test_a_line_gives_overlapping_strips_and_a_picture_quarters():
    strips = Tiles("none")(record(16, 80), RNG)["tiles"]
    assert strips.shape == (4, 16, 20, 3)
    edges = [(strip[0, 0, 0], strip[0, -1, 0]) for strip in strips]
    assert edges == [(0, 25), (18, 43), (36, 61), (54, 79)]  # of 26 columns each
    quarters = Tiles("none")(record(20, 40), RNG)["tiles"]
    assert quarters.shape == (4, 10, 20, 3)
    corners = [tuple(quarter[0, 0, :2]) for quarter in quarters]
    assert corners == [(0, 0), (14, 0), (0, 7), (14, 7)]
    assert tuple(quarters[3, -1, -1, :2]) == (39, 19)


def test_padding_is_in_no_tile():
    padded = record(16, 80) | {"width": np.int32(40)}
    padded["image"][:, 40:] = 255
    assert Tiles("none")(padded, RNG)["tiles"].shape == (4, 16, 20, 3)
    assert Tiles("none")(padded, RNG)["tiles"][..., 0].max() == 39


def test_each_tile_is_augmented_apart():
    tiles = Tiles("strong")({"image": np.full((16, 80, 3), 100, np.uint8), "index": 0}, RNG)
    assert len(np.unique(tiles["tiles"].reshape(4, -1), axis=0)) == 4


@pytest.mark.parametrize("size", [LINE, PICTURE])
def test_what_comes_of_a_tile_is_known_by_its_image_and_its_place(size):
    method, batch = made(size, "least" if size == LINE else "resnet9"), plain(size)
    montages, image, position = method.shuffled(batch)
    assert montages.shape == (6, *size, 3)
    sources = image.numpy().reshape(6, 4)
    assert (np.sort(image) == np.repeat(10 * np.arange(6), 4)).all() and len(np.unique(sources[0])) > 1
    method.encoder = Colours(*size)
    features = method.split(montages, training=True).numpy().reshape(-1, 3)
    np.testing.assert_allclose(features[:, :2], np.stack([image, position], 1), atol=1e-5)
    again = method.shuffled(batch)
    for found, expected in zip(again, (montages, image, position)):
        np.testing.assert_array_equal(found, expected)
    other = method.shuffled({**batch, "index": batch["index"] + 1})[2]
    assert (other.numpy() != position.numpy()).any()


@pytest.mark.parametrize("size", [LINE, PICTURE])
def test_the_preview_says_where_each_tile_is_from(size):
    batch = plain(size, count=3)
    preview = made(size, "least" if size == LINE else "resnet9").preview_inputs(
        {name: value.numpy() for name, value in batch.items()}
    )
    rows, columns = (1, 4) if size == LINE else (2, 2)
    for montage, targets in zip(preview["montage"], preview["target: row.tile of each"], strict=True):
        tiles = montage[:: size[0] // rows, :: size[1] // columns].reshape(4, 3)
        assert targets == ", ".join(f"{red // 10 + 1}.{green + 1}" for red, green, _ in tiles.tolist())


def test_tiles_of_an_image_are_a_cluster_and_have_positions():
    method, batch = made(LINE), plain(LINE)
    montages, image, position = method.shuffled(batch)
    features = method.split(montages, training=True)
    z = tf.reshape(method.projector(features, training=True), [-1, 16])
    scores = tf.nn.log_softmax(tf.reshape(method.head(features), [-1, 4])).numpy()
    found = {name: float(value) for name, value in method.loss(batch, training=True).items()}
    assert found["clustering"] == pytest.approx(float(losses.sup_con(z, image, 0.07)), rel=1e-3)
    assert found["location"] == pytest.approx(-scores[np.arange(24), position].mean(), rel=1e-3)
    assert found["loss"] == pytest.approx(found["clustering"] + found["location"], rel=1e-5)


@pytest.mark.parametrize(
    "keys", [{"views": "article"}, {"views": "article", "resize": "pad"}, {"views": "images", "encoder": "resnet9"}]
)
def test_a_short_run(tmp_path, eagerly, keys):
    logs = tiny.trainer(tmp_path / "run", "jigsaw_clustering", steps=2, **keys).fit()
    assert 0 < logs["location"] < 3 and 0 < logs["clustering"] < 10


@pytest.mark.slow
def test_it_learns_where_tiles_lie(tmp_path):
    job = tiny.trainer(tmp_path / "run", "jigsaw_clustering", steps=60, dropout=0.0, learning_rate=3e-3)
    held = {name: tf.constant(value) for name, value in next(job.loader).items()}
    before = job.method.loss(held, training=True)
    job.fit()
    after = job.method.loss(held, training=True)
    for name in ("clustering", "location"):
        assert float(after[name]) < float(before[name]) - 0.3, name


def test_sizes_that_have_no_tiles_are_refused():
    with pytest.raises(UserError, match="width 66 is cut into 4 tiles: take a multiple of 4"):
        made((16, 66))
    with pytest.raises(
        UserError, match="2x2 tiles need as many frames, and there are 1x8: take larger images, or lines"
    ):
        made((16, 32))
