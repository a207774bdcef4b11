"""What a label must not hold, and what nobody sees in it. Host side."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from seqclr.errors import UserError

NO_TEXT = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # control characters, line breaks, surrogates
UNSEEN = ("Cf", "Zs", "Co", "Cn")  # categories: format characters, blanks, private use, unassigned
JOINERS = "\u200c\u200d"  # format characters that the spelling of Persian and of Indian scripts needs
ALIKE = ("<wide>", "<narrow>", "<font>", "<noBreak>")  # decompositions: the same character for another typesetting
BLANK = "\u034f\u115f\u1160\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))  # unseen of other categories
# Cyrillic and Greek letters that look like Latin ones
LOOKALIKES = "АВЕЅІЈКМНОРСТУХасеіјорѕухΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲ"


def check(text: str, where: str) -> str:
    """The text; raises UserError for a control character, a line break or half a character."""
    found = NO_TEXT.search(text)
    if found:
        raise UserError(
            f"{where} has the text {text[:100]!r} with {code_point(found[0])}: "
            "a text is one line without control characters, so take it out"
        )
    return text


def code_point(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"


def unseen(text: str) -> list[str]:
    """What a label has that nobody sees, and that a reader would learn as a character of its own."""
    categories = {c: unicodedata.category(c) for c in text if c != " "}
    found = [code_point(c) for c, of in categories.items() if c in BLANK or (of in UNSEEN and c not in JOINERS)]
    if text != text.strip(" "):
        found.append("a blank (U+0020) at an end")
    for word in text.split():
        latin = next((c for c in word if unicodedata.name(c, "").startswith("LATIN")), None)
        found += [
            f"{code_point(c)} beside {code_point(latin)}" for c in dict.fromkeys(word) if latin and c in LOOKALIKES
        ]
    return found


def alike(texts: Iterable[str]) -> list[tuple[str, ...]]:
    """The characters of some texts that are one character in several widths or typefaces, such as a full-width 7."""
    groups = defaultdict(list)
    for c in sorted({c for text in texts for c in text}):
        plain = unicodedata.decomposition(c).startswith(ALIKE)
        groups[unicodedata.normalize("NFKC", c) if plain else c].append(c)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def right_to_left(text: str) -> str | None:
    """The first character of a text that is written from right to left."""
    return next((c for c in text if unicodedata.bidirectional(c) in ("R", "AL")), None)
