"""`python tools/pretrain.py` is `seqclr pretrain`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("pretrain")
