"""Adaptation of a reader to the images of a site, with few labels or none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np

from seqclr import config as configuration
from seqclr.config import AdaptConfig
from seqclr.data.charset import Charset
from seqclr.data.dataset import ImageDataset, Repeated
from seqclr.data.knowledge import Known, Possible, read_lengths
from seqclr.data.loader import Without
from seqclr.data.samples import Sample
from seqclr.engine import callbacks, setup
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.methods.text.adaptation import Adaptation, generated_weight
from seqclr.methods.text.ctc import ReaderInfo
from seqclr.nn.policy import kept_policy
from seqclr.recognition.digests import SampleDigests, save_known_labels
from seqclr.recognition.estimates import AccuracyEstimate, estimate_texts
from seqclr.recognition.inheritance import inherited_head
from seqclr.recognition.recognizer import Recognizer
from seqclr.recognition.refused import refused_texts
from seqclr.recognition.splits import find_validation, split_off_labelled
from seqclr.recognition.targets import check_labels, check_lengths, warn_of_labels
from seqclr.transforms import generated

MOST = 5000  # images of a site without a label that are used; the time of label propagation grows with the square
LABELLED_SHARE = 0.25  # least share of images with a label among those of a site in a batch, where there are labels


def configure(values: Sequence[dict]):
    """The resolved AdaptConfig; later values override earlier ones. The architecture is that of the reader.

    Raises UserError for another architecture.
    """
    model = configuration.resolve(AdaptConfig, Adaptation, values).model
    built = setup.architecture_of(model)
    config = configuration.resolve(AdaptConfig, Adaptation, [built, *values])
    for name, value in built.items():
        given = getattr(config, name)
        if given != value:
            raise UserError(f"{name} {given}: the reader {model} was trained with {value}: leave {name} out")
    return config


@kept_policy()
def adapt(
    config, output: str, resume: bool = False, watching: Sequence[keras.callbacks.Callback] = ()
) -> dict[str, float]:
    """Adapts a reader; returns the figures of the last round, and on the chief those of AccuracyEstimate.

    config: a resolved AdaptConfig; charset, length and generated_weight are set where they are None. Rows of split
    `test` and `validation` are excluded; labelled ones of `validation` choose the threshold of confidence. An image
    that cannot be read is skipped and counted in a warning. watching: more callbacks. Raises UserError before anything
    is written if an argument or the data are wrong.
    """
    setup.check(config, Adaptation)
    if getattr(Run.open(config.model).config(), "keep_head", 0):
        raise UserError(f"model {config.model} has layers kept with keep_head, which adapt cannot take: give another")
    run, rank = setup.find_run(config, output, resume)
    strategy = setup.begin(config, rank)
    reader = Recognizer.load(config.model)
    samples, labelled = split_off_labelled(config)
    check_labels(labelled)
    validation, size = find_validation(config, samples), (config.height, config.width, config.resize)
    samples = some_of_each_source(samples, set(labelled), rank.chief)
    dataset = ImageDataset(samples, *size, skip_bad=True)
    validation_dataset = ImageDataset(validation, *size, skip_bad=True) if validation else None
    given = set(labelled)
    labelled = [sample for sample in dataset.samples if sample in given]  # those that can be read
    complete_knowledge(config, reader, dataset, labelled, rank.chief)
    if config.generated_weight is None:
        config.generated_weight = generated_weight([sample.source for sample in labelled])
    method = Adaptation(**configuration.fields_of(Adaptation, config))
    known = Known.of(config.charset, config.length)
    charset, lengths = known.within(reader.charset), known.possible(reader.charset, config.width).lengths
    targets = {sample: target_of(sample, charset, config) for sample in labelled}
    texts = [targets.get(sample, "") for sample in dataset.samples]
    check_lengths(dataset, texts)
    refused = refused_texts(config.data, dataset, charset) if method.refused else []
    refused = ["" if text else wrong for text, wrong in zip(texts, refused)]
    ids = [[charset.encode(text) for text in column] for column in (texts, refused)]
    transform = method.make_site_transform(config.views, charset, lengths, ids[0], ids[1] if any(refused) else None)
    records = balanced(dataset, {index for index, text in enumerate(texts) if text})
    loader = setup.make_loader(records, transform, config.batch_size, config.seed, config.processes, rank)
    with setup.building(config, strategy):
        encoder = setup.make_encoder(config, config.model)
        head = inherited_head(config.model, encoder.dim, charset)
        of_records = {"labels": ids[0], "sources": [sample.source for sample in dataset.samples]}
        more = {"classes": len(charset) + 1, "charset": charset, "head_weights": head, "lengths": lengths, **of_records}
        method.build(encoder, setup.run_info(config, loader.steps_per_epoch, ReaderInfo, **more))
    loader = Without(loader, generated.KEYS, method.generated_steps())
    adapted = Recognizer(encoder, method.head, charset, *size)
    adapted.possible = Possible(None, lengths)
    trained_on, truths = {index for index, text in enumerate(texts) if text}, None
    if validation_dataset is not None:
        truths = validation_dataset, [charset.normalize(sample.text) for sample in validation_dataset.samples]
    before = reader.knowing(known)
    estimate = AccuracyEstimate(
        adapted, dataset, trained_on, method.propagated, method.result(), before, run.decision_file, truths
    )
    try:
        digests = SampleDigests(run.folder, labelled, validation)
        standard = callbacks.standard(run, config.profile, config.tensorboard)
        watching = [digests, *standard, estimate, *watching] if rank.chief else []
        trainer = Trainer(method, loader, config, run, strategy, watching, rank)
        with setup.training(run, config, trainer, resume):
            if rank.chief:
                charset.save(run.charset_file)
                save_known_labels(run, [*labelled, *validation], [config.model])
                say(
                    f"{len(dataset)} images, {len(labelled)} of them labelled; charset {charset.characters}, "
                    f"length {config.length}; {setup.devices(strategy)}"
                )
                warn_of_labels(labelled)
            logs = trainer.fit()
    finally:
        loader.close()
        for images in (dataset, validation_dataset):
            if images is not None:
                images.close()
        transform.close()
        if dataset.skipped:
            warn(f"{len(dataset.skipped)} image(s) that cannot be read were skipped")
    return {**logs, **estimate.figures} if rank.chief else logs


def some_of_each_source(samples: Sequence[Sample], labelled: set[Sample], loud: bool) -> list[Sample]:
    """The labelled samples, and of each source at most MOST others, drawn at random. loud: says if there are more."""
    drawn = np.random.default_rng(0).permutation(len(samples)).tolist()
    counts, kept = Counter(), set(labelled)
    for sample in (samples[index] for index in drawn):
        counts[sample.source] += sample not in labelled
        if counts[sample.source] <= MOST:
            kept.add(sample)
    for source, count in counts.items():
        if count > MOST and loud:
            say(f"{source}: {MOST} of {count} images without a label are used, drawn at random")
    return [sample for sample in samples if sample in kept]


def balanced(dataset: ImageDataset, labelled: set[int]) -> Repeated:
    """The records, with those of labelled images repeated until they are LABELLED_SHARE of all."""
    indices = list(range(len(dataset)))
    if labelled:
        others = len(indices) - len(labelled)
        times = round(LABELLED_SHARE * others / (1 - LABELLED_SHARE) / len(labelled))
        indices += sorted(labelled) * max(0, times - 1)
    return Repeated(dataset, indices)


def complete_knowledge(
    config, reader: Recognizer, dataset: ImageDataset, labelled: list[Sample], loud: bool = True
) -> None:
    """Sets charset and length of the configuration, where they are not given, to estimates. loud: says them."""
    if config.charset is not None and config.length is not None:
        return
    reader.possible = Possible()  # an adapted reader has the lengths of its site
    known = reader.knowing(Known.of(config.charset, config.length))
    texts = [reader.charset.normalize(sample.text) for sample in labelled]
    for name, value in zip(("charset", "length"), estimate_texts(known, dataset, texts)):
        if getattr(config, name) is None:
            setattr(config, name, value)
            if loud:
                say(f"{name} of the surest predictions{' and the labels' if texts else ''}: {value}")


def target_of(sample: Sample, charset: Charset, config) -> str:
    """The text of a label. Raises UserError for one that is not among the possible texts."""
    text = charset.normalize(sample.text)
    problem = f"{sample.name} has the label '{sample.text}'"
    strangers = charset.strangers(text)
    if strangers:
        raise UserError(
            f"{problem} with {strangers[0]!r}, and charset is {charset.characters}: correct the label, or add it to "
            f"charset; characters that {config.model} does not know are learned by finetune --pretrained {config.model}"
        )
    if len(text) not in read_lengths(config.length):
        raise UserError(
            f"{problem} of {len(text)} characters, and length is {config.length}: correct it, or add it to length"
        )
    return text
