"""The program: `seqclr`, `python -m seqclr` and `tools/VERB.py`."""

import signal

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C during the imports ends the process without a traceback

from seqclr.cli import program  # noqa: E402

if __name__ == "__main__":
    program()
