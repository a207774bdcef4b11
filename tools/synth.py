"""`python tools/synth.py` is `seqclr synth`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("synth")
