"""`python tools/embed.py` is `seqclr embed`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["embed", *sys.argv[1:]]))
