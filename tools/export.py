"""`python tools/export.py` is `seqclr export`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("export")
