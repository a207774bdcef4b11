"""`python tools/pack.py` is `seqclr pack`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("pack")
