"""The recipes of text lines: one fitted record (data/loader.py) to one example. Host wing: never imports
TensorFlow.

An example keeps the record's `index` and, where lines are padded, its `width`, the columns that are image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from seqclr.data import images, synth, variety
from seqclr.data.charset import FRAME_STRIDE, Charset, frames_needed
from seqclr.data.kept import Kept
from seqclr.errors import UserError
from seqclr.recipes.readable import check_readable
from seqclr.recipes.views import Views, single, split

FACTS = ("boxes", "font", "background", "colour")  # of a generated page
BACKGROUNDS = tuple(synth.BACKGROUNDS)
PAGES = 20_000  # different generated ones, kept once drawn: drawing a page takes ten times as long as changing it
REDRAWN = 1000  # times that a text is drawn anew that does not fit


class TwoViews:
    """Two independent views, `views: uint8 [2, H, W, 3]`, and where each shows the page, `geometry: float32 [2, 4]`.

    geometry: factor and offset of the way the page went, `x_view = fx * x_page + ox` in its widths, then fy and oy in
    its heights. A mirrored view has a factor below 0.
    """

    copies = 2

    def __init__(self, views: str):
        self.views, small = split(views)
        if small:
            raise UserError(f"views '{views}' gives small views, which this method does not take: choose other views")

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        images, _, geometry = zip(*(follow(views, record, rng) for views in self.views[: self.copies]))
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": np.stack(images), "geometry": np.stack(geometry), **rest}


class OneView(TwoViews):
    """The same with the first view alone."""

    copies = 1


class MultiCrop(TwoViews):
    """Two full views as of TwoViews, and the small ones of the preset, if it has any: `small: uint8 [S, h, w, 3]`, in
    `small_geometry: float32 [S, 4]` where they show the page, in widths and heights of the small view; `small_width`,
    the columns that are image, where lines are padded."""

    def __init__(self, views: str):
        self.views, self.small = split(views)
        if len({size for _, size in self.small}) > 1:
            raise UserError(f"views '{views}' gives small views of several sizes: take one size")

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        example = super().__call__(record, rng)
        if self.small:
            images, geometry, widths = map(np.stack, zip(*(part(*small, record, rng) for small in self.small)))
            example |= {"small": images, "small_geometry": geometry}
            if "width" in record:
                example["small_width"] = widths[0]
        return example


class MaskedViews:
    """Views with strips hidden: `views: uint8 [V, H, W, 3]`, `geometry: float32 [V, 4]` as in TwoViews, and what the
    strips show: `hidden: bool [V, W]`, the columns, `pages: uint8 [V, H, W]`, the page in gray, at the view's place but
    without its other changes.

    spans, span: how many strips, and how many columns each; they may overlap. A hidden column shows the view's mean.
    """

    def __init__(self, views: str, copies: int, spans: int, span: int):
        self.views, self.copies, self.spans, self.span = single(views), copies, spans, span

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        views, pages, geometry = map(np.stack, zip(*(follow(self.views, record, rng) for _ in range(self.copies))))
        hidden = np.stack([self._strips(filled(record), record["image"].shape[1], rng) for _ in range(self.copies)])
        for view, columns in zip(views, hidden):
            view[:, columns] = view[:, : filled(record)].mean((0, 1))
        gray = pages.mean(-1).round().astype(np.uint8)
        rest = {key: value for key, value in record.items() if key != "image"}
        return {"views": views, "geometry": geometry, "hidden": hidden, "pages": gray, **rest}

    def _strips(self, width: int, whole: int, rng: np.random.Generator) -> np.ndarray:
        columns = np.zeros(whole, bool)
        for start in rng.integers(0, max(1, width - self.span + 1), self.spans):
            columns[start : start + self.span] = True
        return columns


class GeneratedPages:
    """Pages that the generator draws, `generated: uint8 [G, H, W, 3]`, and their texts, `label: int32 [G, L]` filled
    with -1, beside what another recipe makes of the record; `generated_width: int32 [G]` where lines are padded.

    views: augmentation of the pages. texts: what they may show. charset: of the labels. count: how many (G).
    beside: the other recipe; without one nothing of the record is kept. facts: whether an example tells more of each
    page: `boxes: float32 [G, L', 4]`, left, top, right, bottom of each character in pixels of the view, -1 where there
    is none; `font` and `background: int32 [G]`; `colour: float32 [G, 3]`, of the text as it was drawn, 0 to 1.
    Raises UserError for views that may cut off a part of the text, or characters of no font.
    """

    def __init__(
        self, views: str, texts: variety.Texts, charset: Charset, count: int, beside: Callable | None = None,
        facts: bool = False,
    ):  # fmt: skip
        self.views, self.texts, self.count, self.beside = whole(views), texts, count, beside
        self.facts = facts
        self.ids = {character: charset.encode(charset.normalize(character)) for character in texts.characters}
        self.longest = texts.lengths[1] * max(map(len, self.ids.values()))
        variety.text_fonts(texts.characters, texts.fonts)
        self.kept = Kept()

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        resize = "pad" if "width" in record else "stretch"
        pages = [self.page(int(rng.integers(PAGES)), *record["image"].shape[:2], resize) for _ in range(self.count)]
        if self.facts:
            views, facts = zip(*(self._told(page, rng) for page in pages))
            example = {name: np.stack([page[name] for page in facts]) for name in FACTS}
        else:
            views, example = [augment(self.views, page, rng) for page in pages], {}
        example |= {"generated": np.stack(views), "label": np.stack([page["label"] for page in pages])}
        if resize == "pad":
            example["generated_width"] = np.stack([page["width"] for page in pages])
        return {**(self.beside(record, rng) if self.beside else {}), **example}

    def close(self) -> None:
        """Drops the pages that are kept."""
        self.kept.close()

    def page(self, seed: int, height: int, width: int, resize: str) -> dict:
        """A fitted page as a record, with its label and the facts of it."""
        fields = [("image", np.uint8, (height, width, 3)), ("width", np.int32), ("label", np.int32, (self.longest,)),
                  ("boxes", np.float32, (self.texts.lengths[1], 4)), ("font", np.int32), ("background", np.int32),
                  ("colour", np.float32, (3,))]  # fmt: skip
        dtype = np.dtype(fields)
        row = self.kept.get(seed, dtype)
        if row is None:
            row = np.zeros((), dtype)
            for name, value in self._draw(seed, height, width, resize).items():
                row[name] = value
            row = row[()]
            self.kept.put(seed, row)
        return {name: row[name] for name in dtype.names if name != "width" or resize == "pad"}

    def _draw(self, seed: int, height: int, width: int, resize: str) -> dict:
        rng = np.random.default_rng(seed)
        for _ in range(REDRAWN):
            page, style = variety.draw_page(self.texts, rng)
            ids = [i for character in page.text for i in self.ids[character]]
            shown = images.fitted_width(page.image.height, page.image.width, height, width, resize)
            if frames_needed(ids) <= -(-shown // FRAME_STRIDE):
                break
        else:
            least, most = self.texts.lengths
            raise UserError(
                f"no text of {least} to {most} characters fits the frames of generated images of {height}x{width}: "
                "raise width or give a shorter length"
            )
        label, boxes = np.full(self.longest, -1, np.int32), np.full((self.texts.lengths[1], 4), -1, np.float32)
        label[: len(ids)] = ids
        boxes[: len(page.boxes)] = page.boxes * (2 * [shown / page.image.width, height / page.image.height])
        return {
            "image": images.fit(np.asarray(page.image), height, width, resize)[0],
            "width": shown,
            "label": label,
            "boxes": boxes,
            "font": list(variety.text_fonts(self.texts.characters, self.texts.fonts)).index(style.fonts[0]),
            "background": BACKGROUNDS.index(style.background),
            "colour": page.colour / 255,
        }

    def _told(self, page: dict, rng: np.random.Generator) -> tuple[np.ndarray, dict]:
        """A view, and the facts of the page with the boxes where they are in it."""
        view, _, (across, right, along, down) = follow(self.views, page, rng)
        height, width = view.shape[:2]
        moved = page["boxes"] * np.float32([across, along] * 2) + np.float32([right * width, down * height] * 2)
        moved = moved.clip(0, np.float32([width, height] * 2))
        return view, {**page, "boxes": np.where(page["boxes"] < 0, page["boxes"], moved)}


class Labelled:
    """One view with its text: `image: uint8 [H, W, 3]`, `label: int32 [L]` filled with -1.

    Raises UserError for views that may cut off a part of the text.
    """

    def __init__(self, views: str, labels: Sequence[Sequence[int]]):
        self.views = whole(views)
        self.labels = np.full((len(labels), max(1, max(map(len, labels)))), -1, np.int32)
        for row, label in zip(self.labels, labels):
            row[: len(label)] = label

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        return {**record, "image": augment(self.views, record, rng), "label": self.labels[record["index"]]}


class Unlabelled:
    """A weak view, if one is named, and a strong one, `weak` and `strong: uint8 [H, W, 3]`; a `width` is called
    `unlabelled_width`, as a batch has labelled lines beside. Raises UserError for views that may cut off a part of the
    text."""

    def __init__(self, weak: str | None, strong: str):
        self.views = {name: whole(views) for name, views in (("weak", weak), ("strong", strong)) if views}

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        seen = {name: augment(views, record, rng) for name, views in self.views.items()}
        return {**seen, "unlabelled_width": record["width"]} if "width" in record else seen


def whole(views: str) -> Views:
    """Views that keep all of the text; UserError for others."""
    made = single(views)
    if made.cuts:
        raise UserError(f"views '{views}' cut off parts of the page, so labels would be wrong: take another preset")
    check_readable(views)
    return made


def augment(views: Views, record: dict, rng: np.random.Generator) -> np.ndarray:
    """A view of what is image in a record; its padding stays as it is."""
    image, width = record["image"], filled(record)
    return _padded(image, views(np.ascontiguousarray(image[:, :width]), rng))


def follow(views: Views, record: dict, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `augment`, with what `Views.follow` tells; the geometry counts in widths of the whole record."""
    image, width = record["image"], filled(record)
    view, page, geometry = views.follow(np.ascontiguousarray(image[:, :width]), rng)
    geometry[1] *= width / image.shape[1]
    return _padded(image, view), _padded(image, page), geometry


def part(views: Views, size: tuple[float, float], record: dict, rng: np.random.Generator):
    """A small view, its geometry, and its columns that are image; `size`: factors of the record's."""
    image, width = record["image"], filled(record)
    view, _, geometry = views.follow(np.ascontiguousarray(image[:, :width]), rng)
    shown, whole = view.shape[1], max(1, round(image.shape[1] * size[1]))
    geometry[:2] *= shown / whole
    geometry[0] *= image.shape[1] / width
    padding = np.repeat(image[: len(view), -1:], whole - shown, axis=1)
    return np.concatenate([view, padding], axis=1), geometry, np.int32(shown)


def filled(record: dict) -> int:
    """The columns of a record that are image."""
    return int(record.get("width", record["image"].shape[1]))


def _padded(image: np.ndarray, view: np.ndarray) -> np.ndarray:
    if view.shape == image.shape:
        return view
    result = image.copy()
    result[:, : view.shape[1]] = view
    return result
