"""`python tools/launch.py` is `seqclr launch`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("launch")
