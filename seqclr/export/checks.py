"""Checks of an export before it gets its name: it must read images as its run does."""

from __future__ import annotations

import contextlib
import string
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from seqclr.data import images
from seqclr.data.discovery import survey
from seqclr.data.samples import Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.messages import warn
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.splits import split_off_labelled, split_off_validation
from seqclr.runtime.reader import Reader
from seqclr.synthesis import variety

MOST = 1000  # images that are compared
GENERATED = 200
LEAST = {False: 1.0, True: 0.99}  # share of equal texts, by int8
CONFIDENCE = 1e-3  # difference of confidences in float32; 1.4e-5 was the largest measured
DIFFERENCE = 1e-3  # of features, as a share of the largest


class Images(NamedTuple):
    """Images to compare on, resized, `uint8 [height, up to width, 3]`.

    names: of the images in messages. which: a description of them. padded: whether the columns up to the width are
    padding.
    """

    names: Sequence[str]
    arrays: list[np.ndarray]
    which: str
    padded: bool


@contextlib.contextmanager
def _full_precision() -> Iterator[None]:
    """A context, or decorator, in which a GPU does not round the inputs of products to TensorFloat-32."""
    before = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(before)


@_full_precision()
def check_predictions(exported: Reader, recognizer: Recognizer, compared: Images, name: str, int8: bool) -> str:
    """Compares an export with its recognizer; returns a sentence on the result.

    name: of the export in messages. Raises UserError where a smaller share of the texts than LEAST is equal, and
    without int8 where a confidence differs by more than CONFIDENCE.
    """
    wanted = list(recognizer.predict_images(compared.arrays))
    found = list(exported.predict_images(compared.arrays))
    if not any(text for text, _ in wanted):
        warn(f"the run predicts no text in {compared.which}, which shows little: give images of the site with --data")
    equal = [a == b for (a, _), (b, _) in zip(wanted, found)]
    told = f"{sum(equal)} of {len(equal)} texts ({sum(equal) / len(equal):.2%}) equal those of the run"
    if sum(equal) < LEAST[int8] * len(equal):
        first = equal.index(False)
        example = f"'{found[first][0]}' for '{wanted[first][0]}' in {compared.names[first]}"
        instead = "export without int8, or give more images of the site with --data" if int8 else "report this"
        which = f"in {compared.which} (such as {example})"
        raise UserError(f"{name}: {told}, {which}, and {LEAST[int8]:.0%} are needed: {instead}")
    differences = np.abs([a - b for (_, a), (_, b) in zip(wanted, found)])
    if int8:
        return f"{told}, their confidences differ by {differences[equal].mean():.1e} on average, in {compared.which}"
    most = differences.argmax()
    if not differences[most] <= CONFIDENCE:
        (text, a), (_, b) = wanted[most], found[most]
        problem = f"the confidence of '{text}' in {compared.names[most]} is {b:.6f}, and {a:.6f} in the run"
        raise UserError(f"{name}: {problem}, a difference of {CONFIDENCE} is allowed: report this")
    return f"{told}, their confidences differ by at most {differences[most]:.1e}, in {compared.which}"


@_full_precision()
def check_features(
    exported: Callable[[np.ndarray, np.ndarray], np.ndarray], encoder: keras.Model, compared: Images
) -> str:
    """Compares an exported encoder, a function of pixels and widths to features, with the encoder of the run.

    Returns a sentence on the result. Raises UserError where they differ by more than DIFFERENCE of the largest feature.
    """
    most, largest = 0.0, 0.0
    for array in compared.arrays:
        pixels, width = np.full((1, encoder.height, encoder.width, 3), 255, np.uint8), array.shape[1]
        pixels[0, :, :width] = array
        widths = np.array([width], np.int32)
        wanted = encoder(pixels, tf.constant(widths) if compared.padded else None)[0].numpy()
        most = max(most, np.abs(exported(pixels, widths) - wanted).max(initial=0))
        largest = max(largest, np.abs(wanted).max(initial=0))
    told = f"features of {len(compared.arrays)} {compared.which} differ by at most {most / largest:.1e} of the largest"
    if not most <= DIFFERENCE * largest:
        raise UserError(f"format onnx: {told}, and at most {DIFFERENCE} is allowed: report this")
    return told


def find_images(
    size: tuple[int, int, str], data: Sequence[str], seen: tuple[Sequence[Sample], str] = ((), ""), characters: str = ""
) -> Images:
    """Those of `data`, else those of `seen`, or where these no longer exist generated ones, of some characters.

    size: height, width and resize. seen: samples, and a description of them.
    """
    samples, which = (survey(data)[0], f"images of {data[0]}") if data else seen
    samples = samples[:: max(1, -(-len(samples) // MOST))]
    found = list(_readable(samples))
    if not found:
        if data:
            raise UserError(f"{data[0]} holds no image that can be read: give images, or leave --data out")
        found, which = list(_generated(characters)), "generated images"
    names, arrays = zip(*found)
    resized = (images.fit(array, *size) for array in arrays)  # by all formats alike
    return Images(names, [pixels[:, :width] for pixels, width in resized], which, size[2] == "pad")


def seen_by(model: str | Path) -> tuple[list[Sample], str]:
    """The images that a run was validated on, or adapted to, and which they are; none where they no longer exist."""
    config = Run.open(model).config()
    try:
        if hasattr(config, "validation"):
            return split_off_validation(config)[1], "validation images"
        return split_off_labelled(config)[0] if hasattr(config, "labels") else [], "images that it was adapted to"
    except UserError:
        return [], ""


def _readable(samples: Sequence[Sample]) -> Iterator[tuple[str, np.ndarray]]:
    for sample in samples:
        try:
            yield sample.name, images.decode(sample.read_bytes(), sample.name)
        except UserError:  # an image that was skipped by the run too, or has gone
            continue


def _generated(characters: str) -> Iterator[tuple[str, np.ndarray]]:
    plain = string.ascii_letters + string.digits
    texts = variety.Texts("".join(c for c in plain if c in characters) or plain)
    for index in range(GENERATED):
        image, _ = variety.draw(texts, np.random.default_rng(index))
        yield f"generated image {index}", np.asarray(image.convert("RGB"))
