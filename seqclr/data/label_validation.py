"""Checks of labels: forbidden, invisible and look-alike characters. Host side."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from seqclr.errors import UserError

FORBIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")  # control characters, line breaks, surrogates
INVISIBLE = ("Cf", "Zs", "Co", "Cn")  # Unicode categories: format characters, spaces, private use, unassigned
JOINERS = "\u200c\u200d"  # format characters that the spelling of Persian and Indian scripts needs
VARIANTS = ("<wide>", "<narrow>", "<font>", "<noBreak>")  # decompositions to the same character in another form
# invisible, though of other categories
BLANKS = "\u034f\u115f\u1160\u2800\u3164\uffa0" + "".join(map(chr, range(0xFE00, 0xFE10)))
# Cyrillic and Greek letters that look like Latin ones
LOOKALIKES = "АВЕЅІЈКМНОРСТУХасеіјорѕухΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲ"


def check(text: str, where: str) -> str:
    """Returns the text, empty if it has only white space. Raises UserError for a control character, a line break or a
    surrogate."""
    found = FORBIDDEN.search(text)
    if found:
        raise UserError(
            f"{where} has the text {text[:100]!r} with {code_point(found[0])}: "
            "a text is one line without control characters, so take it out"
        )
    return text if text.strip() else ""


def code_point(character: str) -> str:
    """A character in words, such as `U+200B (zero width space)`."""
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character').lower()})"


def script_of(character: str) -> str | None:
    """The first word of the name of a letter or digit, such as LATIN or DIGIT; None for other characters."""
    return unicodedata.name(character, "").partition(" ")[0] or None if character.isalnum() else None


def invisible_characters(text: str) -> list[str]:
    """The code points of invisible characters, outer spaces and look-alike letters of another script in a label."""
    categories = {c: unicodedata.category(c) for c in text if c != " "}
    found = [code_point(c) for c, of in categories.items() if c in BLANKS or (of in INVISIBLE and c not in JOINERS)]
    if text != text.strip(" "):
        found.append("a space (U+0020) at an end")
    for word in text.split():
        latin = next((c for c in word if unicodedata.name(c, "").startswith("LATIN")), None)
        found += [
            f"{code_point(c)} beside {code_point(latin)}" for c in dict.fromkeys(word) if latin and c in LOOKALIKES
        ]
    return found


def character_variants(texts: Iterable[str]) -> list[tuple[str, ...]]:
    """The characters that occur in several widths or typefaces, such as 7 and full-width 7; the plain one first."""
    groups = defaultdict(list)
    for c in sorted({c for text in texts for c in text}):
        plain = unicodedata.decomposition(c).startswith(VARIANTS)
        groups[unicodedata.normalize("NFKC", c) if plain else c].append(c)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def right_to_left(text: str) -> str | None:
    """The first character of a text that is written from right to left, or None."""
    return next((c for c in text if unicodedata.bidirectional(c) in ("R", "AL")), None)
