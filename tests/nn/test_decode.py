"""Decoding against TensorFlow's decoder and against all paths of a small problem."""

import itertools
from collections import defaultdict

import numpy as np
import pytest
import tensorflow as tf

from seqclr.nn import decode

CHARACTERS = "ab"
BLANK = len(CHARACTERS)


def logits_of(seed: int, batch: int, frames: int, classes: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 2, (batch, frames, classes)).astype(np.float32)


def mask_of(lengths: np.ndarray, frames: int) -> np.ndarray:
    return np.arange(frames)[None] < lengths[:, None]


def texts_of(ids: tf.Tensor, characters: str) -> list[str]:
    return [text.decode() for text in decode.join(ids, characters).numpy()]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("characters", ["a", "abc", "0123456789"])
def test_greedy_is_that_of_tensorflow(characters, masked):
    batch, frames = 64, 12
    logits = logits_of(len(characters), batch, frames, len(characters) + 1)
    lengths = np.random.default_rng(1).integers(1, frames + 1, batch) if masked else np.full(batch, frames)
    ids, confidence = decode.greedy(tf.constant(logits), tf.constant(mask_of(lengths, frames)) if masked else None)
    [expected], negative_sums = tf.nn.ctc_greedy_decoder(logits.transpose(1, 0, 2), lengths.astype(np.int32))
    expected = tf.sparse.to_dense(expected, default_value=len(characters))
    assert texts_of(ids, characters) == texts_of(expected, characters)
    assert len(set(texts_of(ids, characters))) > 1
    probabilities = tf.nn.softmax(logits).numpy().max(axis=-1)
    path = np.where(mask_of(lengths, frames), probabilities, 1.0).prod(axis=1)
    np.testing.assert_allclose(confidence, path, rtol=1e-4)


def test_greedy_drops_repeats_and_blanks_but_keeps_what_a_blank_parts():
    best = [0, 0, BLANK, 0, 1, 1, BLANK, BLANK]
    ids, confidence = decode.greedy(tf.one_hot([best], BLANK + 1) * 100.0)
    assert texts_of(ids, CHARACTERS) == ["aab"] and float(confidence[0]) == pytest.approx(1)
    assert ids.dtype == tf.int32 and ids.shape == (1, 8)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("masked", [False, True])
def test_a_wide_beam_search_is_brute_force(seed, masked):
    frames = 5
    logits = logits_of(seed, 4, frames, BLANK + 1)
    lengths = np.array([5, 3, 1, 4]) if masked else np.full(4, frames)
    valid = tf.constant(mask_of(lengths, frames)) if masked else None
    ids, confidence = decode.beam_search(tf.constant(logits), valid, 500)
    for row, text, found, length in zip(logits, texts_of(ids, CHARACTERS), confidence.numpy(), lengths):
        probabilities = tf.nn.softmax(row[:length]).numpy()
        sums = defaultdict(float)
        for path in itertools.product(range(BLANK + 1), repeat=int(length)):
            collapsed = "".join(CHARACTERS[i] for i, _ in itertools.groupby(path) if i != BLANK)
            sums[collapsed] += probabilities[range(length), path].prod()
        assert text == max(sums, key=sums.get)
        assert found == pytest.approx(sums[text], rel=1e-4)


def test_join_leaves_blanks_out_wherever_they_stand():
    ids = tf.constant([[BLANK, 1, BLANK, 0], [BLANK] * 4, [0, 0, 1, 1]])
    assert texts_of(ids, CHARACTERS) == ["ba", "", "aabb"]
    assert decode.join(tf.constant([[1, 0]]), "é日").numpy()[0].decode() == "日é"
