"""`python tools/configs.py` is `seqclr configs`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("configs")
