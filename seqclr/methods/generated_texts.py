"""Base of the methods that draw images of known texts."""

from __future__ import annotations

import string
from dataclasses import dataclass

from seqclr.config import key
from seqclr.data.charset import CASES, FRAME_STRIDE, Charset, frames_of
from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.synthesis.styles import read_length
from seqclr.synthesis.variety import Texts


@dataclass
class GeneratedTexts(Method):
    """The keys of generated images; `self.texts` are what they show, `self.text_charset` is that of their labels."""

    characters: str = key(string.digits + string.ascii_letters, "characters of the generated texts", free=True)
    case: str = key(
        "lower",
        "case of the labels: keep, lower or upper; few captchas are case-sensitive",
        choices=tuple(CASES),
    )
    length: str = key("3:7", "length of a generated text: 4, or 4:6 for 4 to 6 characters", free=True)
    fonts: str | None = key(
        None,
        "fonts of the generated images: a .ttf or .otf file, a folder of them or a bundled font; default: all bundled",
        free=True,
    )
    sums: float = key(
        0.0, "share of the generated images that show a sum, such as 3+16=?, with + - × ÷ * / = ?", least=0, most=1
    )
    distinct_images: int = key(
        20_000, "different generated images that a run draws; each is augmented anew every time", least=1, most=10**9
    )

    def __post_init__(self):
        super().__post_init__()
        self.texts = Texts(self.characters, read_length(self.length), self.fonts, self.sums)
        self.text_charset = Charset(self.texts.all_characters(), self.case)

    def build(self, encoder, run=None):
        longest, frames = self.texts.longest(), frames_of(encoder.width)
        needed = longest if len(self.text_charset) > 1 else 2 * longest - 1
        if needed > frames:  # no image with so long a text would be drawn
            raise UserError(
                f"length {self.length} needs {needed} frames, and width {encoder.width} gives {frames}: raise "
                f"width to {FRAME_STRIDE * needed}, or give a shorter length"
            )
        super().build(encoder, run)
