"""Two views of a line and the characters in it, found by their ink. Host side: never imports TensorFlow."""

from __future__ import annotations

import cv2
import numpy as np

from seqclr.transforms.apply import content_width
from seqclr.transforms.saliency import find_ink
from seqclr.transforms.two_views import TwoViews

LEAST_AREA = 0.02  # of a component, in squares of the height: 20 pixels at height 32
BROADEST = 0.8  # of a character, in heights


class CharacterViews(TwoViews):
    """As TwoViews, with `characters: float32 [most, 2]`: the first and the last column of each character of the image,
    in widths of the image, from left to right. Rows beyond the characters are zero; of more, a random part is kept.
    """

    def __init__(self, views: str, most: int):
        super().__init__(views)
        self.most = most

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        width = content_width(record)
        spans = character_spans(record["image"][:, :width])
        example = super().__call__(record, rng)
        kept = np.sort(rng.permutation(len(spans))[: self.most])
        characters = np.zeros((self.most, 2), np.float32)
        characters[: len(kept)] = spans[kept] / record["image"].shape[1]
        return {**example, "characters": characters}


def character_spans(image: np.ndarray) -> np.ndarray:
    """The first column of each character of a line `uint8 [H, W, 3]` and that after its last, `int [N, 2]`.

    Characters are connected components of ink (Guan et al. 2023, arXiv:2211.00288). Those above each other, such as
    dots, accents and broken strokes, are joined; those broader than BROADEST are cut where they have the least ink.
    """
    ink = find_ink(image)
    _, _, stats, _ = cv2.connectedComponentsWithStats(ink)
    large = stats[1:][stats[1:, cv2.CC_STAT_AREA] >= LEAST_AREA * len(image) ** 2]
    starts = large[:, cv2.CC_STAT_LEFT]
    spans: list[tuple[int, int]] = []
    for first, last in sorted(zip(starts, starts + large[:, cv2.CC_STAT_WIDTH])):
        if spans and 2 * (min(last, spans[-1][1]) - first) > min(last - first, spans[-1][1] - spans[-1][0]):
            spans[-1] = spans[-1][0], max(last, spans[-1][1])
        else:
            spans.append((first, last))
    profile = ink.sum(0, dtype=int)
    pieces = [piece for span in spans for piece in cut(*span, profile, BROADEST * len(image))]
    return np.array(pieces, int).reshape(-1, 2)


def cut(first: int, last: int, profile: np.ndarray, broadest: float) -> list[tuple[int, int]]:
    """The span in pieces no broader than `broadest`, cut in the middle third at the column of the least ink."""
    width = last - first
    if width <= broadest:
        return [(first, last)]
    middle = first + width // 3
    at = middle + int(np.argmin(profile[middle : last - width // 3]))
    return cut(first, at, profile, broadest) + cut(at, last, profile, broadest)
