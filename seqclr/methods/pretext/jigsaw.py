"""Jigsaw: the permutation of the tiles of an image."""

from __future__ import annotations

from dataclasses import dataclass

from seqclr.config import key
from seqclr.methods.pretext.parts import Arrangement
from seqclr.methods.registry import register
from seqclr.transforms.jigsaw import SLICES, JigsawTiles, tile_size
from seqclr.transforms.permutations import permutations
from seqclr.transforms.tiles import is_line


@register("jigsaw", paper="Noroozi & Favaro 2016, arXiv:1603.09246")
@dataclass
class Jigsaw(Arrangement):
    """Classification of the permutation of shuffled tiles (Noroozi & Favaro 2016, arXiv:1603.09246).

    The paper has 1000 permutations of 9 tiles; the default is 100, for shorter runs. A line has four slices, with 24
    permutations.
    """

    transform = JigsawTiles

    permutations: int = key(
        100, "number of permutations, far from each other; at most all that exist", least=2, most=10_000
    )
    grid: int = key(3, "tiles along each side of an image: 3, or 2 for small images", least=2, most=3)

    def make_transform(self, views):
        return JigsawTiles(views, self.grid, self.permutations)

    def build(self, encoder, run=None):
        super().build(encoder, run)
        tiles = SLICES if is_line(encoder.height, encoder.width) else self.grid**2
        self.check_accepts(*tile_size(encoder.height, encoder.width, self.grid), "tiles")
        self.orders = permutations(tiles, self.permutations)
        self.make_head(tiles, len(self.orders))

    def preview_inputs(self, batch):
        tiles = {f"tile {i}": tile for i, tile in enumerate(batch["tiles"].swapaxes(0, 1), 1)}
        orders = [" ".join(str(tile + 1) for tile in self.orders[label]) for label in batch["label"]]
        return {**tiles, "target": [f"permutation {label}: {order}" for label, order in zip(batch["label"], orders)]}
