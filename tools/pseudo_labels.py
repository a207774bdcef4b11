"""`python tools/pseudo_labels.py` is `seqclr pseudo-labels`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["pseudo-labels", *sys.argv[1:]]))
