"""`python tools/pretrain.py` is `seqclr pretrain`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["pretrain", *sys.argv[1:]]))
