"""Messages and progress bars, through the logger "seqclr".

Information has level INFO, problems have WARNING. The figures of a training, one line per round, come from the logger
"seqclr.figures". Progress bars are shown unless the level of the logger "seqclr" is set above INFO.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from tqdm import tqdm

LOGGER = logging.getLogger("seqclr")
FIGURES = LOGGER.getChild("figures")
say, warn = LOGGER.info, LOGGER.warning


def bar(*args: Any, disable: bool = False, **kwargs: Any) -> tqdm:
    """A progress bar, as tqdm takes it."""
    from tqdm import tqdm

    return tqdm(*args, disable=disable or LOGGER.level > logging.INFO, **kwargs)


class Console(logging.Handler):
    """Writes figures to stdout and other messages to stderr, above the progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream = sys.stdout if record.name == FIGURES.name else sys.stderr
            _write(self.format(record), stream)
            stream.flush()
        except Exception:
            self.handleError(record)


def _write(line: str, stream: TextIO) -> None:
    if "tqdm" in sys.modules:  # there may be a bar
        sys.modules["tqdm"].tqdm.write(line, file=stream)
    else:
        print(line, file=stream)


@contextlib.contextmanager
def on_console() -> Iterator[None]:
    """A context in which messages go to the console only, as those of a program."""
    before, handler = (LOGGER.level, LOGGER.propagate), Console()
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False
    try:
        yield
    finally:
        LOGGER.removeHandler(handler)
        LOGGER.setLevel(before[0])
        LOGGER.propagate = before[1]
