"""`python tools/launch.py` is `seqclr launch`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("launch")
