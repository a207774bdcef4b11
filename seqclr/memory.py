"""Memory of this machine, checked before large allocations."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from seqclr.errors import UserError

GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # limits of a container


def total() -> int | None:
    """Bytes of memory of this machine or container; None where the system does not report it."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):  # Windows has none of it
        return None
    for file in GROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max"
            found.append(int(Path(file).read_text()))
    return min(found)


def check_fits(needed: int, what: str, instead: str) -> None:
    """Raises UserError where `what`, which needs so many bytes, exceeds the memory. instead: the remedy, as text."""
    available = total()
    if available is not None and needed > available:
        sizes = f"at least {needed / 2**30:.1f} GiB of memory, and this machine has {available / 2**30:.1f}"
        raise UserError(f"{what} takes {sizes}: {instead}")
