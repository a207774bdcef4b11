"""`python tools/export.py` is `seqclr export`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["export", *sys.argv[1:]]))
