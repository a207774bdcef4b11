"""`python tools/methods.py` is `seqclr methods`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("methods")
