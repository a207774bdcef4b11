"""The facts of a method's registration."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Facts:
    """Facts about a method beside its keys. One that is None is taken from the base classes.

    The `needs_*` are reasons, ends of sentences that an error message quotes; empty or None: no such need.
    """

    family: str | None = None
    paper: str = ""
    negatives: str | None = None
    stores: str | None = None
    ema_network: str | None = None
    needs_lines: str | None = None
    needs_images: str | None = None
    needs_halves: str | None = None
    needs_whole_batch: str | None = None
