"""`python tools/evaluate.py` is `seqclr evaluate`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("evaluate")
