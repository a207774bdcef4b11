"""Character boxes, predicted by the frames of a line."""

from __future__ import annotations

import tensorflow as tf

from seqclr.losses.common import masked_mean

OUTPUTS = 5  # per frame: the logit of a character, and the four numbers of its box


def box_targets(boxes: tf.Tensor, frames: int, stride: int, height: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether each frame has a character at its centre, `float32 [B, T]`, and its box, `float32 [B, T, 4]`.

    boxes: `float32 [B, L, 4]`, left, top, right, bottom in pixels; all -1 for none. stride: columns of a frame. A
    box is given by the horizontal offset of its centre from that of the frame, the vertical position of its centre, its
    width and its height, in heights of the image. Where boxes overlap, that with the nearest centre is used.
    """
    middle = (tf.range(frames, dtype=tf.float32) + 0.5)[:, None] * stride
    left, top, right, bottom = (x[:, None] for x in tf.unstack(boxes, axis=-1))  # [B, 1, L]
    covers = (left <= middle) & (middle < right)
    away = (left + right) / 2 - middle  # [B, T, L]
    nearest = tf.argmin(tf.where(covers, tf.abs(away), away.dtype.max), axis=-1)
    sides = (away, (top + bottom) / 2, right - left, bottom - top)
    sides = tf.stack([tf.broadcast_to(side, tf.shape(away)) for side in sides], axis=-1) / height
    box = tf.gather(sides, nearest, axis=2, batch_dims=2)
    present = tf.cast(tf.reduce_any(covers, axis=-1), tf.float32)
    return present, box * present[..., None]


def box_loss(predicted: tf.Tensor, boxes: tf.Tensor, mask: tf.Tensor | None, stride: int, height: int) -> tf.Tensor:
    """Cross-entropy of the presence of characters, plus the mean absolute error of their boxes; means over the frames
    of an image, then over images.

    predicted: `[B, T, 5]`. mask: `bool [B, T]`, frames that are no padding (None: all). The rest as in `box_targets`.
    """
    predicted = tf.cast(predicted, tf.float32)
    present, box = box_targets(boxes, predicted.shape[1], stride, height)
    shown = tf.ones_like(present, tf.bool) if mask is None else mask
    unsure = tf.nn.sigmoid_cross_entropy_with_logits(labels=present, logits=predicted[..., 0])
    errors = tf.reduce_mean(tf.abs(predicted[..., 1:] - box), axis=-1)
    each = masked_mean(unsure, shown, axis=1) + masked_mean(errors, shown & (present > 0), axis=1)
    return tf.reduce_mean(each)
