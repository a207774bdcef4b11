"""Frames in and out of order. Host side: never imports TensorFlow.

The frames are those of a sequence (data/sequences.py), whose record has `frames`; of a line its slices, in the order in
which they are read.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from seqclr.transforms.slices import slices
from seqclr.transforms.views import Views, single

SLICES = 6  # of a line
CANDIDATES = 8  # places in a sequence, of which one is drawn by how much moves there


class Triplet:
    """Three frames, `views: uint8 [3, H, W, 3]`, and whether they are in order, `label: int32`.

    Of a < b < c < d < e in order are (b, c, d) and, in a sequence, (d, c, b), as what moves may also move back; not in
    order are (b, a, d) and (b, e, d). A line is read one way, so (d, c, b) is not in order either.
    Misra et al. 2016 (Shuffle and Learn), arXiv:1603.08561.

    views: augmentation, the same for the three. tau_max: frames from b to d, at most. tau_min: from a to b and from d
    to e, at least. positives: the share that is in order.
    """

    shortest = 5  # frames that a sequence needs

    def __init__(self, views: str, tau_max: int, tau_min: int, positives: float):
        self.views, self.tau_max, self.tau_min, self.positives = single(views), tau_max, tau_min, positives

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        frames, line = frames_of(record)
        candidates = [self.positions(len(frames), rng) for _ in range(CANDIDATES)]
        a, b, c, d, e = candidates[moving([(b, d) for _, b, _, d, _ in candidates], frames, rng)]
        label = rng.random() < self.positives
        ordered, others = [(b, c, d)], [(b, a, d), (b, e, d)]
        (others if line else ordered).append((d, c, b))
        kinds = ordered if label else others
        shown = [frames[position] for position in kinds[rng.integers(len(kinds))]]
        return {"views": alike(self.views, shown, rng), "label": np.int32(label), "index": record["index"]}

    def positions(self, count: int, rng: np.random.Generator) -> list[int]:
        """a to e, somewhere in a sequence of so many frames, at least 5; both gaps shrink with a short one."""
        share = min(1.0, (count - 1) / (self.tau_max + 2 * self.tau_min))
        least = min(max(1, int(share * self.tau_min)), (count - 3) // 2)
        most = min(max(2, int(share * self.tau_max)), count - 1 - 2 * least)
        gap = int(rng.integers(2, most, endpoint=True))
        b = int(rng.integers(least, count - 1 - least - gap, endpoint=True))
        d = b + gap
        a, c, e = rng.integers((0, b + 1, d + least), (b - least, d - 1, count - 1), endpoint=True)
        return [int(a), b, int(c), d, int(e)]


class OddOneOut:
    """Clips of a sequence, one of which has its frames out of order: `views: uint8 [N, H, W, 3]`, a picture for each,
    and which one it is, `label: int32`.

    The picture of a clip is the sum of the differences of all its pairs of frames, scaled into the range of a byte. A
    line is cut into slices, and the picture of a clip is some neighbours side by side. Fernando et al. 2017 (O3N),
    arXiv:1611.06646.

    views: augmentation, the same for all frames of a clip. clips: how many (N). frames: of a clip, which has at most
    half of a sequence's, or clips would not differ.
    """

    shortest = 6  # frames that a sequence needs

    def __init__(self, views: str, clips: int, frames: int):
        self.views, self.clips, self.frames = single(views), clips, frames

    def __call__(self, record: dict, rng: np.random.Generator) -> dict:
        frames, line = frames_of(record)
        length = min(self.frames, max(3, len(frames) // 2))
        label = int(rng.integers(self.clips))
        starts = len(frames) - length + 1
        pictures = []
        for i, start in enumerate(rng.choice(starts, self.clips, replace=starts < self.clips)):
            order = disorder(length, rng) if i == label else range(length)
            shown = alike(self.views, [frames[start + position] for position in order], rng)
            pictures.append(np.concatenate(shown, axis=1) if line else differences(shown))
        return {"views": np.stack(pictures), "label": np.int32(label), "index": record["index"]}


def frames_of(record: dict) -> tuple[Sequence[np.ndarray], bool]:
    """The frames of a record, and whether they are the slices of a line."""
    if "frames" in record:
        return record["frames"], False
    return slices(record, SLICES, record["image"].shape[1] // SLICES), True


def moving(pairs: list[tuple[int, int]], frames: Sequence[np.ndarray], rng: np.random.Generator) -> int:
    """Which of the pairs of frames, drawn by the mean absolute difference of the two."""
    motion = [np.abs(frames[first].astype(np.int16) - frames[last]).mean() for first, last in pairs]
    weights = np.array(motion) + 1e-3  # where nothing moves all are alike
    return int(rng.choice(len(pairs), p=weights / weights.sum()))


def disorder(count: int, rng: np.random.Generator) -> np.ndarray:
    """An order of at least 3 that is neither the one there is nor its reverse, which runs of a sequence may have."""
    while True:
        order = rng.permutation(count)
        if not (np.diff(order) > 0).all() and not (np.diff(order) < 0).all():
            return order


def alike(views: Views, frames: Sequence[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """The same view of all frames."""
    seed = int(rng.integers(2**31))
    return np.stack([views(frame, np.random.default_rng(seed)) for frame in frames])


def differences(frames: np.ndarray) -> np.ndarray:
    """The sum of `frame j - frame i` over all i < j of `uint8 [W, H, W, 3]`, scaled to bytes, 127.5 for none."""
    weights = np.arange(len(frames)) * 2.0 - (len(frames) - 1)
    total = np.tensordot(weights, frames.astype(np.float32), axes=1)
    return np.rint(127.5 + total / (2 * weights[weights > 0].sum())).clip(0, 255).astype(np.uint8)
