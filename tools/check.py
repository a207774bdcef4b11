"""`python tools/check.py` is `seqclr check`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("check")
