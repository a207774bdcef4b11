"""Fine-tuning of a recognizer on labelled images; without `pretrained`, training from scratch."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from seqclr import config as configuration
from seqclr.config import FinetuneConfig
from seqclr.data import loader as data_loader
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset
from seqclr.data.loader import Joined
from seqclr.decision import Decision, seen_lengths
from seqclr.engine import callbacks, setup
from seqclr.engine.distribution import Rank
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.methods.text.ctc import CTC, ReaderInfo
from seqclr.methods.text.distillation import Distillation
from seqclr.methods.text.self_training import SelfTraining
from seqclr.nn.policy import kept_policy
from seqclr.recognition.digests import SampleDigests, save_known_labels
from seqclr.recognition.inheritance import check_teacher, inherited_head, kept_layers
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.splits import describe_validation, find_unlabelled_samples, split_off_validation
from seqclr.recognition.targets import (
    check_labels,
    check_lengths,
    check_targets,
    make_charset,
    resumed_charset,
    warn_of_labels,
)
from seqclr.recognition.validation import Validation


def method_of(values: dict) -> type[CTC]:
    """The method that these values select; its keys are part of the configuration."""
    return Distillation if values.get("distill") else SelfTraining if values.get("unlabelled") else CTC


def configure(values: Sequence[dict]):
    """The resolved FinetuneConfig; later values override earlier ones.

    The architecture of the pretrained encoder comes first.
    """
    method = method_of(configuration.merged(values))
    pretrained = configuration.resolve(FinetuneConfig, method, values).pretrained
    built = [setup.architecture_of(pretrained)] if pretrained else []
    return configuration.resolve(FinetuneConfig, method, [*built, *values])


@kept_policy()
def finetune(
    config, output: str, resume: bool = False, watching: Sequence[keras.callbacks.Callback] = ()
) -> dict[str, float]:
    """Trains a recognizer and returns the metrics of the last round.

    config: a resolved FinetuneConfig. watching: more callbacks. An unlabelled image that cannot be read is reported,
    skipped and counted at the end.

    Raises UserError before anything is written if an argument or the data are wrong.
    """
    cls = method_of(vars(config))
    setup.check(config, cls)
    if config.distill:
        check_teacher(config)
    if config.keep_head and config.pretrained is None:
        raise UserError(f"keep_head {config.keep_head}: set pretrained to the run whose projector layers are kept")
    run, rank = setup.find_run(config, output, resume)
    train, validation, held_out = split_off_validation(config)
    check_labels(train + validation)
    charset = make_charset(config, train + validation)
    if resume:
        charset = resumed_charset(charset, run)
    targets = [charset.target(sample.text, sample.name) for sample in train + validation][: len(train)]
    truths = [charset.normalize(sample.text) for sample in validation]  # in full, also with `unknown=drop`
    check_targets(train, targets)
    method = cls(**configuration.fields_of(cls, config))
    transform = cls.transform(config.views, [charset.encode(target) for target in targets])
    size = config.height, config.width, config.resize
    dataset, validation_dataset = ImageDataset(train, *size), ImageDataset(validation, *size)
    check_lengths(dataset, targets)
    unlabelled = None
    if config.unlabelled:
        unlabelled = ImageDataset(find_unlabelled_samples(config, validation), *size, skip_bad=True)

    strategy = setup.begin(config, rank)
    loader = setup.make_loader(dataset, transform, config.batch_size, config.seed, config.processes, rank)
    with setup.building(config, strategy):
        method.build(*build_arguments(config, charset, loader.steps_per_epoch))
    if unlabelled is not None:
        loader = Joined(loader, unlabelled_loader(method, unlabelled, config, strategy, rank), method.start)
    recognizer = Recognizer(method.encoder, method.head, charset, *size)
    lengths = seen_lengths([*targets, *truths])
    validate = Validation(recognizer, validation_dataset, truths, config.patience, method.result(), lengths)
    try:
        digests = SampleDigests(run.folder, train, validation)
        standard = callbacks.standard(run, config.profile, config.tensorboard)
        watching = [digests, validate, *standard, *watching] if rank.chief else []
        trainer = Trainer(method, loader, config, run, strategy, watching, rank)
        validate.trainer = trainer
        with setup.training(run, config, trainer, resume):
            if rank.chief:
                charset.save(run.charset_file)
                save_known_labels(run, train + validation, [config.pretrained, config.distill])
                more = f"{len(unlabelled)} unlabelled, " if unlabelled is not None else ""
                say(
                    f"{len(train)} labelled images, {len(validation)} for validation, {more}charset "
                    f"{charset.characters}; {setup.devices(strategy)}"
                )
                say(describe_validation(config, validation, held_out))
                warn_of_labels(train + validation)
            logs = trainer.fit()
    finally:
        loader.close()
        for pixels in (dataset, validation_dataset, unlabelled):
            if pixels is not None:
                pixels.close()
        if unlabelled is not None and unlabelled.skipped:
            warn(f"{len(unlabelled.skipped)} image(s) that cannot be read were skipped")
    if rank.chief:
        threshold = Decision.load(run.decision_file).threshold
        below = "" if threshold is None else f"; predictions of a confidence below {threshold:.2f} are refused"
        say(f"best validation edit-distance accuracy {validate.best:.4f} at step {validate.best_step}{below}")
    return logs


def build_arguments(config, charset: Charset, steps_per_epoch: int) -> tuple[keras.Model, ReaderInfo]:
    """The arguments of the method's `build`: the encoder, and the settings and starting weights of the head."""
    teacher = Recognizer.load(config.distill).logits if config.distill else None
    encoder, sizes, weights = setup.make_encoder(config, config.pretrained), [], []
    if config.pretrained is not None:
        kept = kept_layers(config)
        sizes = [offset.size for offset in kept[1::5]]
        weights = inherited_head(config.pretrained, encoder.dim, charset, sizes) or kept
    more = {"pretrained": config.pretrained is not None, "kept": sizes, "head_weights": weights, "teacher": teacher}
    more |= {"classes": len(charset) + 1, "charset": charset}
    return encoder, setup.run_info(config, steps_per_epoch, ReaderInfo, **more)


def unlabelled_loader(method, dataset: ImageDataset, config, strategy, rank: Rank) -> data_loader.Loader:
    """Batches of unlabelled images, in an order that is independent of that of the labelled ones."""
    size, replicas = config.unlabelled_batch_size or config.batch_size, strategy.num_replicas_in_sync
    setup.check_divides("unlabelled_batch_size", size, replicas, config.accumulate)
    transform, seed = method.unlabelled_transform(config.views), (config.seed + 1) % 2**32
    return setup.make_loader(dataset, transform, size, seed, config.processes, rank)
