"""Triplets and clips: what is in order is, and what is not is not."""

import numpy as np
import pytest

from seqclr.transforms.order import (
    OddOneOut,
    Triplet,
    draw_by_motion,
    same_view,
    shuffled_order,
    stack_of_differences,
    sum_of_differences,
)
from seqclr.transforms.views import Views


def sequence(count):
    """Frames that show their number; record as data/sequences.py makes it."""
    frames = [np.full((8, 8, 3), i, np.uint8) for i in range(count)]
    return {"frames": frames, "index": np.int32(4)}


def line():
    """A ramp, by which a slice tells where it was."""
    return {"image": np.tile(np.arange(240, dtype=np.uint8)[None, :, None], (16, 1, 3)), "index": np.int32(4)}


def many(transform, record, count=200):
    rng = np.random.default_rng(0)
    return [transform(record, rng) for _ in range(count)]


@pytest.mark.parametrize("count", [5, 6, 7, 8, 20, 91, 150])
@pytest.mark.parametrize(("tau_max", "tau_min"), [(60, 15), (2, 100), (60, 1), (2, 1)])
def test_positions_are_apart_as_far_as_the_sequence_allows(count, tau_max, tau_min):
    transform, rng = Triplet("none", tau_max, tau_min, 0.25), np.random.default_rng(0)
    drawn = np.array([transform.positions(count, rng) for _ in range(200)])
    assert drawn.min() >= 0 and drawn.max() < count
    a, b, c, d, e = drawn.T
    least = np.minimum(b - a, e - d)
    assert (a < b).all() and (b < c).all() and (c < d).all() and (d < e).all() and (d - b <= tau_max).all()
    if count > tau_max + 2 * tau_min:
        assert (least >= tau_min).all() and (d - b).max() > 0.8 * tau_max


def test_a_triplet_is_labelled_by_its_order():
    examples = many(Triplet("none", 60, 15, 0.25), sequence(40))
    kinds = set()
    for example in examples:
        first, middle, last = example["views"][:, 0, 0, 0].astype(int)
        inside = min(first, last) < middle < max(first, last)
        assert inside == example["label"] and example["index"] == 4
        kinds.add((inside, first < last, middle > max(first, last)))
    assert kinds == {(True, True, False), (True, False, False), (False, True, True), (False, True, False)}
    assert 0.15 < np.mean([example["label"] for example in examples]) < 0.35


def test_a_line_is_in_order_only_as_it_is_read():
    examples = many(Triplet("none", 60, 15, 0.5), line())
    orders = {0: set(), 1: set()}
    for example in examples:
        positions = example["views"].mean((1, 2, 3)) // 40
        orders[int(example["label"])].add(tuple(np.argsort(np.argsort(positions)).tolist()))
    assert orders[1] == {(0, 1, 2)} and orders[0] == {(1, 0, 2), (0, 2, 1), (2, 1, 0)}


def test_what_moves_is_drawn_by_how_much():
    frames = [np.full((2, 2, 3), value, np.uint8) for value in (0, 0, 30, 90)]
    rng = np.random.default_rng(0)
    drawn = np.bincount([draw_by_motion([(0, 1), (0, 2), (0, 3)], frames, rng) for _ in range(2000)], minlength=3)
    np.testing.assert_allclose(drawn / 2000, [0, 0.25, 0.75], atol=0.04)
    assert set(draw_by_motion([(0, 1), (1, 0)], frames, rng) for _ in range(20)) == {0, 1}


@pytest.mark.parametrize("count", [3, 4, 6])
def test_disorder_is_no_order(count):
    rng = np.random.default_rng(0)
    drawn = {tuple(shuffled_order(count, rng).tolist()) for _ in range(500)}
    assert all(sorted(order) == list(range(count)) for order in drawn)
    assert not drawn & {tuple(range(count)), tuple(reversed(range(count)))} and len(drawn) >= 4


def test_the_sum_of_differences_is_of_all_pairs():
    frames = np.random.default_rng(0).integers(0, 256, (4, 5, 6, 3)).astype(np.uint8)
    pairs = sum(frames[j].astype(float) - frames[i] for j in range(4) for i in range(j))
    np.testing.assert_allclose(
        sum_of_differences(frames), 127.5 + pairs / 8, atol=0.51
    )  # 3 + 1 of weight each way, halved
    extremes = np.array([0, 0, 255, 255], np.uint8)[:, None, None, None]
    assert sum_of_differences(extremes).item() == 255 and sum_of_differences(extremes[::-1]).item() == 0


@pytest.mark.parametrize("count", [6, 9, 60])
def test_one_clip_is_out_of_order(count):
    """Frames that grow by one: the sum of differences of a clip in order is known, and the highest there is."""
    for example in many(OddOneOut("none", 6, 6), sequence(count), 60):
        pictures, length = example["views"][:, 0, 0, 0].astype(int), min(6, count // 2)
        ordered = sum_of_differences(np.arange(length, dtype=np.uint8)[:, None, None, None]).item()
        expected = np.full(6, ordered)
        if length < 5:  # of more, some disorder is lost in rounding
            assert pictures[example["label"]] <= ordered
        expected[example["label"]] = pictures[example["label"]]
        np.testing.assert_array_equal(pictures, expected)
    assert example["views"].shape == (6, 8, 8, 3)


def test_clips_of_a_line_are_neighbours_side_by_side():
    labels = set()
    for example in many(OddOneOut("none", 4, 6), line(), 60):
        assert example["views"].shape == (4, 16, 120, 3)
        positions = example["views"].reshape(4, 16, 3, 40, 3).mean((1, 3, 4)).astype(int) // 40
        for i, clip in enumerate(positions):
            assert sorted(clip - clip.min()) == [0, 1, 2]
            assert ((np.diff(clip) == 1).all()) == (i != example["label"])
        labels.add(int(example["label"]))
    assert labels == {0, 1, 2, 3}


def test_frames_are_seen_alike():
    frames = np.full((3, 16, 16, 3), 120, np.uint8)
    first, *others = same_view(Views("strong"), frames, np.random.default_rng(1))
    assert all((other == first).all() for other in others)


def test_a_stack_has_the_differences_of_neighbours():
    frames = np.random.default_rng(0).integers(0, 256, (4, 6, 5, 3), np.uint8)
    stack = stack_of_differences(frames).astype(float)
    assert stack.shape == (6, 5, 9)
    for i in range(3):
        half = (frames[i + 1].astype(float) - frames[i]) / 2
        assert np.abs(stack[..., 3 * i : 3 * i + 3] - 127.5 - half).max() <= 0.5
    clips = OddOneOut("none", 4, 5, "stack")(sequence(12), np.random.default_rng(1))
    assert clips["views"].shape == (4, 8, 8, 12)
    InOrder = [(clip == 128).all() for clip in clips["views"]]  # the frames count up by one
    assert InOrder.count(False) == 1 and not InOrder[clips["label"]]
