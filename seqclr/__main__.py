"""`python -m seqclr` is `seqclr`."""

from seqclr.cli import program

if __name__ == "__main__":
    program()
