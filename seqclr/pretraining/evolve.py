"""Evolution of the weights with which several methods train an encoder together."""

from __future__ import annotations

import csv
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf
import yaml

from seqclr import config as configuration
from seqclr import files, memory
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.loader import InOrder
from seqclr.data.sequences import expand
from seqclr.data.workers import LoaderFailed
from seqclr.engine import checkpoints, optimizers, setup, signals
from seqclr.engine.optimizers import OptimizerSettings
from seqclr.engine.run import Run
from seqclr.engine.step import TrainStep
from seqclr.engine.trainer import Interrupted, TrainingFailed
from seqclr.errors import UserError
from seqclr.messages import bar, say, warn
from seqclr.methods import find_method
from seqclr.methods.clustering.surrogate import check_classes
from seqclr.methods.combination import Combination
from seqclr.nn import clusters, frames
from seqclr.nn.momentum import in_place
from seqclr.nn.policy import kept_policy
from seqclr.pretraining.evolution import Candidate, cma_es, search, zipf_divergence

BATCH = 64
# keys of pretraining that an evolution has no use for, and their defaults
OFF = {"probe": None, "steps_per_execution": 1, "checkpoint_every": None, "profile": False, "tensorboard": False}
# keys of the candidates' training, which other runs may change when they are resumed
SAME = ("data", "init", "steps", "epochs", "learning_rate", "warmup", "weight_decay", "clip", "dropout", "accumulate")


class Evolved(NamedTuple):
    """The result of an evolution. weights: of each method, with the mean 1. divergence: of these weights from Zipf's
    law, and of equal weights. file: a configuration for pretraining with the weights."""

    weights: dict[str, float]
    divergence: float
    divergence_of_equal: float
    file: Path


class Evaluation:
    """Trains the encoder with some weights, from the same start on the same batches, and measures its features.

    records: of the method. dataset: the images, of which some are clustered.
    """

    def __init__(self, config, method: Combination, records, dataset: ImageDataset, strategy):
        self.method, self.records, self.config = method, records, config
        transform = method.make_transform(config.views)
        loader = setup.make_loader(
            records, transform, config.batch_size, config.seed, config.processes, same_source=config.same_source
        )
        with setup.building(config, strategy):
            encoder = setup.make_encoder(config, config.init)
            method.build(encoder, setup.run_info(config, loader.steps_per_epoch))
            total = method.run.total_steps
            made = optimizers.make_optimizers(method, configuration.part(OptimizerSettings, config), total)
        self.step = TrainStep(method, made, strategy, accumulate=config.accumulate)
        self.parts = {**method.parts(), **made}
        self.start = checkpoints.snapshot(self.parts)
        chosen = np.random.default_rng(config.seed).permutation(len(dataset))[: config.criterion_images]
        self.images = list(InOrder([dataset[int(index)] for index in np.sort(chosen)], BATCH))
        self.encode = tf.function(self._encode, reduce_retracing=True)
        try:
            first = next(loader)
            size = sum(rows.nbytes for rows in first.values()) * total
            memory.check_fits(size, f"the views of steps {total}", "lower steps or batch_size")
            self.batches = [first, *itertools.islice(loader, total - 1)]
        except LoaderFailed as error:
            raise TrainingFailed(f"{error}: nothing was written") from error
        finally:
            loader.close()
            transform.close()

    def __call__(self, weights: Sequence[float]) -> float:
        """The divergence of the clusters' sizes from Zipf's law; infinite where the training diverges."""
        checkpoints.restore(self.parts, self.start, Path("the start"))
        self.method.weigh(dict(zip(self.method.methods, weights)))
        for number, batch in enumerate(self.batches):
            if self.method.relabels(number):
                self.method.relabel(InOrder(self.records, self.config.batch_size))
            self.step([batch], self.method.frozen(number))
        with in_place(self.method.result()):
            rows = [self.encode(batch["image"], batch.get("width")).numpy() for batch in self.images]
        features = np.concatenate(rows)
        if not np.isfinite(features).all():
            return float("inf")
        count = self.config.criterion_clusters
        return zipf_divergence(np.bincount(clusters.k_means(features, count, self.config.seed), minlength=count))

    def _encode(self, images, widths):
        features, mask = self.method.encoder(images, widths, training=False, layer=self.method.layer)
        return frames.pool(tf.cast(features, tf.float32), "all", mask)[0][:, 0]


