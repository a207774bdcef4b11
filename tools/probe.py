"""`python tools/probe.py` is `seqclr probe`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["probe", *sys.argv[1:]]))
