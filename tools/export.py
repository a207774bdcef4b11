"""`python tools/export.py` is `seqclr export`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("export")
