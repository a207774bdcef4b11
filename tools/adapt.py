"""`python tools/adapt.py` is `seqclr adapt`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("adapt")
