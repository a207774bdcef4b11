"""`python tools/check.py` is `seqclr check`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("check")
