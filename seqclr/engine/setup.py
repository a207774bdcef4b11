"""Preparation of a training: checks, strategy, encoder and loader."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import keras
import numpy as np
import tensorflow as tf

from seqclr import config as configuration
from seqclr import memory
from seqclr.data import images
from seqclr.data.charset import frames_of
from seqclr.data.dataset import ImageDataset
from seqclr.data.loader import Loader
from seqclr.data.sequences import Sequences
from seqclr.engine import checkpoints
from seqclr.engine.distribution import SINGLE, Rank, choose_strategy, find_rank
from seqclr.engine.precision import set_precision
from seqclr.engine.run import ARCHITECTURE, Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.methods.base import Method, RunInfo
from seqclr.nn.blocks import LAB
from seqclr.nn.encoders import SIZES, build_encoder, check_channels
from seqclr.nn.image_encoders import IMAGE_ENCODERS, NO_PADDING
from seqclr.nn.policy import kept_policy
from seqclr.transforms.readable import check_all

Info = TypeVar("Info", bound=RunInfo)
PIXEL = 200  # bytes per pixel of a batch in the training of `fast`, the smallest encoder of lines: 250 measured
PROCESS = 2**27  # bytes of a process that makes views
# keys that may change when a run is resumed: paths, length and rates of the training, and how it is executed
RESUMABLE = frozenset(
    """data unlabelled validation pretrained model init distill perceptual probe probe_kind probe_every probe_labels
    steps epochs generations patience learning_rate warmup weight_decay clip dropout accumulate
    precision deterministic processes workers worker steps_per_execution checkpoint_every profile tensorboard
    max_bytes max_pixels max_frames""".split()
)


def check(config, method: type[Method]) -> None:
    """Raises UserError for keys that contradict each other or the method, before anything is read or written.

    Sets the limits of files for the process.
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
    check_channels(config.encoder, config.channels)
    if config.encoder not in SIZES and config.resize == "pad":
        raise UserError(NO_PADDING)
    if config.steps is None and config.epochs is None:
        raise UserError("steps and epochs are both null: give one of them")
    if config.accumulate > 1 and method.facts.needs_whole_batch:
        name, why = method.__name__, method.facts.needs_whole_batch
        raise UserError(f"accumulate {config.accumulate}: {name} needs the whole batch at once, as {why}")
    check_divides("batch_size", config.batch_size, 1, config.accumulate)
    check_memory(config)


