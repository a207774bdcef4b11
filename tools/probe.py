"""`python tools/probe.py` is `seqclr probe`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("probe")
