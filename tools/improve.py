"""`python tools/improve.py` is `seqclr improve`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("improve")
