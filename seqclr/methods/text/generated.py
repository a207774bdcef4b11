"""Text recognition on generated images, whose labels are known."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.methods.base import stacked
from seqclr.methods.generated_texts import GeneratedTexts
from seqclr.methods.registry import register
from seqclr.methods.text.ctc import IMPOSSIBLE, ctc_head, ctc_loss
from seqclr.nn.generator_heads import GeneratorHeads
from seqclr.transforms.generated import BACKGROUNDS, FACTS, GeneratedImages
from seqclr.transforms.two_views import OneView


@register(
    "generated", paper="Tobin et al. 2017, arXiv:1703.06907", needs_lines="CTC spells a text over the frames of a line"
)
@dataclass
class Generated(GeneratedTexts):
    """CTC on generated images with random appearance: domain randomization (Tobin et al. 2017, arXiv:1703.06907).

    The run's images give only the size, unless `domain` is above 0: then the encoder learns mean frames that do not
    separate generated images from them (Ganin et al. 2016). The head is kept: the run can be evaluated and exported,
    and fine-tuning starts from the head. With `init`, a run that predicts text gives its head too.
    """

    transform = GeneratedImages
    infinite = IMPOSSIBLE
    generated_images: int = key(1, "generated images per image of a batch", least=1, most=100)
    alignment: float = key(
        0.0,
        "initial weight of the cross-entropy of every frame with the character drawn there, before CTC alone; it falls "
        "to 0 within half of the run",
        least=0,
    )
    boxes: float = key(0.0, "weight of the loss of character boxes, predicted by the frames", least=0)
    styles: float = key(
        0.0, "weight of the loss of font, background and text colour, predicted by the mean frame", least=0
    )
    domain: float = key(
        0.0, "weight of the adversarial loss that makes generated images and the run's images inseparable", least=0
    )

    more = None  # heads of the losses whose weight is above 0

    def __post_init__(self):
        super().__post_init__()
        self.charset = self.text_charset

    def make_transform(self, views):
        return self.generator_transform(views, OneView(views) if self.domain else None)

    def generator_transform(self, views: str, others):
        """The transform of generated images in these views, with the columns of the transform `others`, or None."""
        return GeneratedImages(
            views, self.texts, self.charset, self.generated_images, self.distinct_images, others,
            any(self.weights().values()),
        )  # fmt: skip

    def weights(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("alignment", "boxes", "styles", "domain")}

    def build(self, encoder, run=None):
        super().build(encoder, run)
        self.head = ctc_head(encoder.dim, len(self.charset) + 1, self.run.dropout)
        given = self.run.head_weights
        self.head.set_weights([*given, *self.head.get_weights()[len(given) :]])
        if any(self.weights().values()):
            self.more = GeneratorHeads(self.weights(), (len(self.texts.font_names()), len(BACKGROUNDS)), encoder)

    def text_loss(self, features: tf.Tensor, mask: tf.Tensor | None, batch: dict[str, tf.Tensor], training: bool):
        """The mean CTC loss of the generated images' frames."""
        labels = stacked(batch["label"])
        return tf.reduce_mean(ctc_loss(labels, self.head(features, mask, training=training), mask))

    def loss(self, batch, training):
        images = stacked(batch["generated"])
        widths = stacked(batch["generated_width"]) if "generated_width" in batch else None
        count = tf.shape(images)[0]
        if self.domain:
            images = tf.concat([images, batch["views"][:, 0]], axis=0)
            widths = None if widths is None else tf.concat([widths, batch["width"]], axis=0)
        features, mask = self.encoder(images, widths, training=training)
        loss = self.text_loss(features[:count], None if mask is None else mask[:count], batch, training)
        return self.with_other_losses({"loss": loss}, features, mask, batch, training)

    def with_other_losses(
        self, figures: dict[str, tf.Tensor], features: tf.Tensor, mask, batch, training: bool
    ) -> dict[str, tf.Tensor]:
        """Figures and loss of a method, with the other losses whose weight is above 0. The frames are those of
        generated images, followed by those of the run's images."""
        if self.more is None:
            return figures
        done = tf.cast(self.more.steps.value, tf.float32) / max(1, self.run.total_steps)
        facts = {name: stacked(batch[name]) for name in ("label", *FACTS)}
        more = self.more.figures(features, mask, facts, done, functools.partial(self.head, training=training))
        return {"ctc": figures["loss"], **figures, **more, "loss": figures["loss"] + self.more.total(more, done)}

    def preview_inputs(self, batch):
        views = super().preview_inputs(batch) if "views" in batch else {}
        texts = [self.charset.decode(ids[ids >= 0]) for ids in batch["label"][:, 0]]
        return {**views, "image": batch["generated"][:, 0], "target": texts}

    def after_step(self):
        super().after_step()
        if self.more is not None:
            self.more.steps.assign(self.more.steps.value + 1)
