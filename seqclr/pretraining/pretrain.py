"""Self-supervised pretraining of an encoder on images without labels."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from seqclr import config as configuration
from seqclr.config import PretrainConfig
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.sequences import expand
from seqclr.engine import callbacks, setup
from seqclr.engine.monitors import Monitors
from seqclr.engine.trainer import Trainer
from seqclr.messages import say, warn
from seqclr.methods import find_method
from seqclr.methods.base import Method
from seqclr.nn.policy import kept_policy
from seqclr.probes.probing import Probing, make_probe
from seqclr.recognition.inheritance import inherited_head


def method_of(values: dict) -> type[Method]:
    """The class of the method that the values of a configuration name."""
    return find_method(configuration.typed("method", "str | None", values.get("method")) or "simclr")


def configure(values: Sequence[dict], base: type[PretrainConfig] = PretrainConfig):
    """The configuration of mappings of keys to values; later ones override.

    The architecture of the encoder to start from comes first.
    """
    method = method_of(configuration.merged(values))
    init = configuration.resolve(base, method, values).init
    built = [setup.architecture_of(init)] if init else []
    return configuration.resolve(base, method, [*built, *values])


@kept_policy()
def pretrain(
    config, output: str, resume: bool = False, watching: Sequence[keras.callbacks.Callback] = ()
) -> dict[str, float]:
    """Pretrains with the method that `config`, a resolved PretrainConfig, names; returns the figures of the last round.

    Rows of split `test` and `validation` are excluded. With `probe`, labelled data, the checkpoint with the best probe
    of the frozen encoder is kept as `best.npz`. Unreadable images are skipped and counted in a warning. watching: more
    callbacks. Raises UserError before anything is written if an argument or the data are wrong.
    """
    cls = find_method(config.method)
    setup.check(config, cls)
    run, rank = setup.find_run(config, output, resume)
    method = cls(**configuration.fields_of(cls, config))
    transform = method.make_transform(config.views)
    probe = make_probe(config) if config.probe else None
    samples = find_unlabelled(config.data, config.split, known=[config.probe] if config.probe else [])
    samples = expand(samples) if method.animated else samples
    dataset = ImageDataset(samples, config.height, config.width, config.resize, skip_bad=True, channels=config.channels)
    records = method.records(dataset)
    method.prepare(records.samples)
    strategy = setup.begin(config, rank)
    loader = setup.make_loader(
        records, transform, config.batch_size, config.seed, config.processes, rank, config.same_source
    )
    with setup.building(config, strategy):
        encoder = setup.make_encoder(config, config.init)
        head = None
        if config.init and method.charset is not None:
            head = inherited_head(config.init, encoder.dim, method.charset)
        method.build(encoder, setup.run_info(config, loader.steps_per_epoch, head_weights=head or ()))
    probing = [Probing(probe, method, config.probe_every)] if probe and rank.chief else []
    stacks = config.channels > 4  # single images, as the monitors show, say little about an encoder of stacks
    first = [
        *([] if stacks else [Monitors(method, dataset, config.views, config.seed)]),
        *probing,
        *callbacks.standard(run, config.profile, config.tensorboard),
    ]
    watching = [*first, *watching]
    if cls.preview_outputs is not Method.preview_outputs:
        watching.append(callbacks.Previews(run, method, records, config.views))
    try:
        trainer = Trainer(method, loader, config, run, strategy, watching if rank.chief else [], rank)
        for each in probing:
            each.trainer = trainer
        with setup.training(run, config, trainer, resume):
            if rank.chief:
                if method.charset is not None:
                    method.charset.save(run.charset_file)
                sources = len({sample.source for sample in dataset.samples})
                say(f"{len(dataset)} images, {sources} source(s); {setup.devices(strategy)}")
                if method.chance is not None:
                    say(f"chance accuracy is {method.chance:.3g}")
            logs = trainer.fit()
    finally:
        loader.close()
        dataset.close()
        if hasattr(transform, "close"):
            transform.close()
        if dataset.skipped:
            warn(f"{len(dataset.skipped)} image(s) that cannot be read were skipped")
    for each in probing:
        if each.best_step:  # 0 where a finished run is resumed with a probe
            metric = probe.metrics[0]
            say(f"best probe ({probe.kind}): {metric} {each.best:.4f} at step {each.best_step}")
            logs |= {f"best_probe_{metric}": each.best, "best_probe_step": each.best_step}
    return logs
