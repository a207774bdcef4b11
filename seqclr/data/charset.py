"""Encoding of texts as ids. The characters, case and treatment of unknown characters are saved with the model."""

from __future__ import annotations

import dataclasses
import json
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path

from seqclr import files
from seqclr.errors import UserError

CASES = {"keep": str, "lower": str.lower, "upper": str.upper}
UNKNOWN = ("error", "drop")
OPERATORS = "+-×÷*/"
SUM_SIGNS = f"{OPERATORS}=?"  # of sums such as 3+16=?
FRAME_STRIDE = 4  # columns of the image for each frame of the text encoder; as in nn/encoders.py


def normalize(text: str, case: str) -> str:
    """Composed Unicode (NFC) in one case."""
    if case not in CASES:
        raise UserError(f"case '{case}' is not known: {', '.join(CASES)}")
    return unicodedata.normalize("NFC", CASES[case](text))


@dataclasses.dataclass(frozen=True)
class Charset:
    """An ordered set of characters: the id of a character is its index; the CTC blank comes after the last.

    case: `keep`, `lower` or `upper`, applied alike to labels, to these characters and in the metrics.
    unknown: `error` refuses a text with another character, `drop` leaves that character out.
    """

    characters: str
    case: str = "keep"
    unknown: str = "error"

    def __post_init__(self):
        if self.unknown not in UNKNOWN:
            raise UserError(f"unknown '{self.unknown}' is not known: {', '.join(UNKNOWN)}")
        characters = "".join(dict.fromkeys(self.normalize(self.characters)))
        if not characters:
            raise UserError("the charset is empty: give its characters, or labels to take them from")
        object.__setattr__(self, "characters", characters)
        object.__setattr__(self, "_ids", {character: i for i, character in enumerate(characters)})

    @classmethod
    def of(cls, texts: Iterable[str], case: str = "keep", unknown: str = "error") -> Charset:
        """The charset of some labels, sorted; combining marks are first, as they would combine with a letter before."""
        characters = {character for text in texts for character in normalize(text, case)}
        return cls("".join(sorted(characters, key=lambda c: (not unicodedata.combining(c), c))), case, unknown)

    def __len__(self) -> int:
        return len(self.characters)

    @property
    def blank(self) -> int:
        return len(self.characters)

    def normalize(self, text: str) -> str:
        """The text in composed Unicode (NFC) and in the charset's case."""
        return normalize(text, self.case)

    def strangers(self, text: str) -> list[str]:
        """The characters of a text that are not in the charset."""
        return [character for character in dict.fromkeys(self.normalize(text)) if character not in self._ids]

    def target(self, text: str, name: str = "the label") -> str:
        """The text that training and metrics use; raises UserError for an unknown character under `error`."""
        strangers = self.strangers(text)
        if not strangers:
            return self.normalize(text)
        if self.unknown == "error":
            raise UserError(
                f"{name} has the text '{text}' with {strangers[0]!r}, which is not in the charset: "
                "add it to charset, correct the label, or set unknown=drop"
            )
        return "".join(character for character in self.normalize(text) if character in self._ids)

    def encode(self, text: str) -> list[int]:
        """Ids of a text that `target` returned."""
        return [self._ids[character] for character in text]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(self.characters[i] for i in ids)

    def save(self, path: str | Path) -> None:
        text = json.dumps(dataclasses.asdict(self), ensure_ascii=False, indent=1)
        with files.atomic_write(Path(path)) as stream:
            stream.write(text + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Charset:
        try:
            return cls(**json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise UserError(f"{path} is not a charset ({error}): it is written by finetune beside the model") from None


def frames_of(width: int) -> int:
    """The number of frames of an image of a width in pixels."""
    return -(-width // FRAME_STRIDE)


def frames_needed(text: Sequence) -> int:
    """The least number of frames in which CTC can emit a text or its ids: equal neighbours need a blank between."""
    return len(text) + sum(a == b for a, b in zip(text, text[1:]))
