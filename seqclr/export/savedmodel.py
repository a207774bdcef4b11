"""Export as a SavedModel: image bytes in, text and confidence out. It runs without this package."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tensorflow as tf
from PIL import Image

from seqclr import files
from seqclr.data.knowledge import NOTHING, Known
from seqclr.errors import UserError
from seqclr.export.graph import ReaderGraph
from seqclr.nn import decode
from seqclr.runtime.folder import load
from seqclr.runtime.reader import BatchReader


class Service(tf.Module):
    """The exported module; its two functions are the signatures."""

    def __init__(self, graph: ReaderGraph):
        super().__init__(name="seqclr")
        self.graph = graph  # tracked, so that its variables are saved
        self._height, self._width = graph.encoder.height, graph.encoder.width
        self._size = (self._height, self._width, 3)
        self.serve = tf.function(self._serve, input_signature=[tf.TensorSpec([None], tf.string, "image_bytes")])
        self.predict_image = tf.function(
            self._predict_image, input_signature=[tf.TensorSpec([None, None, None, 3], tf.uint8, "image")]
        )

    def _serve(self, image_bytes):
        pixels, widths, decoded = self._fit_files(image_bytes)
        found = self._predict(pixels, widths)
        return {
            "text": tf.where(decoded, found["text"], ""),
            "confidence": tf.where(decoded, found["confidence"], 0.0),
        }

    def _predict_image(self, image):
        spec = tf.TensorSpec(self._size, tf.uint8), tf.TensorSpec((), tf.int32)
        return self._predict(*tf.map_fn(self._fit, image, fn_output_signature=spec))

    def _fit_files(self, image_bytes):
        """`_fit` of every file, and whether it could be decoded; if not, the image is white.

        Uses tf.data, the only part of a graph that can ignore a failed operation.
        """
        tf.debugging.assert_positive(tf.size(image_bytes), "image_bytes is empty: give at least one image")
        white = tf.fill(self._size, tf.constant(255, tf.uint8))
        nothing = tf.data.Dataset.from_tensors((white, self._width, False))

        def dataset(data):
            one = tf.data.Dataset.from_tensors(data).map(lambda data: (*self._fit(decode_image(data)), True))
            return one.ignore_errors().concatenate(nothing).take(1)

        rows = tf.data.Dataset.from_tensor_slices(image_bytes).flat_map(dataset)
        return rows.batch(tf.size(image_bytes, tf.int64)).get_single_element()

    def _fit(self, image):
        """`seqclr.data.images.fit` in the graph."""
        to_height, to_width = self._height, self._width
        filled = tf.constant(to_width)
        if self.graph.resize == "pad":
            height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float64))
            filled = tf.clip_by_value(tf.cast(width * to_height / height + 0.5, tf.int32), 1, to_width)
        scaled = tf.image.resize(image, tf.stack([to_height, filled]), antialias=True)
        scaled = tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)
        padded = tf.pad(scaled, [[0, 0], [0, to_width - filled], [0, 0]], constant_values=255)
        return tf.ensure_shape(padded, self._size), filled

    def _predict(self, pixels, widths):
        found = self.graph(pixels, widths if self.graph.resize == "pad" else None)
        return {"text": decode.join(found["ids"], self.graph.charset.characters), "confidence": found["confidence"]}


def decode_image(data: tf.Tensor) -> tf.Tensor:
    """`uint8 [H, W, 3]` of an encoded PNG, JPEG, GIF (first frame) or BMP; transparency is composited on white."""
    head = tf.strings.substr(data, 0, 4)

    def starts(signature: bytes):
        return tf.strings.substr(head, 0, len(signature)) == signature

    def on_white(image):
        image = tf.cast(image, tf.int32)
        colour, alpha = image[..., :3], image[..., 3:]
        return tf.cast((colour * alpha + 255 * (255 - alpha) + 127) // 255, tf.uint8)

    def number(offset: int):
        return tf.bitcast(tf.io.decode_raw(tf.strings.substr(data, offset, 4), tf.uint8), tf.int32)

    def bmp():
        image = tf.io.decode_bmp(data)  # 8 bits: palette indices; 32 bits: the last byte may be undefined
        start, end = 14 + number(14), number(10)

        def from_palette():
            palette = tf.io.decode_raw(tf.strings.substr(data, start, end - start), tf.uint8)
            return tf.gather(tf.reshape(palette, (-1, 4))[:, 2::-1], tf.cast(image[..., 0], tf.int32))

        return tf.case(
            [
                (tf.shape(image)[-1] == 1, from_palette),
                ((tf.shape(image)[-1] == 4) & (number(30) != 0), lambda: on_white(image)),
            ],
            lambda: image[..., :3],
        )

    def png():
        image = tf.io.decode_png(data, channels=4)
        depth = tf.io.decode_raw(tf.strings.substr(data, 24, 1), tf.uint8)
        opaque = tf.bitwise.left_shift(1, tf.cast(depth, tf.int32)) - 1  # alpha of an opaque pixel
        plain = tf.reduce_all(image[..., 3] == tf.cast(opaque, tf.uint8))
        return tf.cond(plain, lambda: image[..., :3], lambda: on_white(image))

    # INTEGER_ACCURATE is what Pillow uses; the default gives other pixels than those of training
    return tf.case(
        [
            (starts(b"\xff\xd8"), lambda: tf.io.decode_jpeg(data, channels=3, dct_method="INTEGER_ACCURATE")),
            (starts(b"GIF8"), lambda: tf.io.decode_image(data, expand_animations=False)),
            (starts(b"BM"), bmp),
        ],
        png,
    )


def write(graph: ReaderGraph, folder: Path) -> None:
    """Writes the SavedModel into a folder. Raises OSError where the disk is full."""
    service = Service(graph)
    signatures = {"serving_default": service.serve, "predict_image": service.predict_image}
    try:
        tf.saved_model.save(service, str(folder), signatures=signatures)
    except tf.errors.OpError as error:
        reason = "No space left on device" if isinstance(error, tf.errors.ResourceExhaustedError) else error.message
        raise OSError(" ".join(reason.split())) from None


def check_name(folder: Path) -> None:
    """Raises UserError for a folder that TensorFlow cannot open."""
    if not files.is_utf8(str(folder)):
        raise UserError(f"{folder} has a name that is not UTF-8, which TensorFlow cannot open: choose another name")


class Exported(BatchReader):
    """A loaded SavedModel, with the interface of a Recognizer.

    Raises UserError where the folder is not complete and unchanged.
    """

    def __init__(self, folder: Path):
        check_name(folder)
        self.folder = folder
        facts, self.charset = load(folder)
        self.threshold, self.lengths, self.known = facts.threshold, facts.lengths, facts.known
        try:
            self._model = tf.saved_model.load(str(folder))  # kept: the signature holds no reference to its variables
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(
                f"{folder} is damaged or not an export ({str(error).splitlines()[0]}): export it again"
            ) from None
        self._serve = self._model.signatures["serving_default"]

    def knowing(self, known: Known) -> Exported:
        """This export. Raises UserError for other known characters or lengths than it was made with."""
        if known.beyond(self.known, self.charset) != NOTHING:
            raise UserError(f"{known}: {self.folder} is an export: export the run again with it, or use the run")
        return self

    def predict_images(
        self, arrays: Iterable[np.ndarray], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]:
        """Text and confidence of each image `uint8 [H, W, 3]`, of any size."""
        if beam != 1:
            raise UserError(f"beam {beam}: {self.folder} is an export and has no beam search: use the run")
        data = map(as_bmp, arrays)
        while chunk := list(itertools.islice(data, batch_size)):
            result = self._serve(image_bytes=tf.constant(chunk))
            for text, confidence in zip(result["text"].numpy(), result["confidence"].numpy()):
                yield text.decode(), float(confidence)


def as_bmp(pixels: np.ndarray) -> bytes:
    """Decoded pixels as a BMP file: TensorFlow decodes fewer formats than we do, and some of them differently."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "BMP")  # the fastest format to write
    return stream.getvalue()
