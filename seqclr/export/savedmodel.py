"""Export as a SavedModel: image bytes in, text and confidence out. It runs without this package."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import yaml
from PIL import Image

from seqclr import __version__, files
from seqclr import config as configuration
from seqclr.data import images
from seqclr.data.charset import Charset
from seqclr.data.knowledge import NOTHING, Known
from seqclr.data.samples import Sample
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.files import atomic_folder, check_new
from seqclr.nn import constrained, decode
from seqclr.recognition.recognizer import Recognizer


class Service(tf.Module):
    """The exported module; its two functions are the signatures."""

    def __init__(self, recognizer: Recognizer):
        super().__init__(name="seqclr")
        self.encoder, self.head = recognizer.encoder, recognizer.head  # tracked, so that their variables are saved
        self._recognizer, self._size = recognizer, (recognizer.height, recognizer.width, 3)
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
        white = tf.fill(self._size, tf.constant(255, tf.uint8))
        nothing = tf.data.Dataset.from_tensors((white, self._recognizer.width, False))

        def dataset(data):
            one = tf.data.Dataset.from_tensors(data).map(lambda data: (*self._fit(decode_image(data)), True))
            return one.ignore_errors().concatenate(nothing).take(1)

        rows = tf.data.Dataset.from_tensor_slices(image_bytes).flat_map(dataset)
        return rows.batch(tf.size(image_bytes, tf.int64)).get_single_element()

    def _fit(self, image):
        """`seqclr.data.images.fit` in the graph."""
        to_height, to_width = self._recognizer.height, self._recognizer.width
        filled = tf.constant(to_width)
        if self._recognizer.resize == "pad":
            height, width = tf.unstack(tf.cast(tf.shape(image)[:2], tf.float64))
            filled = tf.clip_by_value(tf.cast(width * to_height / height + 0.5, tf.int32), 1, to_width)
        scaled = tf.image.resize(image, tf.stack([to_height, filled]), antialias=True)
        scaled = tf.cast(tf.clip_by_value(tf.round(scaled), 0, 255), tf.uint8)
        padded = tf.pad(scaled, [[0, 0], [0, to_width - filled], [0, 0]], constant_values=255)
        return tf.ensure_shape(padded, self._size), filled

    def _predict(self, pixels, widths):
        logits, valid = self._recognizer.logits(pixels, widths)
        ids, confidence = constrained.predict(logits, valid, self._recognizer.possible)
        return {"text": decode.join(ids, self._recognizer.charset.characters), "confidence": confidence}


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
            (starts(b"GIF8"), lambda: tf.io.decode_gif(data)[0]),
            (starts(b"BM"), bmp),
        ],
        png,
    )


def export(model: str, output: str, known: Known = NOTHING) -> None:
    """Writes the recognizer of a run as a SavedModel with charset.json and a model card.

    The export is loaded once as a check before it gets its name. known: it predicts no other texts. Raises UserError if
    `output` exists, `model` predicts no text, or it cannot predict such texts.
    """
    target = Path(output)
    check_name(target)
    check_new(target)
    recognizer = Recognizer.load(model).knowing(known)
    known = Known(known.charset, recognizer.possible.lengths)  # those of an adapted reader too
    service = Service(recognizer)
    signatures = {"serving_default": service.serve, "predict_image": service.predict_image}
    with atomic_folder(target) as beside:
        try:
            tf.saved_model.save(service, str(beside), signatures=signatures)
        except tf.errors.OpError as error:
            reason = "No space left on device" if isinstance(error, tf.errors.ResourceExhaustedError) else error.message
            raise files.NotWritten(f"{target} cannot be written ({' '.join(reason.split())})") from None
        known.within(recognizer.charset).save(beside / "charset.json")
        (beside / "model_card.md").write_text(card(model, recognizer, known), encoding="utf-8")
        blank = io.BytesIO()
        Image.new("RGB", (recognizer.width, recognizer.height), "white").save(blank, "PNG")
        tf.saved_model.load(str(beside)).signatures["serving_default"](image_bytes=tf.constant([blank.getvalue()]))


def card(model: str, recognizer: Recognizer, known: Known = NOTHING) -> str:
    """The model card: inputs, outputs, characters, usage and training configuration."""
    values = configuration.load_yaml(Run.open(model).config_file)
    config = yaml.safe_dump(
        {name: _without_folder(name, value) for name, value in values.items()}, allow_unicode=True, sort_keys=False
    )
    charset, given = known.within(recognizer.charset), ""
    if known != NOTHING:
        given = f"""\
