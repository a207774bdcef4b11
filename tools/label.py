"""`python tools/label.py` is `seqclr label`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("label")
