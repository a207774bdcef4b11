"""`python tools/predict.py` is `seqclr predict`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["predict", *sys.argv[1:]]))
