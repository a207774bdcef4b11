"""What every training does before its first step."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import keras
import tensorflow as tf

from seqclr.data.loader import Fitted, Loader
from seqclr.engine import checkpoints
from seqclr.engine.precision import set_precision
from seqclr.engine.run import Run
from seqclr.engine.trainer import choose_strategy
from seqclr.errors import UserError
from seqclr.nn.encoders import build_encoder

ARCHITECTURE = ("encoder", "height", "width", "resize", "positions")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def begin(config) -> tf.distribute.Strategy:
    """Seeds everything, sets the precision and returns the strategy for the devices that are there."""
    keras.utils.set_random_seed(config.seed)
    policy = set_precision(config.precision)
    strategy = choose_strategy()
    replicas = strategy.num_replicas_in_sync
    if config.batch_size < 1 or config.batch_size % replicas:
        raise UserError(f"batch_size {config.batch_size} does not divide among {replicas} device(s): take a multiple")
    for name in ("steps", "epochs", "checkpoint_every"):
        if getattr(config, name) is not None and getattr(config, name) < 1:
            raise UserError(f"{name} {getattr(config, name)}: at least 1")
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    say(f"{replicas} {kind} device(s), {policy}")
    return strategy


def make_encoder(config, weights_of: str | None) -> keras.Model:
    """The encoder of a configuration, with the weights of another run where one is named."""
    encoder = build_encoder(config.encoder, config.height, config.width, config.positions, config.dropout)
    if weights_of is not None:
        path = Run.open(weights_of).best()
        arrays, _ = checkpoints.load(path)
        checkpoints.restore({"encoder": encoder}, arrays, path)
        say(f"encoder from {path}")
    return encoder


def architecture_of(folder: str | Path) -> dict:
    """The keys that a run's encoder was built with."""
    config = Run.open(folder).config()
    return {key: config[key] for key in ARCHITECTURE}


def make_loader(fitted: Fitted, recipe, config) -> Loader:
    workers = config.workers if config.workers is not None else max(1, (os.cpu_count() or 1) // 2)
    return Loader(fitted, recipe, config.batch_size, config.seed, workers)
