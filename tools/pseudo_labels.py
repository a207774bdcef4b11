"""`python tools/pseudo_labels.py` is `seqclr pseudo-labels`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("pseudo-labels")
