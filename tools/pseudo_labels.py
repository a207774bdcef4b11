"""`python tools/pseudo_labels.py` is `seqclr pseudo-labels`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("pseudo-labels")
