"""Which image to label next.

    random      in random order
    uncertain   the least certain prediction first
    diverse     the image first whose features are farthest from those of all labelled and chosen images (k-centre
                greedy by the Euclidean distance, Sener & Savarese 2018, arXiv:1708.00489). Theirs are activations of
                the last fully connected layer; these are the encoder's, averaged over the frames
    mixed       the image first whose characters are most in doubt, where a character that is predicted counts the less
                the more labelled and chosen images have it, with the same character as the likeliest other one

Self-training makes one wrong pair of characters sure, for example every 2 predicted as z. Such images are not
uncertain, but z with 2 as the likeliest other character is a group of its own to `mixed`, and the few 2 that are left
are rare characters.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from seqclr.data.hashes import uniform
from seqclr.errors import UserError
from seqclr.labelling.certainty import ImagePrediction

DEFAULT = "uncertain"
CHOSEN = 200  # images that a strategy puts in order, as it compares all images for each; the others follow at random
BLOCK = 256  # labelled images that are compared with all others at once
PRESENCE = 0.1  # weight of a character that no chosen image has, where an even doubt has sqrt(0.5)
TEST_SHARE, TEST_LEAST, TEST_MOST = 0.1, 100, 0.25  # of the images; a number of images; and at most this share of them
TEST_EVERY = 4  # one of so many images that are offered is of the test part


# the order


def order(
    strategy: str,
    predictions: Sequence[ImagePrediction],
    labelled: Collection[int] = (),
    seed: int = 0,
) -> list[int]:
    """The indices of the images that are not labelled, best first.

    predictions: of all images; `random` needs only their number. labelled: indices. seed: of the random order, which
    also decides between equal images.
    Raises UserError for an unknown strategy, and where the predictions lack what it needs.
    """
    if strategy not in STRATEGIES:
        raise UserError(f"strategy {strategy} is not known: {', '.join(STRATEGIES)}")
    done = set(labelled)
    free = [index for index in range(len(predictions)) if index not in done]
    random.Random(seed).shuffle(free)
    first = STRATEGIES[strategy](predictions, free, sorted(done)) if free else []
    return list(dict.fromkeys([*first, *free]))


def _random(predictions, free: list[int], labelled: list[int]) -> list[int]:
    return free


def _uncertain(predictions: Sequence[ImagePrediction], free: list[int], labelled: list[int]) -> list[int]:
    return sorted(free, key=lambda index: predictions[index].certainty)


def _diverse(predictions: Sequence[ImagePrediction], free: list[int], labelled: list[int]) -> list[int]:
    if predictions[0].features is None:
        raise UserError(f"the strategy diverse needs the features of an encoder: {WITHOUT}")
    features = np.stack([prediction.features for prediction in predictions]).astype(np.float64)
    points = features[free]
    centres = features[labelled] if labelled else points.mean(axis=0, keepdims=True)
    distance = np.full(len(free), np.inf)
    for start in range(0, len(centres), BLOCK):
        distance = np.minimum(distance, _squared_distances(points, centres[start : start + BLOCK]).min(axis=1))
    chosen = []
    for _ in range(min(CHOSEN, len(free))):
        farthest = int(distance.argmax())
        chosen.append(free[farthest])
        distance = np.minimum(distance, _squared_distances(points, points[[farthest]])[:, 0])
        distance[farthest] = -np.inf
    return chosen


def _squared_distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """`[N, M]` of `[N, D]` and `[M, D]`, by one matrix product: thousands of labels are compared at once."""
    squares = (np.square(each).sum(axis=1) for each in (points, others))
    return np.add.outer(*squares) - 2 * points @ others.T


def _mixed(predictions: Sequence[ImagePrediction], free: list[int], labelled: list[int]) -> list[int]:
    if predictions[0].alternatives is None:
        raise UserError(f"the strategy mixed needs the probabilities of characters: {WITHOUT}")
    groups, weights = _groups(predictions)
    times = np.zeros(groups.max(initial=0) + 1)
    for index in labelled:
        times[groups[index]] += 1
    groups, weights, chosen = groups[free], weights[free], []
    for _ in range(min(CHOSEN, len(free))):
        best = int((weights / (1 + times[groups])).sum(axis=1).argmax())
        chosen.append(free[best])
        times[groups[best]] += 1
        weights[best] = -1  # less than any other
    return chosen


def _groups(predictions: Sequence[ImagePrediction]) -> tuple[np.ndarray, np.ndarray]:
    """The groups of every image, `int [N, M]`, and its weights there: of every character of its text, and of every
    character with the likeliest other one. Where an image has fewer, the last ones have weight 0."""
    ids: dict[str | tuple[str, str], int] = {}
    rows = []
    for prediction in predictions:
        found = prediction.alternatives or ()
        row = [(each.character, PRESENCE) for each in found]
        row += [((each.character, each.other), each.probability**0.5) for each in found]
        rows.append([(ids.setdefault(group, len(ids)), weight) for group, weight in row])
    most = max(map(len, rows), default=0)
    padded = np.array([row + [(len(ids), 0.0)] * (most - len(row)) for row in rows]).reshape(len(rows), most, 2)
    return padded[..., 0].astype(int), padded[..., 1]


STRATEGIES: dict[str, Callable] = {"random": _random, "uncertain": _uncertain, "diverse": _diverse, "mixed": _mixed}
FEATURES = ("diverse",)  # strategies that need the features of predictions
WITHOUT = "this export gives none: export the run as ONNX, give the run, or choose random"


# the test part


def set_apart(names: Collection[str]) -> set[str]:
    """The names of the images of the test part, on which accuracy is measured.

    A hash of its name decides of every image, so that it stays in its part when images are added. A tenth of the
    images, or more if that is less than TEST_LEAST, but not more than TEST_MOST of them.
    """
    share = min(max(TEST_SHARE, TEST_LEAST / max(1, len(names))), TEST_MOST)
    return {name for name in names if uniform(name) < share}


def with_test_part(chosen: Sequence[int], test: Sequence[int]) -> Iterator[int]:
    """The chosen images, with an image of the test part, in random order, as every fourth while there are some."""
    rest = iter(random.Random(0).sample(list(test), len(test)))
    for number, index in enumerate(chosen, 1):
        yield index
        if number % (TEST_EVERY - 1) == 0:
            yield from itertools.islice(rest, 1)
    yield from rest
