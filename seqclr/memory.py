"""What this machine can hold, asked before memory is taken."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from seqclr.errors import UserError

GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")  # of a container, if it has one


def total() -> int | None:
    """Bytes of memory of this machine or container; None where the system does not tell."""
    try:
        found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    except (AttributeError, ValueError, OSError):  # Windows has none of it
        return None
    for file in GROUPS:
        with contextlib.suppress(OSError, ValueError):  # "max"
            found.append(int(Path(file).read_text()))
    return min(found)


def check_fits(needed: int, what: str, instead: str) -> None:
    """Raises UserError for what takes more bytes than there are; instead: what to do about it."""
    available = total()
    if available is not None and needed > available:
        sizes = f"at least {needed / 2**30:.1f} GiB of memory, and this machine has {available / 2**30:.1f}"
        raise UserError(f"{what} takes {sizes}: {instead}")
