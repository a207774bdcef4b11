"""`python tools/launch.py` is `seqclr launch`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["launch", *sys.argv[1:]]))
