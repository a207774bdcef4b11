"""Fine-tuning: labelled images in, a run that reads out. Also training from scratch: the same without `pretrained`."""

from __future__ import annotations

import dataclasses
import random
import zlib
from collections import Counter
from collections.abc import Sequence

import keras
import numpy as np

from seqclr import config as configuration
from seqclr.config import FinetuneConfig
from seqclr.data import labels
from seqclr.data import loader as data_loader
from seqclr.data.charset import FRAME_STRIDE, Charset, frames_needed
from seqclr.data.loader import ImageDataset, Joined
from seqclr.data.records import HELD_OUT, Sample, by_source, find, find_unlabelled, split_name, tally, without
from seqclr.engine import callbacks, checkpoints, setup
from seqclr.engine.distribution import Rank
from seqclr.engine.run import Run
from seqclr.engine.trainer import Trainer
from seqclr.errors import UserError
from seqclr.messages import say, warn
from seqclr.methods.text.ctc import CTC, ctc_head
from seqclr.methods.text.distillation import Distillation
from seqclr.methods.text.self_training import SelfTraining
from seqclr.nn.heads import hidden_weights
from seqclr.nn.momentum import Momentum, in_place
from seqclr.nn.policy import kept_policy
from seqclr.recognition import metrics
from seqclr.recognition.recognizer import Recognizer

VALIDATION = 0.1  # of the labels, where there is no validation data


def method_of(values: dict) -> type[CTC]:
    """The method of a fine-tuning with these values, whose keys its configuration has."""
    return Distillation if values.get("distill") else SelfTraining if values.get("unlabelled") else CTC


def configure(values: Sequence[dict]):
    """The resolved FinetuneConfig of some values, a later one over an earlier; those that a pretrained encoder was
    built with come first."""
    method = method_of(configuration.merged(values))
    pretrained = configuration.resolve(FinetuneConfig, method, values).pretrained
    built = [setup.architecture_of(pretrained)] if pretrained else []
    return configuration.resolve(FinetuneConfig, method, [*built, *values])


@kept_policy()
def finetune(
    config, output: str, resume: bool = False, watching: Sequence[keras.callbacks.Callback] = ()
) -> dict[str, float]:
    """Trains a recognizer as `config` (a resolved FinetuneConfig) says, and returns the last figures. watching: more
    callbacks.

    An image without a label that cannot be read is reported, skipped and counted at the end.

    Raises UserError before anything is written if an argument or the data are wrong.
    """
    cls = method_of(vars(config))
    setup.check(config, cls)
    if config.distill:
        check_teacher(config)
    if config.keep_head and config.pretrained is None:
        raise UserError(f"keep_head {config.keep_head}: name with pretrained the run whose projector stays")
    run, rank = setup.find_run(config, output, resume)
    train, validation = split_off_validation(config)
    check_labels(train + validation)
    charset = make_charset(config, train + validation)
    if resume:
        charset = resumed(charset, run)
    targets = [charset.target(sample.text, sample.name) for sample in train + validation][: len(train)]
    truths = [
        charset.normalize(sample.text) for sample in validation
    ]  # in full, whatever `unknown=drop` leaves to learn
    check_targets(train, targets)
    method = cls(**configuration.fields_of(cls, config))
    transform = cls.transform(config.views, [charset.encode(target) for target in targets])
    size = config.height, config.width, config.resize
    dataset, validation_dataset = ImageDataset(train, *size), ImageDataset(validation, *size)
    check_lengths(config, dataset, targets)
    unlabelled = ImageDataset(find_more(config, validation), *size, skip_bad=True) if config.unlabelled else None

    strategy = setup.begin(config, rank)
    with setup.building(config, strategy):
        if config.distill:
            method.teacher = Recognizer.load(config.distill).logits
        method.classes, method.dropout = len(charset) + 1, config.dropout
        method.pretrained = config.pretrained is not None
        encoder = setup.make_encoder(config, config.pretrained)
        if config.pretrained is not None:
            kept = kept_layers(config)
            method.kept = [offset.size for offset in kept[1::5]]
            method.head_weights = inherited_head(config.pretrained, encoder.dim, charset, method.kept) or kept
        method.build(encoder)
    loader = setup.make_loader(dataset, transform, config, rank)
    if unlabelled is not None:
        method.total_steps = config.steps or config.epochs * loader.steps_per_epoch
        loader = Joined(loader, unlabelled_loader(method, unlabelled, config, strategy, rank), method.start)
    recognizer = Recognizer(method.encoder, method.head, charset, *size)
    validate = Validation(recognizer, validation_dataset, truths, config.patience, method.result())
    try:
        watching = [validate, *callbacks.standard(run, config), *watching] if rank.chief else []
        trainer = Trainer(method, loader, config, run, strategy, watching, rank)
        validate.trainer = trainer
        if rank.chief:
            run.claim(new=not resume)
        if resume:
            trainer.resume()
        if rank.chief:
            run.create(config)
            charset.save(run.charset_file)
            more = f"{len(unlabelled)} without labels, " if unlabelled is not None else ""
            say(
                f"{len(train)} labelled images, {len(validation)} for validation, {more}charset {charset.characters}; "
                f"{setup.devices(strategy)}"
            )
            say(how_validated(config, validation))
            warn_of_labels(train + validation)
        logs = trainer.fit()
    except UserError:  # that only a step has shown
        if rank.chief and not resume:
            run.discard()
        raise
    finally:
        run.release()
        loader.close()
        for pixels in (dataset, validation_dataset, unlabelled):
            if pixels is not None:
                pixels.close()
        if unlabelled is not None and unlabelled.skipped:
            warn(f"{len(unlabelled.skipped)} image(s) that cannot be read were skipped")
    if rank.chief:
        say(f"best validation edit-distance accuracy {validate.best:.4f} at step {validate.best_step}")
    return logs


