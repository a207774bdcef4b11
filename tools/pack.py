"""`python tools/pack.py` is `seqclr pack`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("pack")
