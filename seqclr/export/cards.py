"""Model cards of exports: inputs, outputs, characters, usage and training configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from seqclr import __version__
from seqclr import config as configuration
from seqclr.data.charset import Charset
from seqclr.data.knowledge import NOTHING, Known
from seqclr.engine.run import Run

SAVEDMODEL = """\
- Input of `serving_default`: `image_bytes`, string `[B]`: PNG, JPEG, GIF (first frame) or BMP (8 bits or more) files of
  any size. Transparency is composited on white, except in GIF. EXIF orientation is not applied.
- Input of `predict_image`: `image`, uint8 `[B, H, W, 3]`, RGB.
- Output of both: `text`, string `[B]`; `confidence`, float32 `[B]`, 0 to 1, the probability of the text over all CTC
  paths; 0 for an empty text.
- A file of `image_bytes` that cannot be decoded (damaged, empty, another format) gives an empty text and
  confidence 0; the other images of the batch are not affected.
"""
SAVEDMODEL_USAGE = """\
import tensorflow as tf

model = tf.saved_model.load("FOLDER")
result = model.signatures["serving_default"](image_bytes=tf.constant([open("image.png", "rb").read()]))
print(result["text"].numpy()[0].decode(), float(result["confidence"][0]))
"""
USAGE = """\
import seqclr

[prediction] = seqclr.load("FOLDER").predict(["image.png"])
print(prediction.text, prediction.confidence)
"""


def reader_card(
    model: str | Path, charset: Charset, size: tuple[int, int, str], known: Known, form: str, int8: bool, checked: str,
    answer: str = "text",
) -> str:  # fmt: skip
    """The card of a reader. size: height, width and resize. checked: the result of the check."""
    height, width, resize = size
    given = ""
    if known != NOTHING:
        given = f"""\
- Known: {known}. Only such texts are predicted, and the confidence is the
  probability among them. An image too narrow for them gives an empty text.
"""
    if answer == "sum":
        given += "- Answer: `seqclr` predicts the answer to a sum, 19 for `3+16=?`; the ids are those of the sum.\n"
    savedmodel = form == "savedmodel"
    interface = SAVEDMODEL if savedmodel else _interface(form, size, len(charset))
    return f"""# Text recognizer, made with seqclr {__version__}

Predicts the text in an image of one line. Use it only where you are authorised to.

- Format: {form}, {"int8 weights" if int8 else "float32"}. Checked when it was written: {checked}.
{interface}- Characters ({len(charset)}, case `{charset.case}`): `{charset.characters}`
{given}- Images are resized to {height}x{width} (`{resize}`), antialiased.

```python
{SAVEDMODEL_USAGE if savedmodel else USAGE}```

{_training(model)}"""


def encoder_card(model: str | Path, size: tuple[int, int, str], frames: int, dim: int, checked: str) -> str:
    """The card of an encoder."""
    height, width, resize = size
    mask = "; `mask`, bool `[B, T]`, the frames that are no padding" if resize == "pad" else ""
    return f"""# Encoder, made with seqclr {__version__}

Turns images into features. Checked when it was written: {checked}.

{_inputs(size)}- Output: `features`, float32 `[B, {frames}, {dim}]`{mask}.
- Images are resized to {height}x{width} (`{resize}`), antialiased.

```python
import numpy as np
import onnxruntime
from PIL import Image

session = onnxruntime.InferenceSession("FOLDER/encoder.onnx")
image = Image.open("image.png").convert("RGB").resize(({width}, {height}), Image.Resampling.BILINEAR)
pixels = np.asarray(image)
[features, *_] = session.run(["features"], {{"pixels": pixels[None]{_widths(size)}}})
```

{_training(model)}"""


def _inputs(size: tuple[int, int, str]) -> str:
    height, width, resize = size
    widths = "\n  `widths`, int32 `[B]`: columns of each image; the columns right of them are white." * (
        resize == "pad"
    )
    return f"- Input: `pixels`, uint8 `[B, {height}, {width}, 3]`, RGB.{widths}\n"


def _widths(size: tuple[int, int, str]) -> str:
    return f', "widths": np.array([{size[1]}], np.int32)' if size[2] == "pad" else ""


def _interface(form: str, size: tuple[int, int, str], blank: int) -> str:
    one = "\n- B is 1." * (form == "litert")
    return f"""\
{_inputs(size)}- Output: `ids`, int32 `[B, L]`: the index in charset.json of each character, {blank} where none is;
  `confidence`, float32 `[B]`, 0 to 1, the probability of the text over all CTC paths; 0 for an empty text;
  `log_probabilities`, float32 `[B, T, classes]`, classes as in charset.json, then the blank.{one}
"""


def _training(model: str | Path) -> str:
    values = configuration.load_yaml(Run.open(model).config_file)
    values = {name: _without_folder(name, value) for name, value in values.items()}
    config = yaml.safe_dump(values, allow_unicode=True, sort_keys=False)
    return f"Training configuration:\n\n```yaml\n{config}```\n"


def _without_folder(name: str, value: Any) -> Any:
    """The value of a key; of a path only the last part, because folders may name users and machines."""
    if isinstance(value, list):
        return [_without_folder(name, item) for item in value]
    return Path(value).name if configuration.is_path(name, value) else value
