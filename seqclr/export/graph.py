"""The networks that are exported: resized pixels in; texts and confidence, or features, out."""

from __future__ import annotations

import keras
import tensorflow as tf

from seqclr.data.knowledge import NOTHING, Known, Possible
from seqclr.nn import constrained
from seqclr.recognition.recognizer import Recognizer
from seqclr.runtime.sessions import FEATURES


class Graph(keras.Model):
    """A network of pixels `uint8 [B, height, width, 3]` and, with resize=pad, widths `int32 [B]`.

    hidden: the names of tensors that `with_hidden` returns beside the outputs: an ONNX file has them under these names,
    though not as outputs.
    """

    hidden: tuple[str, ...] = ()

    def __init__(self, encoder: keras.Model, resize: str, name: str):
        super().__init__(name=name)
        self.encoder, self.resize = encoder, resize
        self.built = True  # all variables are those of the encoder and of a head

    def signature(self, batch: int | None = None) -> list[tf.TensorSpec]:
        """The inputs, of a number of images or any."""
        pixels = tf.TensorSpec((batch, self.encoder.height, self.encoder.width, 3), tf.uint8, "pixels")
        return [pixels, tf.TensorSpec((batch,), tf.int32, "widths")] if self.resize == "pad" else [pixels]

    def call(self, pixels, widths=None, training=False):
        return {name: each for name, each in self.with_hidden(pixels, widths).items() if name not in self.hidden}

    def with_hidden(self, pixels, widths=None) -> dict[str, tf.Tensor]:
        """The outputs and the hidden tensors."""
        raise NotImplementedError


class ReaderGraph(Graph):
    """A recognizer with its decoding.

    Call: a dictionary: `ids`, `int32 [B, L]`, the index in `charset` of each character, and the number of characters
    (the blank) wherever there is none; `confidence`, `float32 [B]`, 0 to 1; `log_probabilities`, `float32 [B, T,
    classes]`, the blank last, of any length of the text. Hidden: `features`, `float32 [B, T, D]`, of the encoder.

    known: only such texts are predicted, and `charset` has only their characters.
    """

    hidden = (FEATURES,)

    def __init__(self, recognizer: Recognizer, known: Known = NOTHING):
        super().__init__(recognizer.encoder, recognizer.resize, "reader")
        self.head, self.known, self.charset = recognizer.head, known, known.within(recognizer.charset)
        self._frames, self._possible = recognizer.frames, recognizer.possible

    def with_hidden(self, pixels, widths=None):
        features, logits, valid = self._frames(pixels, widths)
        if self._possible.classes is not None:
            logits = tf.gather(logits, [*self._possible.classes, logits.shape[-1] - 1], axis=-1)
        ids, confidence = constrained.predict(logits, valid, Possible(None, self._possible.lengths))
        frames = constrained.log_probabilities(logits, valid)
        return {"ids": ids, "confidence": confidence, "log_probabilities": frames, FEATURES: features}


class EncoderGraph(Graph):
    """An encoder.

    Call: a dictionary: `features`, `float32 [B, T, D]`, and, with widths, `mask`, `bool [B, T]`, the frames that are no
    padding.
    """

    def __init__(self, encoder: keras.Model, resize: str):
        super().__init__(encoder, resize, FEATURES)

    def with_hidden(self, pixels, widths=None):
        features, mask = self.encoder(pixels, widths, training=False)
        return {FEATURES: features} if mask is None else {FEATURES: features, "mask": mask}
