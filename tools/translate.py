"""`python tools/translate.py` is `seqclr translate`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("translate")
