"""`python tools/methods.py` is `seqclr methods`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("methods")
