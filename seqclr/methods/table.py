"""The table of methods, as Markdown."""

from __future__ import annotations

import dataclasses
import re

from seqclr.methods import registry
from seqclr.methods.base import Method

HEAD = ("method", "family", "paper", "an example is", "negatives", "EMA network", "stores", "keys and defaults")
COMMON = ("frames", "correspondence", "layer")  # keys that most methods have


def table() -> str:
    """One row for each registered method, by family and name: the facts of its registration and its own keys."""
    lines = ["| " + " | ".join(HEAD) + " |", "|" + "---|" * len(HEAD)]
    for name, cls in sorted(registry.METHODS.items(), key=lambda item: (item[1].facts.family or "", item[0])):
        facts = cls.facts
        example = words(cls.transform.__name__)
        cells = [
            f"`{name}`",
            facts.family,
            link(facts.paper),
            example,
            facts.negatives,
            facts.ema_network,
            facts.stores,
        ]
        lines.append("| " + " | ".join([*(cell or "" for cell in cells), ", ".join(keys(cls))]) + " |")
    return "\n".join(lines)


def link(paper: str) -> str:
    """A paper as it is registered, "AUTHORS YEAR, arXiv:NUMBER", as a link; without a number as it is."""
    authors, _, number = paper.partition(", arXiv:")
    return f"[{authors}](https://arxiv.org/abs/{number})" if number else paper


def words(name: str) -> str:
    """The name of a class as words: `TwoViews` as "two views"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def keys(cls: type[Method]) -> list[str]:
    """The method's own keys with their defaults."""
    fields = [field for field in dataclasses.fields(cls) if field.name not in COMMON]
    return [f"`{field.name}={field.default}`" for field in fields]
