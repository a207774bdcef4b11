"""Choice among given words for an image, by a run of CLIP."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from seqclr import config as configuration
from seqclr.config import PretrainConfig
from seqclr.data.charset import normalize
from seqclr.engine import checkpoints
from seqclr.engine.run import Run
from seqclr.engine.setup import make_encoder
from seqclr.errors import UserError
from seqclr.losses.common import normalize as unit
from seqclr.losses.common import products
from seqclr.methods.text.clip import CLIP
from seqclr.nn.policy import kept_policy
from seqclr.nn.texts import code_points
from seqclr.runtime.reader import BatchReader

CHARACTERS = "text_encoder/characters"  # end of the name of that array in a checkpoint


class Matcher(BatchReader):
    """Compares images with words, by the two encoders of a run of CLIP, in float32."""

    def __init__(self, method: CLIP, resize: str):
        self.method, self.resize = method, resize
        self.height, self.width = method.encoder.height, method.encoder.width
        self.words: list[str] = []
        self.vectors = tf.zeros((0, method.projection_dim))
        self._encode = tf.function(
            lambda pixels, widths: unit(method.image_vectors(pixels, widths)), reduce_retracing=True
        )

    @classmethod
    @kept_policy()
    def load(cls, folder: str | Path) -> Matcher:
        """Loads the best checkpoint of a run of CLIP. Raises UserError if the folder is something else."""
        run = Run.open(folder)
        config = run.config()
        if getattr(config, "method", None) != "clip":
            raise UserError(f"{folder} is no run of clip alone: pretrain --method clip on labelled images first")
        config = configuration.resolve(PretrainConfig, CLIP, [vars(config)])
        keras.mixed_precision.set_global_policy("float32")
        path, arrays = run.best()
        method = CLIP(**configuration.fields_of(CLIP, config))
        method.characters = next((array for name, array in arrays.items() if name.endswith(CHARACTERS)), ())
        method.build(make_encoder(config, None))
        checkpoints.restore(method.parts(), arrays, path)
        return cls(method, config.resize)

    def among(self, words: Sequence[str]) -> Matcher:
        """This one for a choice among some words. Raises UserError for fewer than two, an unknown character, or words
        that differ only after `text_length` characters."""
        words = list(dict.fromkeys(normalize(word, "keep") for word in words))
        if len(words) < 2 or not all(words):
            raise UserError(f"words {','.join(words)!r}: give at least two different ones, none of them empty")
        known, length = set(map(chr, self.method.characters)), self.method.text_length
        beginnings: dict[str, str] = {}
        for word in words:
            if (alike := beginnings.setdefault(word[:length], word)) != word:
                raise UserError(
                    f"the words '{alike}' and '{word}' have the same first {length} characters, and the run sees no "
                    "more (text_length): leave one out"
                )
            for character in word:
                if character not in known:
                    raise UserError(f"the word '{word}' has {character!r}, which is in no text of the run's training")
        other = copy.copy(self)
        other.words, other.vectors = words, self.text_vectors(words)
        return other

    def text_vectors(self, texts: Sequence[str]) -> tf.Tensor:
        """Vectors of unit length of texts, `float32 [N, D]`."""
        return unit(self.method.text_vectors(code_points(texts, self.method.text_length)))

    def image_vectors(self, pixels: np.ndarray, widths: np.ndarray | None = None) -> tf.Tensor:
        """Vectors of unit length of resized images, `float32 [N, D]`. widths: image columns, with resize=pad."""
        return self._encode(tf.constant(pixels), None if self.resize != "pad" else tf.constant(widths))

    def predict_batch(self, pixels, widths=None, beam=1):
        """The best word for each image, and its probability: the softmax of the scaled cosines over the words."""
        scale = tf.exp(self.method.logit_scale.value)
        chances = tf.nn.softmax(scale * products(self.image_vectors(pixels, widths), self.vectors)).numpy()
        return [(self.words[row.argmax()], float(row.max())) for row in chances]
