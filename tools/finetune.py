"""`python tools/finetune.py` is `seqclr finetune`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("finetune")
