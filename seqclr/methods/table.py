"""The methods side by side, as Markdown."""

from __future__ import annotations

import dataclasses
import inspect
import re

from seqclr.methods import METHODS
from seqclr.methods.base import Method
from seqclr.methods.momentum import MomentumMethod

COMMON = ("frames", "correspondence", "layer")  # keys that most methods have


def table() -> str:
    """A row a method: its name, paper, what it learns from, what it is told from, what it stores, its own keys."""
    head = ["method", "paper", "an example is", "negatives", "momentum copy", "stores", "keys and defaults"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, cls in METHODS.items():
        copy = "yes" if issubclass(cls, MomentumMethod) else ""
        cells = [
            f"`{name}`",
            paper(cls),
            words(cls.transform.__name__),
            cls.repels,
            copy,
            cls.stores,
            ", ".join(keys(cls)),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def paper(cls: type[Method]) -> str:
    """That of its registration, or the first of its docstring: authors, year and arXiv number, which an old paper may
    be without."""
    name = r"((?:van den )?[A-Z]\w+(?: et al\.| & \w+) \d{4})"
    text = " ".join((cls.paper or inspect.getdoc(cls) or "").split())
    if plain := re.match(name + r"\.", text):
        return plain[1]
    found = re.search(name + r"\b[^:]*?arXiv:(\d{4}\.\d{4,5})", text)
    return f"[{found[1]}](https://arxiv.org/abs/{found[2]})" if found else ""


def words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def keys(cls: type[Method]) -> list[str]:
    fields = [field for field in dataclasses.fields(cls) if field.name not in COMMON]
    return [f"`{field.name}={field.default}`" for field in fields]
