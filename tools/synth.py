"""`python tools/synth.py` is `seqclr synth`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["synth", *sys.argv[1:]]))