def split_off_validation(config) -> tuple[list[Sample], list[Sample]]:
    """Training and validation entries. Rows of split `test` or `validation` are trained on only if `split` asks for it.

    What is validated on: the data of `validation`, without what is trained on, its rows of split `validation` if it has
    any and those of split `test` only if it has no others; or else the rows of split `validation` in the data; or else
    a tenth of the labels.
    """
    found = find(config.data, None, config.label_pattern)
    if config.split is None:
        train = [sample for sample in found if sample.split not in HELD_OUT]
    else:
        train = find(config.data, config.split, config.label_pattern)
    if not train:
        raise UserError(f"{config.data[0]} has no row to train on: it has {tally(found)}")
    empty = [sample for sample in train if not sample.text]
    if empty:
        raise UserError(f"{empty[0].name} has an empty label ({len(empty)} have): label it or leave it out")
    train = subsample(train, config.labels, config.seed)
    if config.validation is None:
        validation = without([sample for sample in found if sample.split == "validation"], train)
        train, validation = (train, validation) if validation else hold_out(train, config.seed)
    else:
        others = without(find([config.validation], None, config.label_pattern), train)
        parts = {split: [sample for sample in others if sample.split == split] for split in HELD_OUT}
        validation = parts["validation"] or without(others, parts["test"]) or others
        if not validation:
            raise UserError(f"{config.validation} holds nothing but the images that are trained on: give others")
    return train, validation


