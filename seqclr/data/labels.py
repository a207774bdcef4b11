"""Labels with their source and time: the rows of the tables of `seqclr label` and `seqclr serve --keep`. Host side."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from seqclr.data import tables
from seqclr.data.samples import split_name

ACCEPTED, REFUSED = (tables.LABELS, "images"), ("refused.csv", "refused")  # table and folder under --keep


class Label(NamedTuple):
    """What is known of an image: a row of a table, or a line of the journal of `seqclr label`.

    file: relative to the folder of the table if the image lies below it. text: None without a label. split: `train`,
    `test`, or what it was. source: how the text was found, one of labelling.journal.SOURCES or NO_TEXT. time: ISO 8601
    in UTC, in seconds: texts are in the order of the times.
    """

    file: str
    text: str | None
    split: str = ""
    source: str = "given"
    time: str = ""

    @property
    def part(self) -> str | None:
        """The standard name of the split; None where it has none."""
        return split_name(self.split)


COLUMNS = Label._fields
TIME = "%Y-%m-%dT%H:%M:%SZ"


def now(days_ago: float = 0.0) -> str:
    """The time of a label that is written now, or was so many days ago."""
    return (datetime.now(timezone.utc) - timedelta(days=days_ago)).strftime(TIME)
