"""`python tools/configs.py` is `seqclr configs`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("configs")
