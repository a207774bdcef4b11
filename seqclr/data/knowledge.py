"""What is known of the texts in images before they are predicted: their characters and their lengths."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from seqclr.data.charset import FRAME_STRIDE, Charset, frames_of
from seqclr.data.images import MAX_SIDE
from seqclr.errors import UserError

LONGEST = MAX_SIDE // FRAME_STRIDE  # characters: the frames of the widest image


class Possible(NamedTuple):
    """Which texts are possible. classes: the ids of their characters; lengths: how many characters; None for any."""

    classes: tuple[int, ...] | None = None
    lengths: tuple[int, ...] | None = None


@dataclass(frozen=True)
class Known:
    """The characters and the lengths that texts can have, as a user gives them; None where nothing is known."""

    charset: str | None = None
    lengths: tuple[int, ...] | None = None

    @classmethod
    def of(cls, charset: str | None = None, length: object = None) -> Known:
        """Known from a length as `read_lengths` takes it."""
        return cls(charset, None if length is None else read_lengths(length))

    def possible(self, charset: Charset, width: int) -> Possible:
        """The ids and lengths for a reader of a charset and an image width in pixels.

        Raises UserError for a character that the reader does not know, and for a length that its frames cannot spell.
        """
        classes = None if self.charset is None else tuple(sorted(charset.encode(self._characters(charset))))
        if self.lengths is not None:
            longest, frames = self.lengths[-1], frames_of(width)
            one = len(charset if classes is None else classes) == 1  # equal neighbours need a blank between them
            needed, most = (2 * longest - 1, (frames + 1) // 2) if one else (longest, frames)
            if needed > frames:
                problem = f"length {longest} needs {needed} frames, of which width {width} gives {frames}"
                raise UserError(f"{problem}: give at most {most}")
        return Possible(classes, self.lengths)

    def within(self, charset: Charset) -> Charset:
        """The part of a charset that is known to occur."""
        if self.charset is None:
            return charset
        known = self._characters(charset)
        return Charset("".join(c for c in charset.characters if c in known), charset.case, charset.unknown)

    def beyond(self, other: Known, charset: Charset) -> Known:
        """What this adds to what is known of a reader of a charset. Raises UserError as `possible`."""
        mine, others = (set(each.within(charset).characters) for each in (self, other))
        return Known(None if mine == others else self.charset, None if self.lengths == other.lengths else self.lengths)

    def _characters(self, charset: Charset) -> str:
        strangers = charset.strangers(self.charset)
        if strangers:
            raise UserError(
                f"charset '{self.charset}' has {strangers[0]!r}, which the reader does not know: "
                f"it knows {charset.characters}"
            )
        return "".join(dict.fromkeys(charset.normalize(self.charset)))

    def __str__(self) -> str:
        parts = [] if self.charset is None else [f"charset {self.charset}"]
        if self.lengths is not None:
            first, last, many = self.lengths[0], self.lengths[-1], len(self.lengths)
            whole = many > 2 and last - first == many - 1
            parts.append(f"length {f'{first}:{last}' if whole else ','.join(map(str, self.lengths))}")
        return " and ".join(parts)


NOTHING = Known()


def read_lengths(value: object) -> tuple[int, ...]:
    """The sorted lengths of 4, "4", "4:6" (4 to 6), "4,6", or a list of such. Raises UserError for anything else."""
    items = value.split(",") if isinstance(value, str) else value if isinstance(value, Iterable) else [value]
    found: set[int] = set()
    for item in items:
        match = re.fullmatch(r"([0-9]{1,6})(?::([0-9]{1,6}))?", str(item).strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last <= LONGEST:
            found.clear()
            break
        found.update(range(first, last + 1))
    if not found:
        raise UserError(
            f"length {str(value):.60}: give a number, a range 4:6 or a list 4,6, of 1 to {LONGEST} characters"
        )
    return tuple(sorted(found))
