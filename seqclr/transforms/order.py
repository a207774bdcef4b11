"""Frames in and out of order. Host side: never imports TensorFlow.

The frames are those of a sequence (data/sequences.py), whose record has `frames`, or the slices of a line in reading
order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.data.dataset import Others
from seqclr.transforms.apply import others_of
from seqclr.transforms.slices import slices
from seqclr.transforms.views import Views, single

SLICES = 6  # of a line
CANDIDATES = 8  # random positions in a sequence, of which one is drawn in proportion to its motion


class Triplet:
    """Three frames, `views: uint8 [3, H, W, 3]`, and whether they are in order, `label: int32`.

    For frames a < b < c < d < e, the triplet (b, c, d) is in order, and in a sequence (d, c, b) is too, as motion may
    be reversed; (b, a, d) and (b, e, d) are not. In a line, (d, c, b) is not in order either.
    Misra et al. 2016 (Shuffle and Learn), arXiv:1603.08561.

    views: augmentation, the same for all three. tau_max: largest distance of b and d, in frames. tau_min: smallest
    distance of a and b, and of d and e. positives: fraction of examples that are in order.
    """

    shortest = 5  # frames that a sequence needs

    def __init__(self, views: str, tau_max: int, tau_min: int, positives: float):
        self.views, self.tau_max, self.tau_min, self.positives = single(views), tau_max, tau_min, positives

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        frames, line = frames_of(record)
        candidates = [self.positions(len(frames), rng) for _ in range(CANDIDATES)]
        a, b, c, d, e = candidates[draw_by_motion([(b, d) for _, b, _, d, _ in candidates], frames, rng)]
        label = rng.random() < self.positives
        ordered, others = [(b, c, d)], [(b, a, d), (b, e, d)]
        (others if line else ordered).append((d, c, b))
        kinds = ordered if label else others
        shown = [frames[position] for position in kinds[rng.integers(len(kinds))]]
        return {
            "views": same_view(self.views, shown, rng, others_of(record)),
            "label": np.int32(label),
            "index": record["index"],
        }

    def positions(self, count: int, rng: np.random.Generator) -> list[int]:
        """Positions of a to e in a sequence of `count` frames, at least 5; the distances shrink in short ones."""
        share = min(1.0, (count - 1) / (self.tau_max + 2 * self.tau_min))
        least = min(max(1, int(share * self.tau_min)), (count - 3) // 2)
        most = min(max(2, int(share * self.tau_max)), count - 1 - 2 * least)
        gap = int(rng.integers(2, most, endpoint=True))
        b = int(rng.integers(least, count - 1 - least - gap, endpoint=True))
        d = b + gap
        a, c, e = rng.integers((0, b + 1, d + least), (b - least, d - 1, count - 1), endpoint=True)
        return [int(a), b, int(c), d, int(e)]


class OddOneOut:
    """Clips of a sequence, one with its frames out of order: `views: uint8 [N, H, W, C]`, one image for each clip, and
    the index of the shuffled one, `label: int32`. Fernando et al. 2017 (O3N), arXiv:1611.06646.

    The image of a clip has 3 channels, the sum of the differences of all pairs of its frames, or 3 for each difference
    of neighbouring frames, scaled to bytes. In a line, it is some neighbouring slices side by side.

    views: augmentation, the same for all frames of a clip. clips: their number (N). frames: in a clip, at most half of
    the sequence, as clips would not differ otherwise. image: one of CLIP_IMAGES.
    """

    shortest = 6  # frames that a sequence needs

    def __init__(self, views: str, clips: int, frames: int, image: str = "sum"):
        self.views, self.clips, self.frames, self.image = single(views), clips, frames, CLIP_IMAGES[image]

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        frames, line = frames_of(record)
        length = min(self.frames, max(3, len(frames) // 2))
        label = int(rng.integers(self.clips))
        starts = len(frames) - length + 1
        clip_images = []
        for i, start in enumerate(rng.choice(starts, self.clips, replace=starts < self.clips)):
            order = shuffled_order(length, rng) if i == label else range(length)
            shown = same_view(self.views, [frames[start + position] for position in order], rng, others_of(record))
            clip_images.append(np.concatenate(shown, axis=1) if line else self.image(shown))
        return {"views": np.stack(clip_images), "label": np.int32(label), "index": record["index"]}


def frames_of(record: dict) -> tuple[Sequence[np.ndarray], bool]:
    """The frames of a record, and whether they are the slices of a line."""
    if "frames" in record:
        return record["frames"], False
    return slices(record, SLICES, record["image"].shape[1] // SLICES), True


def draw_by_motion(pairs: list[tuple[int, int]], frames: Sequence[np.ndarray], rng: np.random.Generator) -> int:
    """The index of a pair of frames, drawn in proportion to the mean absolute difference of the two."""
    motion = [np.abs(frames[first].astype(np.int16) - frames[last]).mean() for first, last in pairs]
    weights = np.array(motion) + 1e-3  # without motion, all have the same probability
    return int(rng.choice(len(pairs), p=weights / weights.sum()))


def shuffled_order(count: int, rng: np.random.Generator) -> np.ndarray:
    """A permutation of at least 3 that is neither ascending nor descending, as parts of a sequence may be."""
    while True:
        order = rng.permutation(count)
        if not (np.diff(order) > 0).all() and not (np.diff(order) < 0).all():
            return order


def same_view(
    views: Views, frames: Sequence[np.ndarray], rng: np.random.Generator, others: Others | None = None
) -> np.ndarray:
    """The same augmentation of all frames, `uint8 [N, H, W, 3]`. others: as of `Views`."""
    seed = int(rng.integers(2**31))
    return np.stack([views(frame, np.random.default_rng(seed), others) for frame in frames])


def sum_of_differences(frames: np.ndarray) -> np.ndarray:
    """The sum of `frame j - frame i` over all i < j of `uint8 [N, H, W, 3]`, scaled to bytes; 127.5 is none."""
    weights = np.arange(len(frames)) * 2.0 - (len(frames) - 1)
    total = np.tensordot(weights, frames.astype(np.float32), axes=1)
    return np.rint(127.5 + total / (2 * weights[weights > 0].sum())).clip(0, 255).astype(np.uint8)


def stack_of_differences(frames: np.ndarray) -> np.ndarray:
    """The differences of neighbours of `uint8 [N, H, W, 3]` as channels, `uint8 [H, W, 3 * (N - 1)]`, halved; 127.5 is
    none."""
    differences = np.diff(frames.astype(np.float32), axis=0)
    return np.rint(127.5 + np.concatenate(list(differences), axis=-1) / 2).astype(np.uint8)


CLIP_IMAGES = {"sum": sum_of_differences, "stack": stack_of_differences}
