"""`python tools/evaluate.py` is `seqclr evaluate`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
