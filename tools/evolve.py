"""`python tools/evolve.py` is `seqclr evolve`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("evolve")
