"""Packages that the light installation leaves out, and the extras of setup.cfg that bring them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from seqclr.errors import UserError

SERVE = ("starlette", "uvicorn", "httptools", "uvloop", "anyio", "python_multipart", "prometheus_client")
EXTRAS = {"ai_edge_litert": "litert", "cmaes": "evolve", **dict.fromkeys(SERVE, "serve")}  # all other packages: train


class MissingExtra(UserError, ImportError):
    """A package is not installed. The message names the extra that brings it."""


@contextlib.contextmanager
def required(what: str) -> Iterator[None]:
    """Turns the missing package of an import within the block into a MissingExtra; what: what needs the package."""
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "seqclr", *sys.stdlib_module_names):
            raise
        extra = EXTRAS.get(package, "train")
        raise MissingExtra(
            f"{what} needs {package}, which is not installed: install the extra '{extra}' of seqclr "
            f'(in a clone: pip install ".[{extra}]")'
        ) from None
