"""A sheet of a method's inputs and targets."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from seqclr import config as configuration
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.loader import as_batch
from seqclr.data.sequences import expand
from seqclr.engine import setup
from seqclr.methods import find_method
from seqclr.nn.policy import kept_policy
from seqclr.visualization.sheet import check_output, sheet

LOOKED_AT = 500  # images of a data set without sequences that are read at most


@kept_policy()
def show_task(config, output: str, count: int = 8) -> None:
    """Draws a row for each of `count` examples, as the transform of `config`, a resolved PretrainConfig, makes them.

    Writes a PNG. Raises UserError if an argument or the data are wrong, or the output is there already.
    """
    check_output(Path(output))
    configuration.check_range("images", count, least=1)
    cls = find_method(config.method)
    setup.check(config, cls)
    method = cls(**configuration.fields_of(cls, config))
    transform = method.make_transform(config.views)
    samples = find_unlabelled(config.data, config.split)
    samples = expand(samples) if method.animated else samples[:: -(-len(samples) // LOOKED_AT)]
    dataset = ImageDataset(samples, config.height, config.width, config.resize, skip_bad=True, channels=config.channels)
    records = method.records(dataset)
    method.prepare(records.samples)
    with setup.building(config, setup.begin(config)):
        steps_per_epoch = max(1, len(records) // config.batch_size)
        method.build(setup.make_encoder(config, config.init), setup.run_info(config, steps_per_epoch))
    chosen = np.linspace(0, len(records) - 1, min(count, len(records))).round().astype(int)
    rows = [transform(records[i], np.random.default_rng([config.seed, i])) for i in chosen]
    sheet(method.preview_inputs(as_batch(rows)), output)
    dataset.close()
