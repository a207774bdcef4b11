"""`python tools/evaluate.py` is `seqclr evaluate`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("evaluate")
