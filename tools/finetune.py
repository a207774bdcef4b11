"""`python tools/finetune.py` is `seqclr finetune`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["finetune", *sys.argv[1:]]))