@kept_policy()
def evolve(config, output: str, resume: bool = False) -> Evolved:
    """Searches the weights of the methods of `config`, a resolved EvolveConfig, and writes them into `output`.

    `evolution.csv` has every candidate; `weights.yaml` is a configuration with the best. Raises UserError before
    anything is written if an argument or the data are wrong, Interrupted after Ctrl-C or SIGTERM, and TrainingFailed
    where the training diverges with all weights.
    """
    cls = find_method(config.method)
    check(config, cls)
    if resume:
        check_same(Run.open_own(output), config)
    run, rank = setup.find_run(config, output, resume)
    if rank.workers > 1:
        raise UserError("evolve runs in one process: leave out workers")
    method = cls(**configuration.fields_of(cls, config))
    file, names = run.folder / "evolution.csv", list(method.methods)
    past = read(file, names) if resume else []
    samples = find_unlabelled(config.data, config.split)
    samples = expand(samples) if method.animated else samples
    dataset = ImageDataset(samples, config.height, config.width, config.resize, skip_bad=True, channels=config.channels)
    try:
        check_classes("criterion_clusters", config.criterion_clusters, min(config.criterion_images, len(dataset)))
        records = method.records(dataset)
        method.prepare(records.samples)
        evaluate = Evaluation(config, method, records, dataset, setup.begin(config))
        run.claim(new=not resume)
        run.create(config)
        total = 1 + config.generations * config.population
        with signals.catch_signals() as seen, bar(total=total, initial=min(len(past), total), unit="candidate") as line:

            def record(found: list[Candidate]) -> None:
                write(file, names, found)
                line.update()
                if seen:
                    raise Interrupted(f"stopped after {len(found)} of {total} candidates, which are saved", seen[0])

            found = search(evaluate, len(names), config.generations, config.population, config.seed, past, record)
    finally:
        dataset.close()
        run.release()
        if dataset.skipped:
            warn(f"{len(dataset.skipped)} image(s) that cannot be read were skipped")
    best = min(found, key=lambda candidate: candidate.divergence)
    if not np.isfinite(best.divergence):
        raise TrainingFailed(
            f"the training diverges with all weights of {file}: lower learning_rate, with another --output"
        )
    weights = dict(zip(names, best.weights))
    keep = {"method": config.method, "weights": ",".join(f"{name}:{weight:.4g}" for name, weight in weights.items())}
    with files.atomic_write(run.folder / "weights.yaml") as stream:
        yaml.safe_dump(keep, stream, sort_keys=False)
    result = Evolved(weights, best.divergence, found[0].divergence, run.folder / "weights.yaml")
    say(f"weights={keep['weights']}: divergence {best.divergence:.4f}, of equal weights {found[0].divergence:.4f}")
    return result


def check(config, cls) -> None:
    """Raises UserError where there are no weights to evolve, keys contradict each other, or the extra is missing."""
    cma_es()
    if not issubclass(cls, Combination):
        raise UserError(f"method '{config.method}' is a single one: give several, as simclr+masked")
    if config.weights is not None:
        raise UserError(f"weights {config.weights}: leave it out, as evolve finds them")
    for name, default in OFF.items():
        if getattr(config, name) != default:
            raise UserError(f"{name} {configuration.shown(getattr(config, name))}: leave it out, as evolve has none")
    setup.check(config, cls)


def check_same(run: Run, config) -> None:
    """Raises UserError where candidates would be trained otherwise than those so far."""
    past = run.config()
    for name in SAME:
        now, before = (configuration.absolute(name, getattr(values, name)) for values in (config, past))
        configuration.check_unchanged(name, now, before, run.folder)


def write(file: Path, names: list[str], candidates: list[Candidate]) -> None:
    with files.atomic_write(file) as stream:
        table = csv.writer(stream, lineterminator="\n")
        table.writerow(["generation", "divergence", *names])
        table.writerows([each.generation, each.divergence, *each.weights] for each in candidates)


def read(file: Path, names: list[str]) -> list[Candidate]:
    """The candidates that `write` wrote, none without a file. Raises UserError for another content."""
    if not file.is_file():
        return []
    try:
        with open(file, newline="", encoding="utf-8") as stream:
            head, *rows = csv.reader(stream)
        if head != ["generation", "divergence", *names]:
            raise ValueError
        return [Candidate(int(row[0]), float(row[1]), tuple(map(float, row[2:]))) for row in rows]
    except (ValueError, IndexError):
        raise UserError(f"{file} is damaged: give another --output") from None
