"""`python tools/methods.py` is `seqclr methods`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["methods", *sys.argv[1:]]))
