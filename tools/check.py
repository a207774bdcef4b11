"""`python tools/check.py` is `seqclr check`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["check", *sys.argv[1:]]))
