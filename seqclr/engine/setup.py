"""What every training does before its first step."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from seqclr import config as configuration
from seqclr.data import images
from seqclr.data.loader import Fitted, Loader
from seqclr.data.sequences import Sequences
from seqclr.engine import checkpoints
from seqclr.engine.cluster import ALONE, Place, choose_strategy, find_place
from seqclr.engine.precision import set_precision
from seqclr.engine.run import Run
from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.nn.blocks import LAB
from seqclr.nn.encoders import SIZES, build_encoder
from seqclr.nn.image_encoders import IMAGE_ENCODERS, NO_PADDING
from seqclr.recipes.readable import check_all

ARCHITECTURE = ("encoder", "height", "width", "resize", "positions")
# what a run may go on with otherwise than it was begun: where files are, how far and fast it learns, how it runs
RESUMABLE = frozenset(
    """data unlabelled validation pretrained init distill perceptual probe probe_kind probe_every probe_labels
    steps epochs patience learning_rate warmup weight_decay clip dropout accumulate
    precision deterministic processes workers worker steps_per_execution checkpoint_every profile tensorboard
    max_bytes max_pixels max_frames""".split()
)


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def check(config, method: type[Method]) -> None:
    """Raises UserError for keys that do not go together in a training by this method, before anything is read or
    written. The limits of files count from now on.
    """
    images.set_limits(images.Limits(config.max_bytes, config.max_pixels, config.max_frames))
    lacks = unsuited(config.encoder, method)
    if lacks:
        known = ", ".join(name for name in (*SIZES, *IMAGE_ENCODERS) if not unsuited(name, method))
        what, why = lacks
        raise UserError(f"encoder '{config.encoder}' is {what}: {method.__name__} takes {known}, as {why}")
    for field in dataclasses.fields(config):
        if field.name.endswith("views"):
            check_all(getattr(config, field.name), config.height, config.width, config.resize, config.encoder in SIZES)
    if config.encoder not in SIZES and config.resize == "pad":
        raise UserError(NO_PADDING)
    if config.steps is None and config.epochs is None:
        raise UserError("steps and epochs are both null: give one of them")
    if config.accumulate > 1 and method.whole_batch:
        name, why = method.__name__, method.whole_batch
        raise UserError(f"accumulate {config.accumulate}: {name} needs a batch whole, as {why}")
    check_divides("batch_size", config.batch_size, config, replicas=1)


def unsuited(encoder: str, method: type[Method]) -> tuple[str, str] | None:
    """What an encoder is that the method cannot do with, and why not; None where it can."""
    if encoder in SIZES and method.needs_pictures:
        return "of text lines", method.needs_pictures
    if encoder in IMAGE_ENCODERS and method.needs_lines:
        return "of pictures", method.needs_lines
    if not encoder.endswith(LAB) and method.needs_halves:
        return "of one piece", method.needs_halves
    return None


def find_run(config, output: str, resume: bool) -> tuple[Run, Place]:
    """The run's folder, and this process's place; raises UserError where the folder is not what it must be.

    Only the chief looks: to the others, the folder that it makes would be one that exists already.
    """
    place = find_place(config.workers, config.worker)
    if resume:
        run = Run.open(output)
        check_resumable(run, config)
        return run, place
    return Run.check_free(output) if place.chief else Run(output), place


def check_resumable(run: Run, config) -> None:
    """Raises UserError for a key in which a run cannot go on otherwise than it was begun: of what its weights are, what
    they learn, and from which rows in which order."""
    past, newer = run.config(), {}
    for field in sorted(dataclasses.fields(config), key=lambda field: field.name != "method"):
        now = getattr(config, field.name)
        if not hasattr(past, field.name):
            newer[field.name] = now
        elif field.name not in RESUMABLE:
            configuration.check_unchanged(field.name, now, getattr(past, field.name), run.folder)
    if newer:
        say(f"{run.folder} is older than {', '.join(f'{name}={now}' for name, now in newer.items())}")


def begin(config, place: Place = ALONE) -> tf.distribute.Strategy:
    """Seeds everything, sets the precision and returns the strategy for the devices that are there."""
    strategy = choose_strategy(place)
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    set_precision(config.precision)
    replicas = strategy.num_replicas_in_sync
    check_divides("batch_size", config.batch_size, config, replicas)
    return strategy


def check_divides(name: str, size: int, config, replicas: int) -> None:
    """Raises UserError for a batch that cannot be shared by the replicas, or by the parts that each takes it in."""
    if size % (replicas * config.accumulate):
        parts = f" and {config.accumulate} parts" if config.accumulate > 1 else ""
        raise UserError(f"{name} {size} does not divide among {replicas} device(s){parts}: take a multiple")


def devices(strategy: tf.distribute.Strategy) -> str:
    """What a training runs on, for people."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return f"{strategy.num_replicas_in_sync} {kind} device(s), {keras.mixed_precision.dtype_policy().name}"


def make_encoder(config, weights_of: str | None) -> keras.Model:
    """The encoder of a configuration, with the weights of another run where one is named."""
    encoder = build_encoder(config.encoder, config.height, config.width, config.positions, config.dropout)
    if weights_of is not None:
        path, arrays = Run.open(weights_of).best()
        checkpoints.restore({"encoder": encoder}, arrays, path)
        say(f"encoder from {path}")
    return encoder


def make_critic(folder: str, config) -> Callable:
    """Of pictures the features of a run's frozen encoder, `[B, T, D]`, and their mask. Raises UserError where it
    was not for their size."""
    built = architecture_of(folder)
    for name in ("height", "width"):
        if built[name] != getattr(config, name):
            raise UserError(f"perceptual {folder} has {name} {built[name]}: set it here too, or take another run")
    encoder = make_encoder(Run.open(folder).config(), folder)
    return lambda images, widths: encoder(images, widths, training=False, layer="cnn")


def architecture_of(folder: str | Path) -> dict:
    """The keys that a run's encoder was built with."""
    config = Run.open(folder).config()
    return {key: getattr(config, key) for key in ARCHITECTURE}


def make_loader(records: Fitted | Sequences, recipe, config, place: Place = ALONE, same_source: int = 1) -> Loader:
    """The loader of this process's part of a run; same_source: records of one source that come together."""
    processes = config.processes if config.processes is not None else max(1, (os.cpu_count() or 1) // 2)
    sources = [entry.source for entry in records.entries]
    batch_size = config.batch_size // place.workers
    return Loader(records, recipe, batch_size, config.seed, processes, place, sources, same_source)
