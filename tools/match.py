"""`python tools/match.py` is `seqclr match`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("match")
