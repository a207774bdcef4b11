"""The methods side by side, as Markdown."""

from __future__ import annotations

import dataclasses
import inspect
import re

from seqclr.methods import METHODS
from seqclr.methods.base import Method
from seqclr.methods.momentum import MomentumMethod

COMMON = ("frames", "match", "layer")  # keys that most methods have


def table() -> str:
    """A row a method: its name, paper, views, what it keeps beside its networks, and the defaults of its own keys."""
    head = ["method", "paper", "example", "momentum copy", "whole batch", "keys and defaults"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for name, cls in METHODS.items():
        copy = "yes" if issubclass(cls, MomentumMethod) else ""
        cells = [f"`{name}`", paper(cls), cls.recipe.__name__, copy, cls.whole_batch or "", ", ".join(keys(cls))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def paper(cls: type[Method]) -> str:
    """What its docstring starts with, up to the arXiv number."""
    found = re.search(r"([A-Z][^:.]*?)[ ,(]*arXiv:(\d{4}\.\d{5})", inspect.getdoc(cls) or "")
    return f"[{' '.join(found[1].split())}](https://arxiv.org/abs/{found[2]})" if found else ""


def keys(cls: type[Method]) -> list[str]:
    fields = [field for field in dataclasses.fields(cls) if field.name not in COMMON]
    return [f"`{field.name}={field.default}`" for field in fields]
