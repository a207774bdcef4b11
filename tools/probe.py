"""`python tools/probe.py` is `seqclr probe`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("probe")
