"""Cross-entropy of anchors and keys in memory that is linear in their number, not quadratic."""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

from seqclr.losses.common import products

LIMIT = 2**26  # elements of the matrix of logits, 256 MiB; a larger one is computed in chunks of rows

Allowed = Callable[[tf.Tensor], tf.Tensor]


def cross_entropy(anchors, keys, partners, allowed: Allowed | None = None) -> tf.Tensor:
    """The mean over the anchors of -log softmax of the dot product with the partner, among those with allowed keys.

    anchors, keys: `[N, D]` and `[M, D]`, float32. partners: `int32 [N]`, the index of each anchor's key.
    allowed: a function of anchor indices `int32 [n]` to the keys in their softmax, `bool [n, M]`; None: all. Partners
    are always included. The backward pass recomputes the logits. There is no second derivative.
    """
    count, width = tf.shape(anchors)[0], tf.shape(keys)[0]
    size = tf.clip_by_value(LIMIT // tf.maximum(width, 1), 1, tf.maximum(count, 1))
    chunks = tf.maximum(-(-count // size), 1)  # one without rows where there are no anchors: the mean is then NaN

    def logits_of(chunk, anchors, keys):
        """The chunk's anchors, their logits, and their partners' indices."""
        indices = tf.range(chunk * size, tf.minimum(count, (chunk + 1) * size))
        rows, targets = tf.gather(anchors, indices), tf.gather(partners, indices)
        logits, is_target = products(rows, keys), targets[:, None] == tf.range(width)
        if allowed is not None:
            logits = tf.where(allowed(indices) | is_target, logits, logits.dtype.min)
        return rows, logits, targets

    @tf.custom_gradient
    def loss(anchors, keys):
        def forward(chunk, total):
            _, logits, targets = logits_of(chunk, anchors, keys)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)
            return chunk + 1, total + tf.reduce_sum(losses)

        def gradient(upstream):
            def backward(chunk, of_rows, of_keys):
                rows, logits, targets = logits_of(chunk, anchors, keys)
                slopes = tf.nn.softmax(logits) - tf.one_hot(targets, width)
                of_rows = of_rows.write(chunk, tf.matmul(slopes, keys))
                return chunk + 1, of_rows, of_keys + tf.matmul(slopes, rows, transpose_a=True)

            written = tf.TensorArray(tf.float32, chunks, infer_shape=False, element_shape=[None, anchors.shape[1]])
            of_rows, of_keys = over_chunks(backward, written, tf.zeros_like(keys))
            scale = upstream / tf.cast(count, tf.float32)
            return scale * of_rows.concat(), scale * of_keys

        (total,) = over_chunks(forward, tf.constant(0.0))
        return total / tf.cast(count, tf.float32), gradient

    def over_chunks(body, *start):
        return tf.while_loop(lambda chunk, *_: chunk < chunks, body, (0, *start), parallel_iterations=1)[1:]

    return loss(anchors, keys)
