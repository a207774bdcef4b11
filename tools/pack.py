"""`python tools/pack.py` is `seqclr pack`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["pack", *sys.argv[1:]]))