- Known: {known}. Only such texts are predicted, and the confidence is the
  probability among them. An image too narrow for them gives an empty text.
"""
    return f"""# Text recognizer, made with seqclr {__version__}

Predicts the text in an image of one line. Use it only where you are authorised to.

- Input of `serving_default`: `image_bytes`, string `[B]`: PNG, JPEG, GIF (first frame) or BMP (8 bits or more) files of
  any size. Transparency is composited on white, except in GIF. EXIF orientation is not applied.
- Input of `predict_image`: `image`, uint8 `[B, H, W, 3]`, RGB.
- Output of both: `text`, string `[B]`; `confidence`, float32 `[B]`, 0 to 1, the probability of the text over all CTC
  paths; 0 for an empty text.
- A file of `image_bytes` that cannot be decoded (damaged, empty, another format) gives an empty text and
  confidence 0; the other images of the batch are not affected.
- Characters ({len(charset)}, case `{charset.case}`): `{charset.characters}`
{given}- Images are resized to {recognizer.height}x{recognizer.width} (`{recognizer.resize}`), antialiased.

```python
import tensorflow as tf

model = tf.saved_model.load("FOLDER")
result = model.signatures["serving_default"](image_bytes=tf.constant([open("image.png", "rb").read()]))
print(result["text"].numpy()[0].decode(), float(result["confidence"][0]))
```

Training configuration:

```yaml
{config}```
"""


def _without_folder(name: str, value: Any) -> Any:
    """The value of a key; of a path only the last part, because folders may name users and machines."""
    if isinstance(value, list):
        return [_without_folder(name, item) for item in value]
    return Path(value).name if configuration.is_path(name, value) else value


def check_name(folder: Path) -> None:
    """Raises UserError for a folder that TensorFlow cannot open."""
    if not files.is_utf8(str(folder)):
        raise UserError(f"{folder} has a name that is not UTF-8, which TensorFlow cannot open: choose another name")


class Exported:
    """A loaded export, with the interface of a Recognizer."""

    def __init__(self, folder: Path):
        if not (folder / "charset.json").is_file():
            raise UserError(f"{folder} has no charset.json: it is not an export of seqclr")
        check_name(folder)
        self.folder = folder
        self.charset = Charset.load(folder / "charset.json")
        self.threshold, self.lengths = None, None
        try:
            self._model = tf.saved_model.load(str(folder))  # kept: the signature holds no reference to its variables
        except (OSError, ValueError, KeyError, tf.errors.OpError) as error:
            raise UserError(
                f"{folder} is damaged or not an export ({str(error).splitlines()[0]}): export it again"
            ) from None
        self._serve = self._model.signatures["serving_default"]

    def knowing(self, known: Known) -> Exported:
        """This export. Raises UserError for known characters or lengths, which are given when it is made."""
        if known != NOTHING:
            raise UserError(f"{known}: {self.folder} is an export: export the run again with it, or use the run")
        return self

    def predict_samples(
        self, samples: Sequence[Sample], beam: int = 1, batch_size: int = 64
    ) -> Iterator[tuple[str, float]]:
        """Text and confidence of each sample, in order. Raises UserError for an image that cannot be read."""
        return self.predict_images(
            (images.decode(sample.read_bytes(), sample.name) for sample in samples), beam, batch_size
        )

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
