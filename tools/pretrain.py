"""`python tools/pretrain.py` is `seqclr pretrain`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("pretrain")
