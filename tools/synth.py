"""`python tools/synth.py` is `seqclr synth`."""

from seqclr.cli import program

if __name__ == "__main__":
    program("synth")
