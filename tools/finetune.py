"""`python tools/finetune.py` is `seqclr finetune`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("finetune")
