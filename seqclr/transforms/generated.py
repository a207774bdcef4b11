"""Generated labelled images, added to the example of another transform. Host side: never imports TensorFlow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from seqclr.data import images
from seqclr.data.charset import Charset, frames_needed, frames_of
from seqclr.data.dataset import Record
from seqclr.data.disk_cache import DiskCache
from seqclr.errors import UserError
from seqclr.synthesis import backgrounds, variety
from seqclr.transforms.apply import augment, augment_with_geometry, others_of
from seqclr.transforms.labelled import label_preserving

FACTS = ("boxes", "font", "background", "colour")  # of a generated image
KEYS = ("generated", "generated_width", "label")  # that are added to an example, without facts
BACKGROUNDS = tuple(backgrounds.BACKGROUNDS)
REDRAWN = 1000  # attempts to draw a text that fits the frames


class GeneratedImages:
    """Generated images, `generated: uint8 [G, H, W, 3]`, and their texts, `label: int32 [G, L]`, padded with -1.

    They are added to the example of another transform. Padded lines have `generated_width: int32 [G]` too.

    views: augmentation of the images. texts: the texts to draw. charset: of the labels. count: number of images (G).
    distinct: how many different images are drawn; they are cached on disk, as drawing takes five times as long as
    augmenting. beside: the other transform; without one nothing of the record is kept. facts: adds the properties of
    each image: `boxes: float32 [G, L', 4]`, left, top, right, bottom of each character in pixels of the view, -1 for
    missing ones; `font` and `background: int32 [G]`; `colour: float32 [G, 3]`, of the text as drawn, 0 to 1.
    clean: adds `clean: uint8 [G, H, W, 3]`, the text of each image alone, black on white; of images without views.
    Raises UserError for views that may cut off a part of the text, or characters of no font.
    """

    def __init__(
        self, views: str, texts: variety.Texts, charset: Charset, count: int, distinct: int,
        beside: Callable | None = None, facts: bool = False, clean: bool = False,
    ):  # fmt: skip
        self.views, self.texts, self.count, self.beside = label_preserving(views), texts, count, beside
        self.distinct, self.facts, self.clean = distinct, facts, clean
        self.ids = {character: charset.encode(charset.normalize(character)) for character in texts.all_characters()}
        self.longest = texts.longest() * max(map(len, self.ids.values()))
        texts.check()
        self.cache = DiskCache()

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        resize = "pad" if "width" in record else "stretch"
        drawn = [
            Record(self.draw(int(rng.integers(self.distinct)), *record["image"].shape[:2], resize), others_of(record))
            for _ in range(self.count)
        ]
        if self.facts:
            views, facts = zip(*(self._with_facts(record, rng) for record in drawn))
            example = {name: np.stack([row[name] for row in facts]) for name in FACTS}
        else:
            views, example = [augment(self.views, record, rng) for record in drawn], {}
        example |= {"generated": np.stack(views), "label": np.stack([record["label"] for record in drawn])}
        if resize == "pad":
            example["generated_width"] = np.stack([record["width"] for record in drawn])
        if self.clean:
            example["clean"] = np.stack([record["clean"] for record in drawn])
        return {**(self.beside(record, rng) if self.beside else {}), **example}

    def close(self) -> None:
        """Removes the cached images."""
        self.cache.close()

    def draw(self, seed: int, height: int, width: int, resize: str) -> dict:
        """A generated image, resized, as a record with its label and properties."""
        fields = [("image", np.uint8, (height, width, 3)), ("width", np.int32), ("label", np.int32, (self.longest,)),
                  ("boxes", np.float32, (self.texts.longest(), 4)), ("font", np.int32), ("background", np.int32),
                  ("colour", np.float32, (3,)), *([("clean", np.uint8, (height, width, 3))] if self.clean else [])
                  ]  # fmt: skip
        dtype = np.dtype(fields)
        row = self.cache.get(seed, dtype)
        if row is None:
            row = np.zeros((), dtype)
            for name, value in self.render(seed, height, width, resize).items():
                row[name] = value
            row = row[()]
            self.cache.put(seed, row)
        return {name: row[name] for name in dtype.names if name != "width" or resize == "pad"}

    def render(self, seed: int, height: int, width: int, resize: str) -> dict:
        """As `draw`, without the cache."""
        rng = np.random.default_rng(seed)
        for _ in range(REDRAWN):
            labelled, style = variety.draw_labelled(self.texts, rng)
            ids = [i for character in labelled.text for i in self.ids[character]]
            shown = images.resized_width(labelled.image.height, labelled.image.width, height, width, resize)
            if frames_needed(ids) <= frames_of(shown):
                break
        else:
            least, most = self.texts.lengths
            raise UserError(
                f"no text of {least} to {most} characters fits the frames of generated images of {height}x{width}: "
                "raise width or give a shorter length"
            )
        label, boxes = np.full(self.longest, -1, np.int32), np.full((self.texts.longest(), 4), -1, np.float32)
        label[: len(ids)] = ids
        boxes[: len(labelled.boxes)] = labelled.boxes * (
            2 * [shown / labelled.image.width, height / labelled.image.height]
        )
        clean = {}
        if self.clean:
            ink = np.where(labelled.ink[..., None], 0, 255).astype(np.uint8).repeat(3, axis=2)
            clean = {"clean": images.fit(ink, height, width, resize)[0]}
        return {
            **clean,
            "image": images.fit(np.asarray(labelled.image), height, width, resize)[0],
            "width": shown,
            "label": label,
            "boxes": boxes,
            "font": self.texts.font_names().index(style.fonts[0]),
            "background": BACKGROUNDS.index(style.background),
            "colour": labelled.colour / 255,
        }

    def _with_facts(self, record: dict, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
        """A view, and the properties of the image with the boxes moved along."""
        view, _, (across, right, along, down) = augment_with_geometry(self.views, record, rng)
        height, width = view.shape[:2]
        moved = record["boxes"] * np.float32([across, along] * 2) + np.float32([right * width, down * height] * 2)
        moved = moved.clip(0, np.float32([width, height] * 2))
        return view, {**record, "boxes": np.where(record["boxes"] < 0, record["boxes"], moved)}
