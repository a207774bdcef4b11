"""Pictures of frozen features: t-SNE (van der Maaten & Hinton 2008)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from seqclr.data.loader import Fitted
from seqclr.data.records import Entry, find
from seqclr.engine import setup
from seqclr.engine.run import Run, check_can_make
from seqclr.errors import UserError
from seqclr.nn.image_encoders import IMAGE_ENCODERS
from seqclr.probe.ctc import CTCProbe
from seqclr.probe.rows import divide, frames_of, means_of
from seqclr.recognize.recognizer import Recognizer

LEAST = 10  # points that a picture is worth


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
    """Draws at most `count` points as a PNG: images in the colour of their class, or frames in that of their character.

    Frames are drawn where the run reads, or an encoder of lines has labels of several characters. What a frame shows is
    what the run's head reads in it, or, in a run that does not read, a linear head; frames that are read as blank are
    left out. The points of a linear head are of images that it did not learn on, as in a probe.
    Raises UserError if an argument, the run or the data are wrong.
    """
    if Path(output).exists():
        raise UserError(f"{output} exists already: choose another --output")
    check_can_make(Path(output))
    for name, value in (("count", count), ("seed", seed)):
        setup.check_range(name, value)
    run = Run.open(model)
    config, entries, draw = run.config(), find(data, split, label_pattern), np.random.default_rng(seed)
    keras.mixed_precision.set_global_policy("float32")
    keras.utils.set_random_seed(seed)
    reads, several = run.charset_file.is_file(), any(len(entry.text) > 1 for entry in entries)
    if config.encoder not in IMAGE_ENCODERS and (reads or several):
        features, names = _frames(run, config, entries, layer, split is None, seed)
        what = f"frames of {layer}, by character"
    else:
        entries = [entries[i] for i in _some(draw, len(entries), count)]
        fitted = Fitted(entries, config.height, config.width, config.resize)
        features = means_of(setup.make_encoder(config, model), fitted, layer)
        names, what = np.array([entry.text for entry in entries]), f"images, {layer}, by class"
    chosen = _some(draw, len(names), count)
    if len(chosen) < LEAST:
        raise UserError(f"{data[0]} gives {len(chosen)} points: at least {LEAST} are needed, so give more images")
    picture(_flat(features[chosen], seed), names[chosen], f"{model}: {what}", Path(output))


def _some(draw: np.random.Generator, available: int, count: int) -> np.ndarray:
    return np.sort(draw.choice(available, min(count, available), replace=False))


def _frames(run: Run, config, entries: list[Entry], layer: str, by_split: bool, seed: int):
    """Features `[M, D]` of all frames that show a character, and these, `[M]`."""
    if run.charset_file.is_file():
        recognizer = Recognizer.load(run.folder)
        fitted, charset = Fitted(entries, config.height, config.width, config.resize), recognizer.charset
        frames = frames_of(recognizer.encoder, fitted, layer)
        last = frames if layer == "transformer" else frames_of(recognizer.encoder, fitted, "transformer")
        ids = np.argmax(recognizer.head(last.features, training=False), axis=-1)
    else:
        probe, encoder = CTCProbe(*divide(entries, seed, by_split), config), setup.make_encoder(config, run.folder)
        head, charset = probe.learn(encoder, layer, seed), probe.charset
        frames = frames_of(encoder, probe.held, layer)
        ids = head.align(frames)
    spells = frames.shown & (ids != charset.blank)
    return frames.features[spells], np.array(list(charset.characters))[ids[spells]]


def _flat(features: np.ndarray, seed: int) -> np.ndarray:
    """`[M, 2]`: points whose features point the same way stand together."""
    perplexity = min(30, (len(features) - 1) / 3)
    return TSNE(perplexity=perplexity, metric="cosine", random_state=seed).fit_transform(features)


def picture(points: np.ndarray, names: np.ndarray, title: str, target: Path) -> None:
    """Points `[M, 2]`, a colour for each of their names, and a legend, commonest first."""
    known, counts = np.unique(names, return_counts=True)
    known = known[np.argsort(-counts, kind="stable")]
    colours = colormaps["tab10" if len(known) <= 10 else "tab20" if len(known) <= 20 else "gist_rainbow"]
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    for i, name in enumerate(known):
        colour = colours(i if len(known) <= 20 else i / len(known))
        label = name.replace("$", r"\$")  # matplotlib would set it as mathematics
        axes.scatter(*points[names == name].T, s=8, color=colour, label=label)
    axes.set(title=title, xticks=[], yticks=[])
    figure.legend(loc="outside right upper", ncols=-(-len(known) // 30), fontsize=8, markerscale=2)
    figure.savefig(target, dpi=100, format="png")
