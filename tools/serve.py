"""`python tools/serve.py` is `seqclr serve`."""

from seqclr.__main__ import program

if __name__ == "__main__":
    program("serve")
