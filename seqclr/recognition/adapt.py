"""Adaptation of a reader to the images of a site, with few labels or none."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from seqclr import config as configuration
from seqclr.config import AdaptConfig
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset
from seqclr.data.discovery import find_unlabelled
from seqclr.data.knowledge import Known, read_lengths
from seqclr.data.samples import Sample
from seqclr.engine import callbacks, setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.methods.text.adaptation import Adaptation
from seqclr.methods.text.ctc import ReaderInfo
from seqclr.nn.policy import kept_policy
from seqclr.recognition.estimates import estimate_accuracy, estimate_texts
from seqclr.recognition.inheritance import inherited_head
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.splits import subsample
from seqclr.recognition.targets import check_labels, check_lengths

DOUBTFUL, ASKED = 0.7, 20  # an estimated exact match below which labels are asked for, and how many
LABELLED_SHARE = 0.25  # least share of the images with a label in the batches, where there are labels


def configure(values: Sequence[dict]):
    """The resolved AdaptConfig; later values override earlier ones. The architecture of the reader comes first."""
    model = configuration.resolve(AdaptConfig, Adaptation, values).model
    return configuration.resolve(AdaptConfig, Adaptation, [setup.architecture_of(model), *values])


@kept_policy()
def adapt(
    config, output: str, resume: bool = False, watching: Sequence[keras.callbacks.Callback] = ()
) -> dict[str, float]:
    """Adapts a reader and returns the figures of the last round.

    config: a resolved AdaptConfig. Rows of split `test` and `validation` are excluded. An image that cannot be read is
    skipped and counted in a warning. watching: more callbacks. Raises UserError before anything is written if an
    argument or the data are wrong.
    """
    setup.check(config, Adaptation)
    if getattr(Run.open(config.model).config(), "keep_head", 0):
        raise UserError(f"model {config.model} has layers kept with keep_head, which adapt cannot take: give another")
    run, rank = setup.find_run(config, output, resume)
    method = Adaptation(**configuration.fields_of(Adaptation, config))
    reader = Recognizer.load(config.model)
    samples = find_unlabelled(config.data, config.split)
    labelled = subsample([sample for sample in samples if sample.text is not None], config.labels, config.seed)
    check_labels(labelled)
    size = config.height, config.width, config.resize
    dataset = ImageDataset(balanced(samples, labelled), *size, skip_bad=True)
    images = len(set(dataset.samples))
    complete_knowledge(config, reader, dataset, labelled)
    known = Known.of(config.charset, config.length)
    charset, lengths = known.within(reader.charset), known.possible(reader.charset, config.width).lengths
    targets = {sample: target_of(sample, charset, config) for sample in labelled}
    ids = [charset.encode(targets.get(sample, "")) for sample in dataset.samples]
    check_lengths(dataset, [targets.get(sample, "") for sample in dataset.samples])
    transform = method.make_site_transform(config.views, charset, lengths, ids)

    strategy = setup.begin(config, rank)
    loader = setup.make_loader(dataset, transform, config.batch_size, config.seed, config.processes, rank)
    with setup.building(config, strategy):
        encoder = setup.make_encoder(config, config.model)
        head = inherited_head(config.model, encoder.dim, charset)
        info = vars(setup.run_info(config, loader.steps_per_epoch))
        method.build(encoder, ReaderInfo(**info, classes=len(charset) + 1, charset=charset, head_weights=head,
                                         lengths=lengths))  # fmt: skip
    try:
        standard = callbacks.standard(run, config.profile, config.tensorboard)
        trainer = Trainer(method, loader, config, run, strategy, [*standard, *watching] if rank.chief else [], rank)
        with setup.training(run, config, trainer, resume):
            if rank.chief:
                charset.save(run.charset_file)
                say(
                    f"{images} images, {len(labelled)} of them labelled; charset {charset.characters}, length "
                    f"{config.length}; {setup.devices(strategy)}"
                )
            logs = trainer.fit()
        if rank.chief:
            logs["estimated_exact_match"] = tell_accuracy(Recognizer.load(run.folder), dataset)
    finally:
        loader.close()
        dataset.close()
        transform.close()
        if dataset.skipped:
            warn(f"{len(dataset.skipped)} image(s) that cannot be read were skipped")
    return logs


def balanced(samples: list[Sample], labelled: list[Sample]) -> list[Sample]:
    """The samples, with labelled ones repeated until they are LABELLED_SHARE of all."""
    if not labelled:
        return samples
    others = len(samples) - len(labelled)
    times = round(LABELLED_SHARE * others / (1 - LABELLED_SHARE) / len(labelled))
    return [*samples, *labelled * max(0, times - 1)]


def complete_knowledge(config, reader: Recognizer, dataset: ImageDataset, labelled: list[Sample]) -> None:
    """Sets charset and length of the configuration, where they are not given, to estimates."""
    if config.charset is not None and config.length is not None:
        return
    known = reader.knowing(Known.of(config.charset, config.length))
    charset, length = estimate_texts(known, dataset, [sample.text for sample in labelled])
    if config.charset is None:
        config.charset = charset
        say(f"charset, of the surest predictions: {charset}")
    if config.length is None:
        config.length = length
        say(f"length, of the surest predictions: {length}")


def tell_accuracy(reader: Recognizer, dataset: ImageDataset) -> float:
    """Says and returns the estimated exact match of a reader, and what to do where it is low."""
    estimate = estimate_accuracy(reader, dataset)
    say(f"estimated without labels: {estimate:.2f} of the texts are right")
    if estimate < DOUBTFUL:
        warn(f"the predictions are uncertain: label {ASKED} images, and adapt with these labels")
    return estimate


def target_of(sample: Sample, charset: Charset, config) -> str:
    """The text of a label. Raises UserError for one that is not among the possible texts."""
    text = charset.target(sample.text, sample.name)
    if len(text) not in read_lengths(config.length):
        raise UserError(
            f"{sample.name} has the label '{sample.text}' of {len(text)} characters, and length is {config.length}: "
            "add it to length, or correct the label"
        )
    return text