def hold_out(samples: list[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    """The entries without a tenth, and the tenth, drawn by the seed."""
    if len(samples) < 2:
        raise UserError("one label is not enough: at least two are needed, one to train on and one to validate")
    shuffled = random.Random(seed).sample(samples, len(samples))
    held = max(1, round(len(samples) * VALIDATION))
    return shuffled[held:], shuffled[:held]


def how_validated(config, validation: list[Sample]) -> str:
    """What chooses the checkpoint, in a sentence."""
    if config.validation is None:
        asked = config.split is not None and split_name(config.split) == "validation"
        tenth = asked or validation[0].split != "validation"
        return f"validated on {'a tenth of the labels: ' if tenth else ''}{tally(validation)}"
    told = f"validated on what is not trained on in {config.validation}: {tally(validation)}"
    return f"{told}; they choose the checkpoint, so test on others" if validation[0].split == "test" else told


def find_more(config, validation: list[Sample]) -> list[Sample]:
    """The images to learn from without labels: none that is validated on or, in any of the data, of split `test`."""
    known = [*config.data, *([config.validation] if config.validation else [])]
    samples = without(find_unlabelled(config.unlabelled, known=known), validation)
    if not samples:
        raise UserError(f"{config.unlabelled[0]} holds nothing but images that are validated or tested on: give others")
    return samples


def check_labels(samples: Sequence[Sample]) -> None:
    """Raises UserError for a label in a script that runs against the frames."""
    for sample in samples:
        first = labels.right_to_left(sample.text)
        if first:
            raise UserError(
                f"{sample.name} has right-to-left text, {labels.code_point(first)}: frames are read from left to "
                "right, so such labels cannot be learned; leave them out"
            )


def warn_of_labels(samples: Sequence[Sample]) -> None:
    """Says which labels have characters that nobody sees or tells from others."""
    odd = [(sample, found) for sample in samples if (found := labels.unseen(sample.text))]
    if odd:
        sample, found = odd[0]
        warn(f"{len(odd)} label(s) have what nobody sees, as {sample.name}, {found[0]}: `seqclr check` names all")
    for group in labels.alike(sample.text for sample in samples):
        warn(f"labels have one character in several forms: {', '.join(map(labels.code_point, group))}")


def unlabelled_loader(method, dataset: ImageDataset, config, strategy, rank: Rank) -> data_loader.Loader:
    """Batches of images without labels, in an order that has nothing to do with that of the labelled ones."""
    size, replicas = config.unlabelled_batch_size or config.batch_size, strategy.num_replicas_in_sync
    setup.check_divides("unlabelled_batch_size", size, config, replicas)
    other = dataclasses.replace(config, batch_size=size, seed=(config.seed + 1) % 2**32)
    return setup.make_loader(dataset, method.unlabelled_transform(config.views), other, rank)


def subsample(samples: list[Sample], labels: int | None, seed: int) -> list[Sample]:
    """At most so many entries of every source, drawn by the seed."""
    if labels is None:
        return samples
    draw = random.Random(seed)
    return [sample for group in by_source(samples).values() for sample in draw.sample(group, min(labels, len(group)))]


def check_teacher(config) -> None:
    """Raises UserError where the run that is to teach does not read, or not what the student is given."""
    if not config.unlabelled:
        raise UserError(f"distill {config.distill}: say with unlabelled which images it is to read")
    if config.charset is not None:
        raise UserError(f"charset {config.charset}: leave it out, as {config.distill}, which teaches, has its own")
    run = Run.open(config.distill)
    if not run.charset_file.is_file():
        raise UserError(f"distill {config.distill} was pretrained only and cannot read: take a fine-tuned run")
    for name in ("height", "width", "resize"):
        wanted, given = getattr(run.config(), name), getattr(config, name)
        if wanted != given:
            raise UserError(f"{name} {given}: {config.distill}, which teaches, has {wanted}, so set {name}={wanted}")


def make_charset(config, samples: list[Sample]) -> Charset:
    """The charset of the teacher, or the one that is given, or that of the labels and of the reader that is started
    from: few labels do not have all that it knows."""
    if config.distill:  # of the same frames the same distributions
        return Charset.load(Run.open(config.distill).charset_file)
    if config.charset is not None:
        return Charset(config.charset, config.case, config.unknown)
    return Charset.of([known_characters(config), *(sample.text for sample in samples)], config.case, config.unknown)


def known_characters(config) -> str:
    """Those of the fine-tuned run that this one starts from, if it does. What a pretraining has read in generated
    images is more than most sites have, and does not count."""
    if config.pretrained is None:
        return ""
    run = Run.open(config.pretrained)
    reads = run.charset_file.is_file() and not hasattr(run.config(), "method")
    return Charset.load(run.charset_file).characters if reads else ""


def resumed(charset: Charset, run: Run) -> Charset:
    """The charset that a resumed run was begun with; raises UserError where the labels have another by now."""
    if not run.charset_file.is_file():
        return charset
    past = Charset.load(run.charset_file)
    new, gone = (
        "".join(c for c in a.characters if c not in b.characters) for a, b in ((charset, past), (past, charset))
    )
    if new or gone:
        told = " and ".join(
            f"{word} {characters!r}" for word, characters in (("have", new), ("lack", gone)) if characters
        )
        raise UserError(
            f"{run.folder} was begun with the characters {past.characters}, and the labels {told} by now: --resume "
            f"goes on with the same; take another --output, where --pretrained {run.folder} keeps what it has learned"
        )
    return past


def kept_layers(config) -> list[np.ndarray]:
    """The weights of the pretrained run's layers that stay below the head: of its projector, or of its own head."""
    run = Run.open(config.pretrained)
    path, arrays = run.best()
    count, own = config.keep_head, getattr(run.config(), "keep_head", 0)
    if run.charset_file.is_file():
        if count != own:
            raise UserError(f"keep_head {count}: the head of {path} goes on, which kept {own}: set keep_head={own}")
        return hidden_weights(arrays, "head", count)
    kept = hidden_weights(arrays, "projector", count)
    if len(kept) < 5 * count:
        raise UserError(
            f"keep_head {count}: {path} has {len(kept) // 5} hidden layers with batch norm in its projector"
        )
    return kept


def inherited_head(folder: str, dim: int, charset: Charset, kept: Sequence[int] = ()) -> list[np.ndarray] | None:
    """The weights of a head for `charset` from a run that reads: its own, put in the order of these characters.

    A character that the run does not know starts as its other case, or else as the mean of all. None where the run
    does not read. dim: of a frame. kept: sizes of the layers that stay below it.
    """
    run = Run.open(folder)
    if not run.charset_file.is_file():
        return None
    known, (path, arrays) = Charset.load(run.charset_file), run.best()
    head = ctc_head(dim, len(known) + 1, run.config().dropout, kept)
    checkpoints.restore({"head": head}, arrays, path)
    *hidden, kernel, bias = head.get_weights()
    index = {character: i for i, character in enumerate(known.characters)}
    found = [index.get(c, index.get(c.swapcase())) for c in charset.characters]
    new = "".join(character for character, i in zip(charset.characters, found) if i is None)
    knows = f"{len(found) - len(new)} of {len(found)} characters{f', new: {new}' if new else ''}"
    say(f"head from {path}: it knows {knows}")

    def chosen(rows):
        mean = rows[:-1].mean(0)
        return np.stack([*(mean if i is None else rows[i] for i in found), rows[-1]])

    return [*hidden, chosen(kernel.T).T, chosen(bias)]


def check_targets(samples: list[Sample], targets: list[str]) -> None:
    """Raises UserError for a label of which nothing is left to learn."""
    for sample, target in zip(samples, targets):
        if not target:
            raise UserError(
                f"{sample.name} has the label '{sample.text}', of which unknown=drop leaves nothing: add its "
                "characters to charset, or leave it out"
            )


def check_lengths(config, dataset: ImageDataset, targets: list[str]) -> None:
    """Raises UserError for a label that CTC cannot spell in the frames that its image gives."""
    for sample, width, target in zip(dataset.samples, dataset.filled(), targets):
        frames = -(-int(width) // FRAME_STRIDE)
        if frames_needed(target) > frames:
            raise UserError(
                f"{sample.name} has the label '{target}', which needs {frames_needed(target)} frames but gets "
                f"{frames}: set width to at least {frames_needed(target) * FRAME_STRIDE} or leave it out"
            )


class Validation(keras.callbacks.Callback):
    """Reads the whole validation set after every round and keeps the best weights by edit-distance accuracy.

    result: the copy of the weights that reads instead of them, where there is one.
    It says so when the recognizer answers blank everywhere, the plateau that CTC may stay on.
    """

    def __init__(
        self,
        recognizer: Recognizer,
        dataset: ImageDataset,
        texts: Sequence[str],
        patience: int | None,
        result: Momentum | None = None,
    ):
        super().__init__()
        self.recognizer, self.dataset, self.texts, self.patience = recognizer, dataset, texts, patience
        self.result = result
        self.trainer: Trainer | None = None
        self.best, self.best_step, self.waited, self.blank_rounds = -1.0, 0, 0, 0

    def on_train_begin(self, logs=None):
        self._stop_if_waited()  # a run that stopped early and is resumed is still at its end

    def on_epoch_end(self, epoch, logs=None):
        with in_place(self.result):
            reads = [
                text
                for batch in data_loader.in_order(self.dataset, 64)
                for text, _ in self.recognizer.predict_dataset(batch["image"], batch.get("width"))
            ]
        scores = metrics.scores(self.texts, reads)
        logs.update({f"val_{name}": scores[name] for name in ("edit_distance_accuracy", "exact_match")})
        self._warn_of_blanks(reads)
        if scores["edit_distance_accuracy"] >= self.best:
            self.waited = self.waited + 1 if scores["edit_distance_accuracy"] == self.best else 0
            self.best, self.best_step = scores["edit_distance_accuracy"], self.trainer.step
            self.trainer.save("best")
        else:
            self.waited += 1
        self._stop_if_waited()

    def _stop_if_waited(self):
        if self.patience is not None and self.waited >= self.patience:
            self.model.stop_training = True

    def _warn_of_blanks(self, reads):
        common, times = Counter(reads).most_common(1)[0]
        self.blank_rounds = self.blank_rounds + 1 if common == "" and times > 0.9 * len(reads) else 0
        if self.blank_rounds == 8:
            warn(
                "stuck at blank: eight rounds without a character read; start again with another seed, a higher "
                "learning_rate, weaker views, or more steps"
            )

    def get_state(self) -> dict:
        best = {"best": self.best, "best_step": self.best_step, "waited": self.waited, "blank": self.blank_rounds}
        return {**best, "labels": self.labels()}

    def labels(self) -> int:
        """A digest of the labels in their order."""
        return zlib.crc32("\n".join(self.texts).encode("utf-8", "surrogatepass"))

    def set_state(self, state: dict) -> None:
        if state.get("labels", self.labels()) != self.labels():
            raise UserError(
                "--resume goes on with the labels that a run was begun with, and those held out to validate on are "
                "others by now: what was trained on would choose the checkpoint; take another --output, where "
                "--pretrained keeps what the run has learned"
            )
        self.best, self.best_step = state["best"], state["best_step"]
        self.waited, self.blank_rounds = state["waited"], state["blank"]
