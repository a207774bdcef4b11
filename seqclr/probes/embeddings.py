"""Scatter plots of frozen features by t-SNE."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from seqclr.config import check_range
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find
from seqclr.data.samples import Sample
from seqclr.engine import setup
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.nn.image_encoders import IMAGE_ENCODERS
from seqclr.nn.policy import kept_policy
from seqclr.probes.base import Frames, frames_of, means_of, train_test_split
from seqclr.probes.ctc import CTCProbe
from seqclr.recognition.recognizer import Recognizer
from seqclr.visualization import scatter
from seqclr.visualization.sheet import check_output

LEAST = 10  # fewest points of a plot


@kept_policy()
def embed(
    model: str,
    data: Sequence[str],
    output: str,
    layer: str = "transformer",
    split: str | None = None,
    label_pattern: str | None = None,
    count: int = 2000,
    seed: int = 0,
) -> None:
    """Draws at most `count` points as a PNG: images coloured by class, or frames coloured by character.

    Points are frames if the run is a recognizer, or if its encoder is for lines and labels have several characters. The
    character of a frame is predicted by the run's head, or, where it has none, by a linear head, evaluated on images
    that it was not trained on, as in a probe. Frames predicted as blank are left out.

    Raises UserError if an argument, the run or the data are wrong.
    """
    check_output(Path(output))
    check_range("count", count, least=1)
    check_range("seed", seed, least=0)
    run = Run.open(model)
    config, samples, draw = run.config(), find(data, split, label_pattern), np.random.default_rng(seed)
    keras.mixed_precision.set_global_policy("float32")
    keras.utils.set_random_seed(seed)

    def some(available: int) -> np.ndarray:
        return np.sort(draw.choice(available, min(count, available), replace=False))

    of_images, recognizes = config.encoder in IMAGE_ENCODERS, run.charset_file.is_file()
    if not of_images and not recognizes and any(len(sample.text) > 1 for sample in samples):
        parts = train_test_split(samples, seed, by_split=split is None)
        features, names = _by_linear_head(run, parts, layer, seed)
    else:
        features, names = (_by_reader if recognizes else _by_class)(
            run, [samples[i] for i in some(len(samples))], layer
        )
    chosen = some(len(names))
    if len(chosen) < LEAST:
        raise UserError(f"{data[0]} gives {len(chosen)} points: at least {LEAST} are needed, so give more images")
    points = scatter.t_sne(features[chosen], seed)
    scatter.scatter(points, names[chosen], f"{model}, {layer}", Path(output))


def _by_class(run: Run, samples: list[Sample], layer: str) -> tuple[np.ndarray, np.ndarray]:
    """The features of all images, `[M, D]`, and their labels, `[M]`."""
    config = run.config()
    dataset = ImageDataset(samples, config.height, config.width, config.resize, channels=config.channels)
    features = means_of(setup.make_encoder(config, run.folder), dataset, layer)
    return features, np.array([sample.text for sample in dataset.samples])


def _by_reader(run: Run, samples: list[Sample], layer: str) -> tuple[np.ndarray, np.ndarray]:
    """The features of frames that the run's head predicts as characters, and the characters."""
    reader = Recognizer.load(run.folder)
    dataset = ImageDataset(samples, reader.height, reader.width, reader.resize)
    frames, last = (frames_of(reader.encoder, dataset, of) for of in (layer, "transformer"))
    return _characters(frames, np.argmax(reader.head(last.features, training=False), axis=-1), reader.charset)


def _by_linear_head(run: Run, parts: tuple[list, list], layer: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """The same with a linear head trained on the first part, for frames of the second."""
    config = run.config()
    probe, encoder = CTCProbe(*parts, config), setup.make_encoder(config, run.folder)
    frames = frames_of(encoder, probe.held, layer)
    return _characters(frames, probe.train_head(encoder, layer, seed).align(frames), probe.charset)


def _characters(frames: Frames, ids: np.ndarray, charset: Charset) -> tuple[np.ndarray, np.ndarray]:
    """Features `[M, D]` and characters `[M]` of the frames that are not blank."""
    spells = frames.shown & (ids != charset.blank)
    return frames.features[spells], np.array(list(charset.characters))[ids[spells]]
