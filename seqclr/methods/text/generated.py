"""Reading generated images: the labels are what the generator drew, so they cost nothing."""

from __future__ import annotations

import string
from dataclasses import dataclass

import tensorflow as tf

from seqclr.config import key
from seqclr.data.charset import CASES, FRAME_STRIDE, Charset
from seqclr.errors import UserError
from seqclr.methods.base import Method, stacked
from seqclr.methods.registry import register
from seqclr.methods.text.ctc import IMPOSSIBLE, ctc_head, ctc_loss
from seqclr.nn.generator_heads import GeneratorHeads
from seqclr.synthesis.styles import read_length
from seqclr.synthesis.variety import Texts, text_fonts
from seqclr.transforms.generated import BACKGROUNDS, FACTS, GeneratedImages
from seqclr.transforms.two_views import OneView


@register(
    "generated", paper="Tobin et al. 2017, arXiv:1703.06907", needs_lines="CTC spells a text over the frames of a line"
)
@dataclass
class Generated(Method):
    """CTC on images of which everything but the text is drawn by chance: domain randomization (Tobin et al. 2017,
    arXiv:1703.06907).

    Of the run's images only the size matters, unless `domain` has the frames' mean not tell images from them (Ganin et
    al. 2016). Its head stays with the encoder, so the run reads, and fine-tuning starts from what it reads.
    """

    transform = GeneratedImages
    infinite = IMPOSSIBLE
    characters: str = key(string.digits + string.ascii_letters, "what the generated images show", free=True)
    case: str = key(
        "lower",
        "keep, lower or upper: how they are read; few captchas ask which of c and C it was",
        choices=tuple(CASES),
    )
    length: str = key("3:7", "characters on a generated image: 4, or 4:6 for 4 to 6", free=True)
    fonts: str | None = key(
        None,
        "of the generated images: a .ttf or .otf file, a folder of them or a bundled font; by default all bundled",
        free=True,
    )
    generated_images: int = key(1, "generated images for every image of a batch", least=1, most=100)
    boxes: float = key(0.0, "weight of where characters lie, told by the frames", least=0)
    styles: float = key(
        0.0, "weight of an image's font, background and colour of text, told by its mean frame", least=0
    )
    domain: float = key(
        0.0, "weight of telling images from the run's images, which the encoder learns to prevent", least=0
    )

    more = None  # heads for what has a weight

    def __post_init__(self):
        super().__post_init__()
        self.charset = Charset(self.characters, self.case)
        self.texts = Texts(self.characters, read_length(self.length), self.fonts)

    def make_transform(self, views):
        return self.generator_transform(views, OneView(views) if self.domain else None)

    def generator_transform(self, views: str, beside):
        """Images in these views, beside what another transform makes."""
        return GeneratedImages(
            views, self.texts, self.charset, self.generated_images, beside, any(self.weights().values())
        )

    def weights(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("boxes", "styles", "domain")}

    def build(self, encoder, run=None):
        longest, frames = self.texts.lengths[1], -(-encoder.width // FRAME_STRIDE)
        needed = longest if len(self.charset) > 1 else 2 * longest - 1
        if needed > frames:
            raise UserError(
                f"length {self.length} needs {needed} frames, of which width {encoder.width} gives {frames}: raise "
                f"width to {FRAME_STRIDE * needed}, or give a shorter length"
            )
        super().build(encoder, run)
        self.head = ctc_head(encoder.dim, len(self.charset) + 1, self.run.dropout)
        if any(self.weights().values()):
            self.more = GeneratorHeads(
                self.weights(), (len(text_fonts(self.characters, self.fonts)), len(BACKGROUNDS)), encoder
            )

    def read(self, features: tf.Tensor, mask: tf.Tensor | None, batch: dict[str, tf.Tensor], training: bool):
        """The CTC loss of the generated images' frames."""
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
        loss = self.read(features[:count], None if mask is None else mask[:count], batch, training)
        return self.tell({"loss": loss}, features, mask, batch)

    def tell(self, figures: dict[str, tf.Tensor], features: tf.Tensor, mask, batch) -> dict[str, tf.Tensor]:
        """Figures and loss of a method with what frames tell beside the text, where it has a weight. The frames are of
        generated images, then of the run's images."""
        if self.more is None:
            return figures
        done = tf.cast(self.more.steps.value, tf.float32) / max(1, self.run.total_steps)
        more = self.more.figures(features, mask, {name: stacked(batch[name]) for name in FACTS}, done)
        return {"reading": figures["loss"], **figures, **more, "loss": figures["loss"] + self.more.total(more)}

    def preview_inputs(self, batch):
        views = super().preview_inputs(batch) if "views" in batch else {}
        read = [self.charset.decode(ids[ids >= 0]) for ids in batch["label"][:, 0]]
        return {**views, "image": batch["generated"][:, 0], "answer": read}

    def after_step(self):
        super().after_step()
        if self.more is not None:
            self.more.steps.assign(self.more.steps.value + 1)
