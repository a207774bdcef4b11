"""`python tools/show_task.py` is `seqclr show-task`."""

import sys

from seqclr.cli import main

if __name__ == "__main__":
    sys.exit(main(["show-task", *sys.argv[1:]]))
