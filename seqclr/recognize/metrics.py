"""How well texts were read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import editdistance


def edit_distance_accuracy(text: str, read: str) -> float:
    """`max(0, 1 - distance / len(text))`; of an empty text, whether nothing was read."""
    return max(0.0, 1 - editdistance.eval(text, read) / len(text)) if text else float(not read)


def scores(texts: Sequence[str], reads: Sequence[str]) -> dict[str, float]:
    """All measures over pairs of a true text and what was read.

    `edit_distance_accuracy` (the article's, mean over samples), `exact_match`, `exact_match_caseless`, `cer` (all edits
    over all characters), `one_minus_ned` (1 - edits over the longer of both, mean over samples).
    """
    count = len(texts)
    edits = [editdistance.eval(text, read) for text, read in zip(texts, reads)]
    return {
        "samples": count,
        "edit_distance_accuracy": sum(map(edit_distance_accuracy, texts, reads)) / count,
        "exact_match": sum(text == read for text, read in zip(texts, reads)) / count,
        "exact_match_caseless": sum(text.lower() == read.lower() for text, read in zip(texts, reads)) / count,
        "cer": sum(edits) / max(1, sum(map(len, texts))),
        "one_minus_ned": sum(1 - e / max(1, len(t), len(r)) for e, t, r in zip(edits, texts, reads)) / count,
    }


def confusions(texts: Sequence[str], reads: Sequence[str]) -> Counter:
    """How often a character was read as another: `(true, read)` pairs, "" for nothing, along a shortest alignment."""
    counts: Counter = Counter()
    for text, read in zip(texts, reads):
        counts.update(align(text, read))
    return counts


def align(text: str, read: str) -> list[tuple[str, str]]:
    """A shortest edit script as pairs of characters; "" on one side is a deletion or an insertion."""
    rows = [list(range(len(read) + 1))]
    for i, a in enumerate(text, 1):
        row = [i]
        for j, b in enumerate(read, 1):
            row.append(min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b)))
        rows.append(row)
    pairs, i, j = [], len(text), len(read)
    while i or j:
        if i and j and rows[i][j] == rows[i - 1][j - 1] + (text[i - 1] != read[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((text[i], read[j]))
        elif i and rows[i][j] == rows[i - 1][j] + 1:
            i -= 1
            pairs.append((text[i], ""))
        else:
            j -= 1
            pairs.append(("", read[j]))
    return pairs[::-1]
