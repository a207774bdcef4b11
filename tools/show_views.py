"""`python tools/show_views.py` is `seqclr show-views`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["show-views", *sys.argv[1:]]))