def check_memory(config) -> None:
    """Raises UserError where a lower bound of the memory of batches exceeds that of this machine."""
    workers = len(config.workers.split(",")) if config.workers else 1
    generated = sum(n for name, n in vars(config).items() if name.rpartition(".")[2] == "generated_images")
    count = config.batch_size // workers * (1 + generated) + (getattr(config, "unlabelled_batch_size", None) or 0)
    batch = f"batch_size {config.batch_size} of {config.height}x{config.width}"
    batch += f" and generated_images {generated}" if generated else ""
    pixels = count * config.height * config.width
    if not tf.config.list_physical_devices("GPU"):  # GPUs have their own memory
        less = "lower it, height or width, or raise accumulate"
        memory.check_fits(pixels * PIXEL // config.accumulate, batch, less)
        if config.encoder in SIZES:
            size, frames = SIZES[config.encoder], frames_of(config.width)
            scores = count // config.accumulate * size.depth * size.heads * frames**2 * 8  # before and after softmax
            memory.check_fits(scores, f"{batch}, whose {frames} frames attend to each other,", less)
    ready = pixels * 3 * config.steps_per_execution
    memory.check_fits(ready, f"{batch}, of steps_per_execution {config.steps_per_execution},", "lower them")
    memory.check_fits((config.processes or 0) * PROCESS, f"processes {config.processes}", "lower it")


@contextlib.contextmanager
def building(config, strategy: tf.distribute.Strategy):
    """A context in which layers are built under a strategy. Raises UserError before variables exceed the memory."""
    taken, shapes = 0, tf.Graph()  # it computes shapes without allocating memory

    def make(next_creator, **kwargs):
        nonlocal taken
        value = kwargs["initial_value"]
        with shapes.as_default():
            value = value() if callable(value) else value
        shape, size = tuple(np.shape(value)), tf.as_dtype(kwargs.get("dtype") or value.dtype).size
        copies = 4 if kwargs.get("trainable") else 1  # its gradient, and two moments of the optimizer
        taken += math.prod(shape) * size * copies
        named = [f"{name} {value}" for name, value in vars(config).items() if type(value) is int and value in shape]
        what = f"a network with {' and '.join(named) or f'weights of {shape}'}"
        memory.check_fits(taken, what, "lower what is large")
        return next_creator(**kwargs)

    with strategy.scope(), tf.variable_creator_scope(make):
        yield


def unsuited(encoder: str, method: type[Method]) -> tuple[str, str] | None:
    """The kind of an encoder that the method cannot use, and why; None where it can."""
    facts = method.facts
    if encoder in SIZES and facts.needs_images:
        return "of text lines", facts.needs_images
    if encoder in IMAGE_ENCODERS and facts.needs_lines:
        return "of images", facts.needs_lines
    if not encoder.endswith(LAB) and facts.needs_halves:
        return "without halves", facts.needs_halves
    return None


def find_run(config, output: str, resume: bool) -> tuple[Run, Rank]:
    """The run's folder and this process's rank. Raises UserError for a folder that is taken, or cannot be resumed.

    Only the chief checks a new folder, as it may have made it before the others look.
    """
    rank = find_rank(config.workers, config.worker)
    if resume:
        run = Run.open_own(output)
        check_resumable(run, config)
        return run.check_unclaimed() if rank.chief else run, rank
    return Run.check_free(output).check_unclaimed() if rank.chief else Run(output), rank


@contextlib.contextmanager
def training(run: Run, config, trainer: Trainer, resume: bool):
    """A context in which the trainer may train: the run's folder is locked and created, or its training resumed.

    A new run that a UserError ends before its first checkpoint is removed. Only the chief writes.
    """
    chief = trainer.rank.chief
    try:
        if chief:
            run.claim(new=not resume)
        if resume:
            trainer.resume()
        if chief:
            run.create(config)
        yield
    except UserError:  # found in the first step
        if chief and not resume:
            run.discard()
        raise
    finally:
        run.release()


def check_method(method_of: Callable[[dict], type[Method]], values: Sequence[dict], folder: str | Path) -> None:
    """Raises UserError where a resumed run, whose values come first, is given another method, before its keys are
    resolved as those of that method."""
    past, now = values[0], configuration.merged(values)
    if method_of(past) is not method_of(now):
        for name in ("method", "unlabelled", "distill"):
            configuration.check_unchanged(name, now.get(name), past.get(name), folder)


def check_resumable(run: Run, config) -> None:
    """Raises UserError where a resumed run would change its architecture, objective, data or their order."""
    past, newer = run.config(), {}
    for field in sorted(dataclasses.fields(config), key=lambda field: field.name != "method"):
        now = getattr(config, field.name)
        if not hasattr(past, field.name):
            newer[field.name] = now
        elif field.name.rpartition(".")[2] not in RESUMABLE:
            now, before = (configuration.absolute(field.name, value) for value in (now, getattr(past, field.name)))
            configuration.check_unchanged(field.name, now, before, run.folder)
    if newer:
        warn(f"{run.folder} is older than {', '.join(f'{name}={now}' for name, now in newer.items())}")


def begin(config, rank: Rank = SINGLE) -> tf.distribute.Strategy:
    """Seeds all random generators, sets the precision and returns the strategy for the available devices."""
    strategy = choose_strategy(rank)
    keras.utils.set_random_seed(config.seed)
    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    set_precision(config.precision)
    check_divides("batch_size", config.batch_size, strategy.num_replicas_in_sync, config.accumulate)
    return strategy


def check_divides(name: str, size: int, replicas: int, accumulate: int) -> None:
    """Raises UserError for a batch size that is no multiple of the replicas times the parts that each accumulates."""
    if size % (replicas * accumulate):
        parts = f" and {accumulate} parts" if accumulate > 1 else ""
        raise UserError(f"{name} {size} does not divide among {replicas} device(s){parts}: choose a multiple")


def run_info(config, steps_per_epoch: int, kind: type[Info] = RunInfo, **more) -> Info:
    """The facts of a training that a method is built with. steps_per_epoch: batches per pass over the data. more: other
    facts of this kind."""
    return kind(
        batch_size=config.batch_size,
        total_steps=config.steps or config.epochs * steps_per_epoch,
        steps_per_epoch=steps_per_epoch,
        dropout=config.dropout,
        views=config.views,
        load_encoder=lambda folder: make_perceptual_encoder(folder, config.height, config.width),
        **more,
    )


def devices(strategy: tf.distribute.Strategy) -> str:
    """The devices and precision of a training, as text."""
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return f"{strategy.num_replicas_in_sync} {kind} device(s), {keras.mixed_precision.dtype_policy().name}"


def make_encoder(config, weights_of: str | Path | None) -> keras.Model:
    """The encoder of a configuration, with the weights of the run `weights_of` where it is given."""
    size = config.height, config.width
    encoder = build_encoder(config.encoder, *size, config.positions, config.dropout, config.channels)
    if weights_of is not None:
        path, arrays = Run.open(weights_of).best()
        checkpoints.restore({"encoder": encoder}, arrays, path)
        say(f"encoder from {path}")
    return encoder


@kept_policy()
def load_encoder(folder: str | Path) -> keras.Model:
    """The encoder of a run, in float32."""
    config = Run.open(folder).config()
    set_precision("float32")
    return make_encoder(config, folder)


def make_perceptual_encoder(folder: str, height: int, width: int) -> Callable:
    """A function of images and widths that returns features `[B, T, D]` of a run's frozen encoder and their mask.

    Raises UserError where the encoder was built for images of another size.
    """
    built = architecture_of(folder)
    if built["channels"] == 4:
        raise UserError(f"perceptual {folder} sees images with depth: take another run")
    for name, size in (("height", height), ("width", width)):
        if built[name] != size:
            raise UserError(f"perceptual {folder} has {name} {built[name]}: set it here too, or take another run")
    encoder = make_encoder(Run.open(folder).config(), folder)
    return lambda images, widths: encoder(images, widths, training=False, layer="cnn")


def architecture_of(folder: str | Path) -> dict:
    """The keys that define the architecture of a run's encoder."""
    config = Run.open(folder).config()
    return {key: getattr(config, key) for key in ARCHITECTURE}


def make_loader(
    records: ImageDataset | Sequences,
    transform,
    batch_size: int,
    seed: int,
    processes: int | None = None,
    rank: Rank = SINGLE,
    same_source: int = 1,
) -> Loader:
    """The loader of this process's part of a run.

    batch_size: over all workers. processes: that make the views, by default one for every two cores. same_source: the
    number of images of one source that are together in a batch.
    """
    processes = processes if processes is not None else max(1, (os.cpu_count() or 1) // 2)
    sources = [sample.source for sample in records.samples]
    return Loader(records, transform, batch_size // rank.workers, seed, processes, rank, sources, same_source)
