"""The recognizer: encoder, head and charset of a fine-tuning run."""

from __future__ import annotations

import copy
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqclr.config import check_range
from seqclr.data.charset import Charset
from seqclr.data.knowledge import Known, Possible
from seqclr.decision import Decision
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.methods.text.ctc import ctc_head
from seqclr.nn import constrained
from seqclr.nn.encoders import build_encoder
from seqclr.nn.heads import hidden_weights
from seqclr.nn.image_encoders import IMAGE_ENCODERS
from seqclr.nn.policy import kept_policy
from seqclr.runtime.reader import BatchReader, mean_over_frames


class Recognizer(BatchReader):
    """Predicts texts from images resized to `height` x `width`. Once loaded, it computes in float32.

    threshold, lengths: what it accepts, as in `Decision`.
    """

    def __init__(self, encoder, head, charset: Charset, height: int, width: int, resize: str):
        self.encoder, self.head, self.charset = encoder, head, charset
        self.height, self.width, self.resize = height, width, resize
        self.possible = Possible()
        self.threshold: float | None = None
        self.lengths: tuple[int, ...] | None = None
        self._decode = tf.function(self._decode_batch, reduce_retracing=True)

    @classmethod
    @kept_policy()
    def load(cls, folder: str | Path) -> Recognizer:
        """Loads the best checkpoint of a run that predicts text. Raises UserError if the folder is something else."""
        run = Run.open(folder)
        config = run.config()
        if config.encoder in IMAGE_ENCODERS:
            raise UserError(f"{folder} has an encoder of images ({config.encoder}), which predicts no text: use probe")
        if not run.charset_file.is_file() and not hasattr(config, "method"):
            raise UserError(f"{run.charset_file} is missing: copy the whole run again")
        if not run.charset_file.is_file():
            raise UserError(f"{folder} was only pretrained and predicts no text: finetune --pretrained {folder} first")
        charset = Charset.load(run.charset_file)
        keras.mixed_precision.set_global_policy("float32")
        size = config.height, config.width
        encoder = build_encoder(config.encoder, *size, config.positions, config.dropout, config.channels)
        path, arrays = run.best()
        kept = hidden_weights(arrays, "head", getattr(config, "keep_head", 0))
        head = ctc_head(encoder.dim, len(charset) + 1, config.dropout, [bias.size for bias in kept[1::5]])
        checkpoints.restore({"encoder": encoder, "head": head}, arrays, path)
        reader = cls(encoder, head, charset, config.height, config.width, config.resize)
        decision = Decision.load(run.decision_file)
        reader.threshold, reader.lengths = decision.threshold, decision.lengths
        adapted = not hasattr(config, "method") and getattr(config, "length", None)
        return reader.knowing(Known.of(None, config.length)) if adapted else reader

    def knowing(self, known: Known) -> Recognizer:
        """This recognizer for known characters and lengths; what is not given stays as it was.

        Raises UserError where it cannot predict such texts.
        """
        other, (classes, lengths) = copy.copy(self), known.possible(self.charset, self.width)
        other.lengths = self.lengths if lengths is None else lengths
        was = self.possible
        other.possible = Possible(
            was.classes if classes is None else classes, was.lengths if lengths is None else lengths
        )
        return other

    def logits(self, pixels: tf.Tensor, widths: tf.Tensor | None):
        """`float32 [B, T, classes]` and the mask `[B, T]` (None: no padding) of resized images."""
        return self.frames(pixels, widths)[1:]

    def frames(self, pixels: tf.Tensor, widths: tf.Tensor | None):
        """The encoder's features `float32 [B, T, D]`, and what `logits` returns."""
        features, valid = self.encoder(pixels, widths if self.resize == "pad" else None, training=False)
        return features, self.head(features, training=False), valid

    def _decode_batch(self, pixels, widths, possible: Possible, beam: int):
        return constrained.predict(*self.logits(pixels, widths), possible, beam)

    def predict_batch(
        self, pixels: np.ndarray, widths: np.ndarray | None = None, beam: int = 1
    ) -> list[tuple[str, float]]:
        """Text and confidence of each image, `uint8 [B, height, width, 3]`. widths: image columns, with resize=pad.

        The confidence is the probability of the text over all CTC paths, relative to all possible texts; 0 for an empty
        text.
        """
        check_range("beam", beam, least=1)
        widths = None if widths is None else tf.constant(widths)
        ids, confidence = self._decode(tf.constant(pixels), widths, self.possible, beam)
        blank = self.charset.blank
        return [
            (self.charset.decode([i for i in row if i != blank]), float(c)) for row, c in zip(ids.numpy(), confidence)
        ]

    def log_probabilities(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> np.ndarray:
        """`float32 [B, T, classes]`, the blank last; a frame of padding is blank for certain."""
        widths = None if widths is None else tf.constant(widths)
        return constrained.log_probabilities(*self.logits(tf.constant(pixels), widths)).numpy()

    def features(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> np.ndarray:
        """`float32 [B, D]`, the mean of the encoder's features over the frames that are no padding."""
        features, _, valid = self.frames(tf.constant(pixels), None if widths is None else tf.constant(widths))
        return mean_over_frames(features.numpy(), None if valid is None else valid.numpy())
