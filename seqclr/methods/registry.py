"""The methods by name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TypeVar

from seqclr.config import shown
from seqclr.errors import UserError
from seqclr.methods.base import Method
from seqclr.methods.combination import combine
from seqclr.methods.facts import Facts

METHODS: dict[str, type[Method]] = {}
FAMILIES = "seqclr.methods."  # the package whose subpackages are the families

Registered = TypeVar("Registered", bound=Method)


def register(
    name: str,
    *,
    paper: str = "",
    negatives: str | None = None,
    stores: str | None = None,
    ema_network: str | None = None,
    needs_lines: str | None = None,
    needs_images: str | None = None,
    needs_halves: str | None = None,
    needs_whole_batch: str | None = None,
) -> Callable[[type[Registered]], type[Registered]]:
    """A class decorator that makes a method available as `method=NAME`.

    Arguments that are left out are inherited from the base classes, except the paper.

    Args:
        name: a key of `METHODS`.
        paper: authors, year and arXiv number, as "Chen et al. 2020, arXiv:2002.05709".
        negatives: what instances are contrasted with, as "other instances of the batch".
        stores: state that is kept beside networks, as "a queue of keys".
        ema_network: the network that follows the trained one by an exponential moving average, as "teacher".
        needs_lines, needs_images, needs_halves: why the encoder must be one of text lines, one of images, or one of two
            halves (`_lab`).
        needs_whole_batch: why a batch cannot be split into parts (`accumulate`).

    Raises:
        UserError: the name is taken by another class, an argument is not a text, or the class is not a Method.
    """
    if not isinstance(name, str) or not name or set(name) & set("+.:,"):
        raise UserError(f'{shown(name)} is not a name of a method: write @seqclr.register("name") above the class')
    given = Facts(
        None, paper, negatives, stores, ema_network, needs_lines, needs_images, needs_halves, needs_whole_batch
    )
    for field, value in vars(given).items():
        if not isinstance(value, str | None):
            raise UserError(f"method '{name}': {field} {shown(value)} is not a text")

    def add(cls: type[Registered]) -> type[Registered]:
        if not isinstance(cls, type) or not issubclass(cls, Method):
            raise UserError(f"method '{name}': {shown(cls)} is not a subclass of seqclr.methods.base.Method")
        held = METHODS.get(name)
        if held is not None and (held.__module__, held.__qualname__) != (cls.__module__, cls.__qualname__):
            raise UserError(f"method '{name}' is registered already, as {held.__name__}: choose another name")
        facts = given
        if cls.__module__.startswith(FAMILIES):
            facts = dataclasses.replace(facts, family=cls.__module__.removeprefix(FAMILIES).partition(".")[0])
        cls.facts = completed(facts, cls)
        METHODS[name] = cls
        return cls

    return add


def completed(facts: Facts, cls: type[Method]) -> Facts:
    """Facts whose missing values are those of the base classes of `cls`, the nearest first."""
    sources = [facts, *(vars(base)["facts"] for base in cls.__mro__[1:] if "facts" in vars(base))]
    values = {
        field.name: next((value for of in sources if (value := getattr(of, field.name)) is not None), None)
        for field in dataclasses.fields(Facts)
    }
    return Facts(**values)  # type: ignore[arg-type]


def find_method(name: str) -> type[Method]:
    """The class of that name, or of several names with + between them, which trains these methods together.

    An unknown name is a UserError that lists the known ones.
    """
    names = name.split("+")
    for each in names:
        if each not in METHODS:
            raise UserError(f"method '{shown(each)}' is not known: {', '.join(sorted(METHODS))}")
    return METHODS[name] if len(names) == 1 else combine(tuple((each, METHODS[each]) for each in names))
