"""Adaptation of a reader to the images of a site, of which few or none are labelled."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from seqclr.config import key
from seqclr.data.charset import OPERATORS, SUM_SIGNS
from seqclr.data.knowledge import Possible
from seqclr.methods.base import Method, stacked
from seqclr.methods.facts import Facts
from seqclr.methods.text.characters import alike, character_contrast, pool_characters
from seqclr.methods.text.consistency import frame_consistency
from seqclr.methods.text.ctc import IMPOSSIBLE, ReaderInfo, ctc_head, ctc_loss
from seqclr.methods.text.propagation import PropagatedTexts, average_views, propagated_texts
from seqclr.methods.text.self_training import nonempty, teacher_logits, teacher_texts
from seqclr.methods.text.unlikelihood import unlikelihood_loss
from seqclr.nn.heads import mlp
from seqclr.nn.momentum import Momentum, in_place
from seqclr.synthesis.variety import Texts
from seqclr.transforms.apply import augment
from seqclr.transforms.generated import GeneratedImages
from seqclr.transforms.labelled import Unlabelled, filled, label_preserving

PROJECTED = 128  # dimensions of the characters that are contrasted
LEAST_WEIGHT = 0.05  # of the loss of generated images; where it is less, they are left out once all texts are fixed
AVERAGED = "geometric"  # preset of the views whose predictions are averaged
SUMS = 0.5  # share of sums among generated images, where the characters are digits and signs of sums


@dataclass
class Adaptation(Method):
    """Self-training on the images of a site beside generated images of its characters and lengths.

    Several times in a run, the averaged weights (Mean Teacher, arXiv:1703.01780) predict the texts of all images among
    the possible ones, each averaged over views of the image (test-time augmentation). Label propagation between images
    corrects the characters (Iscen et al. 2019, arXiv:1904.04717). It starts from the labels of the user, from equal
    priors of the classes and from equally many characters of each (`seed_share`), as self-training would make a
    character that is taken for another one vanish. Of a batch, the texts with the highest confidence are labels for
    augmented views; their share rises during the run (curriculum labeling, arXiv:2001.06001). Generated images, whose
    texts are known, keep the reader from drifting.

    After the fraction `fixed_after` of the run, the texts are not predicted anew, and all are labels. Generated images
    are left out then, unless there are few images (`generated_steps`).

    With `contrast`, equal characters of the accepted and the generated images attract each other, each the mean of its
    frames at the CTC alignment. With `consistency`, the frames of the strong view predict what the teacher predicts at
    the same strip of a weak one, of every image. A text that a login has refused (`refused.csv`) is made less likely
    for its image, unless `refused` is 0, and is not accepted as its label.

    Logs the losses of `site` and `generated` images (0 where they are left out), the `accepted` fraction of the site's,
    the mean `confidence`, and the further losses where their weight is above 0.
    """

    facts = Facts(
        paper="Iscen et al. 2019, arXiv:1904.04717", needs_lines="CTC spells a text over the frames of a line"
    )
    infinite = IMPOSSIBLE

    average: float = key(0.995, "EMA decay of the weights of the teacher, which are the result", least=0, most=1)
    first_share: float = key(
        0.3, "share of a batch's predicted texts that are labels at the start of the run", least=0, most=1
    )
    last_share: float = key(
        0.9, "the share at the end of the run, towards which it rises until all are labels", least=0, most=1
    )
    relabellings: int = key(7, "number of times that the texts of all images are predicted", least=2, most=100)
    test_time_augmentations: int = key(
        8, "augmented views of an image whose predictions are averaged with its own", least=0, most=1000
    )
    fixed_after: float = key(
        0.6, "fraction of the run after which the predicted texts of all images are labels", least=0, most=0.9
    )
    seed_share: float = key(
        0.35,
        "characters of each class that are labels in label propagation, as a share of their number if all were equally "
        "frequent; 0: classes are not taken to be so, as in texts of a language",
        least=0,
        most=1,
    )
    neighbours: int = key(
        10,
        "similar characters of other images in label propagation; 0: it is left out",
        least=0,
        most=1000,
    )
    weak_views: str = key("none", "augmentation of the teacher's images with consistency", free=True)
    generated_weight: float | None = key(
        None, "weight of the loss of generated images; default: 1, and less with more than 22 labels", least=0
    )
    generated_views: str = key("mild", "augmentation of the generated images, which have clutter already", free=True)
    generated_images: int = key(1, "generated images per image of a batch", least=1, most=100)
    distinct_images: int = key(
        4000, "different generated images that a run draws; each is augmented anew every time", least=1, most=10**9
    )
    fonts: str | None = key(
        None,
        "fonts of the generated images: a .ttf or .otf file, a folder of them or a bundled font; default: all bundled",
        free=True,
    )
    contrast: float = key(
        0.0, "weight of the supervised contrast of the characters of site and generated images", least=0
    )
    consistency: float = key(
        0.0, "weight of the cross-entropy of the student's frames with the teacher's at the same position", least=0
    )
    refused: float = key(0.5, "weight of the loss of texts in refused.csv, which their images do not have", least=0)

    def make_site_transform(self, views: str, charset, lengths, labels, refused=None) -> GeneratedImages:
        """The transform of a site's images, with generated ones beside.

        views: of the site's images. charset: of the reader. lengths: of the texts; generated ones have all lengths from
        the least to the largest. labels: ids of the text of each record, empty where it is not known. refused: ids of a
        text that it does not have; None where no record has any.
        """
        cases = charset.characters
        if charset.case != "keep":  # a site may write in either case
            cases += "".join(c for c in charset.characters.swapcase() if not charset.strangers(c))
        signs = "".join(sign for sign in SUM_SIGNS if sign in cases)
        sums = set(signs) & set(OPERATORS) and set(string.digits) <= set(cases)
        characters = "".join(c for c in dict.fromkeys(cases) if not (sums and c in signs))
        texts = Texts(characters, (lengths[0], lengths[-1]), self.fonts, SUMS if sums else 0.0, signs)
        consistent = self.consistency > 0
        site = Unlabelled(self.weak_views if consistent else None, views, labels, consistent, refused)
        return GeneratedImages(self.generated_views, texts, charset, self.generated_images, self.distinct_images, site)

    def build(self, encoder, run: ReaderInfo | None = None):
        super().build(encoder, run)
        self.head = ctc_head(encoder.dim, self.run.classes, self.run.dropout)
        self.head.set_weights([*self.run.head_weights])
        self.possible = Possible(None, self.run.lengths)
        if self.contrast:
            self.projector = mlp((encoder.dim, PROJECTED), "projector", input_dim=encoder.dim)
        self.averaged = Momentum(encoder, self.head, name="averaged")
        self.predicted, self.geometric = tf.function(self.characters, reduce_retracing=True), label_preserving(AVERAGED)
        self.propagated = PropagatedTexts(len(self.run.labels), self.run.lengths[-1])
        self.late_weight = min(self.generated_weight, generated_weight(self.run.sources))

    def result(self):
        return self.averaged

    def generated_steps(self) -> int:
        """The number of steps with generated images: until all texts are fixed, if they hardly count from then on."""
        return self.times()[-1] if self.late_weight < LEAST_WEIGHT else self.run.total_steps

    def loss(self, batch, training):
        texts, accepted, confidence = self.site_texts(batch)
        if "refused" in batch:
            texts, wrong = alike(texts, batch["refused"])
            accepted &= tf.reduce_any(texts != wrong, axis=1)
        images, widths, labels = batch["strong"], batch.get("unlabelled_width"), texts[:0]
        if "generated" in batch:
            images, labels = tf.concat([images, stacked(batch["generated"])], axis=0), stacked(batch["label"])
        if "generated_width" in batch:
            widths = tf.concat([widths, stacked(batch["generated_width"])], axis=0)
        features, mask = self.encoder(images, widths, training=training)
        logits = self.head(features, mask, training=training)
        rows = tf.shape(texts)[0]
        site_mask, generated_mask = (None, None) if mask is None else (mask[:rows], mask[rows:])
        losses = tf.where(accepted, ctc_loss(nonempty(texts), logits[:rows], site_mask), 0.0)
        site, generated = tf.reduce_mean(losses), 0.0
        if "generated" in batch:
            generated = tf.reduce_mean(ctc_loss(labels, logits[rows:], generated_mask))
        weight = tf.where(self.fixed(), self.late_weight, self.generated_weight)
        figures = {
            "loss": site + weight * generated,
            "site": site,
            "generated": generated,
            "accepted": tf.reduce_mean(tf.cast(accepted, tf.float32)),
            "confidence": tf.reduce_mean(confidence),
        }
        if self.contrast:
            every = tf.concat(alike(texts, labels), axis=0)
            used = tf.concat([accepted, tf.ones(tf.shape(logits)[0] - rows, tf.bool)], axis=0)
            projected = self.projector(features, mask, training=training)
            figures["contrast"] = character_contrast(projected, logits, every, used, mask)
            figures["loss"] += self.contrast * figures["contrast"]
        if self.consistency:
            teacher, _ = teacher_logits(self, batch["weak"], batch.get("unlabelled_width"))
            figures["consistency"] = frame_consistency(teacher, logits[:rows], batch["geometry"], site_mask)
            figures["loss"] += self.consistency * figures["consistency"]
        if "refused" in batch:
            figures["refused"] = tf.reduce_mean(unlikelihood_loss(wrong, logits[:rows], site_mask))
            figures["loss"] += self.refused * figures["refused"]
        return figures

    def site_texts(self, batch):
        """Texts of the site's images, given or predicted, `int32 [B, L]` filled with -1, which of them are accepted as
        labels, `bool [B]`, and their confidence, `float32 [B]`."""
        texts, labelled = self.propagated(batch["text"], batch["index"]), batch["text"][:, 0] >= 0
        confidence = tf.gather(self.propagated.confidence.value, batch["index"])
        sure = self.fixed() | (confidence >= self.threshold(tf.boolean_mask(confidence, ~labelled)))
        return texts, labelled | (sure & (texts[:, 0] >= 0)), confidence

    def times(self) -> list[int]:
        """The steps before which the texts of all images are predicted."""
        last = self.fixed_after * self.run.total_steps
        return sorted({round(last * n / (self.relabellings - 1)) for n in range(self.relabellings)})

    def fixed(self) -> tf.Tensor:
        """Whether the texts have been predicted for the last time."""
        return self.averaged.updates.value >= self.times()[-1]

    def relabels(self, step):
        return step in self.times()

    def phase(self, step):
        return self.frozen(step), sum(time <= step for time in self.times())

    def relabel(self, batches):
        """Predicts the texts of all images, and corrects their characters."""
        labels, rows = filled(self.run.labels, self.run.lengths[-1]), {}
        known = labels[:, 0] >= 0
        rng = np.random.default_rng(int(self.averaged.updates))
        with in_place(self.averaged):
            for batch in batches:
                new = [row for row, image in enumerate(batch["index"]) if image not in rows]  # labelled ones repeat
                if new:
                    batch = {name: values[new] for name, values in batch.items()}
                    found = self.mean_characters(batch, labels[batch["index"]], rng)
                    rows.update(zip(batch["index"], zip(*found)))
        images = np.array(sorted(rows))
        columns = (np.stack(column) for column in zip(*(rows[image] for image in images)))
        of_images = known[images], np.array(self.run.sources)[images]
        counted = np.array([character not in SUM_SIGNS for character in self.run.charset.characters])
        self.propagated.assign(
            images, *propagated_texts(*columns, *of_images, counted, self.seed_share, self.neighbours)
        )

    def mean_characters(self, batch, given, rng):
        """As `characters`, each the mean over the image and views of it."""
        records = [dict(zip(batch, row)) for row in zip(*batch.values())]
        widths = tf.constant(batch["width"]) if "width" in batch else None
        views = [batch["image"]]
        for _ in range(self.test_time_augmentations):
            views.append(np.stack([augment(self.geometric, record, rng) for record in records]))
        found = [self.predicted(tf.constant(images), widths, tf.constant(given)) for images in views]
        *characters, frames = (np.stack([x.numpy() for x in column]) for column in zip(*found))
        texts, features, probabilities = average_views(*characters)
        return np.where(given[:, :1] >= 0, given, texts), features, probabilities, frames[0]

    def characters(self, images, widths, given):
        """The texts of images `int32 [B, L]`, given ones or predictions, the mean features `[B, L, D]` and
        probabilities `[B, L, classes]` of their characters, and the number of their frames `int32 [B]`."""
        features, mask = self.encoder(images, widths, training=False)
        logits = self.head(features, training=False)
        texts, given = alike(teacher_texts(self, logits, mask)[0], given)
        texts = tf.where(given[:, :1] >= 0, given, texts)[:, : self.run.lengths[-1]]
        valid = tf.ones(tf.shape(logits)[:2], tf.bool) if mask is None else mask
        log_probabilities = tf.nn.log_softmax(tf.cast(logits[..., :-1], tf.float32))
        features, scores = (pool_characters(x, logits, texts, mask) for x in (features, log_probabilities))
        return texts, features, tf.nn.softmax(scores), tf.reduce_sum(tf.cast(valid, tf.int32), axis=1)

    def threshold(self, confidence: tf.Tensor) -> tf.Tensor:
        """The least confidence of the share of the images without labels that the teacher labels at this step."""
        done = tf.cast(self.averaged.updates.value, tf.float32) / max(1, self.run.total_steps)
        share = self.first_share + (self.last_share - self.first_share) * done
        rows = tf.shape(confidence)[0]
        count = tf.cast(tf.round(share * tf.cast(rows, tf.float32)), tf.int32)
        ordered = tf.concat([[2.0], tf.sort(confidence, direction="DESCENDING")], axis=0)  # of none, it is above 1
        return ordered[tf.clip_by_value(count, 0, rows)]

    def after_step(self):
        self.averaged.update(self.average)


def generated_weight(sources: Sequence[str]) -> float:
    """The weight of the loss of generated images by the labels of a source: 1 up to 22 labels, 0.2 of 50, 0.05 of 100.

    sources: of each label.

    That loss is many times the site's. Where generated characters contradict the site's, as an l that looks like an i
    there, it outweighs the labels; with few labels it is needed for the characters that these lack.
    """
    return min(1.0, 500 * (len(set(sources)) / len(sources)) ** 2) if sources else 1.0
